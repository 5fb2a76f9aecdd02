use super::*;
use DataType::{
    Binary, Boolean, Date32, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Null, UInt8, UInt16,
    UInt32, UInt64, Utf8, Utf8View,
};
use arrow_schema::Fields;

fn joined(a: &DataType, b: &DataType, widen: bool) -> Option<DataType> {
    let (a, b) = (normal(a), normal(b));
    let result = join(&a, &b, widen);
    assert_eq!(result, join(&b, &a, widen), "{a} {b}");
    result
}

fn list(of: DataType) -> DataType {
    DataType::List(item(of))
}

fn moment(unit: TimeUnit, zone: Option<&str>) -> DataType {
    DataType::Timestamp(unit, zone.map(Into::into))
}

#[test]
fn types_that_differ_in_storage_agree() {
    let dictionary = |value| DataType::Dictionary(Box::new(Int8), Box::new(value));
    let named = |name: &str| DataType::LargeList(Arc::new(Field::new(name, Float32, false)));
    for (a, b) in [
        (Utf8, LargeUtf8),
        (Utf8View, dictionary(Utf8)),
        (list(Float32), named("element")),
        (list(Float32), DataType::FixedSizeList(item(Float32), 4)),
        (moment(TimeUnit::Second, Some("UTC")), moment(TimeUnit::Second, Some("Europe/Berlin"))),
        (DataType::Decimal64(9, 2), DataType::Decimal128(9, 2)),
        (Date32, DataType::Date64),
    ] {
        assert!(joined(&a, &b, false).is_some(), "{a} {b}");
    }
}

#[test]
fn columns_of_nothing_join_any_type() {
    assert_eq!(joined(&Null, &Utf8, false), Some(Utf8));
    assert_eq!(joined(&list(Null), &list(Float32), false), Some(list(Float32)));
    let of = |inner| DataType::Struct(Fields::from(vec![Field::new("a", inner, true)]));
    assert_eq!(joined(&of(Null), &of(Int64), false), Some(of(Int64)));
}

/// Every pair of numeric types, and what holds the values of both.
#[test]
fn numbers_widen_where_no_value_changes() {
    let wider = |a: &DataType, b: &DataType| {
        assert_eq!(joined(a, b, false), None, "{a} {b}");
        joined(a, b, true)
    };
    assert_eq!(wider(&Int8, &Int64), Some(Int64));
    assert_eq!(wider(&UInt8, &Int8), Some(Int16));
    assert_eq!(wider(&UInt16, &Int16), Some(Int32));
    assert_eq!(wider(&UInt32, &Int8), Some(Int64));
    assert_eq!(wider(&UInt8, &UInt64), Some(UInt64));
    assert_eq!(wider(&UInt64, &Int64), None);
    assert_eq!(wider(&UInt64, &Int8), None);
    assert_eq!(wider(&Int16, &Float32), Some(Float32));
    assert_eq!(wider(&Int32, &Float32), Some(Float64));
    assert_eq!(wider(&UInt32, &Float64), Some(Float64));
    assert_eq!(wider(&Int64, &Float64), None);
    assert_eq!(wider(&Float32, &Float64), Some(Float64));
    assert_eq!(wider(&Float16, &Float64), Some(Float64));
    assert_eq!(wider(&DataType::Decimal128(9, 2), &DataType::Decimal128(12, 4)), Some(DataType::Decimal128(12, 4)));
    assert_eq!(wider(&DataType::Decimal128(38, 0), &DataType::Decimal128(38, 38)), Some(DataType::Decimal256(76, 38)));
    assert_eq!(wider(&DataType::Decimal256(76, 0), &DataType::Decimal256(76, 1)), None);
    assert_eq!(wider(&list(Float32), &list(Float64)), Some(list(Float64)));
    for other in [Boolean, Utf8, Binary, Date32, DataType::Decimal128(9, 2), list(Int64)] {
        assert_eq!(wider(&Int64, &other), None, "{other}");
    }
}

#[test]
fn moments_take_the_finest_unit_but_no_zone() {
    let (seconds, nanoseconds) = (moment(TimeUnit::Second, None), moment(TimeUnit::Nanosecond, None));
    assert_eq!(joined(&seconds, &nanoseconds, false), None);
    assert_eq!(joined(&seconds, &nanoseconds, true), Some(nanoseconds));
    assert_eq!(joined(&seconds, &moment(TimeUnit::Second, Some("UTC")), true), None);
    assert_eq!(joined(&seconds, &Date32, true), None);
    assert_eq!(joined(&seconds, &Utf8, true), None);
}
