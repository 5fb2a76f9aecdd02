use super::*;
use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder, TimestampSecondBuilder};
use arrow_array::types::Int8Type;
use arrow_array::*;

const AS_TEXT: Choices = Choices { decimal: DecimalArg::Text, timestamps: TimestampArg::Iso };
const AS_NUMBERS: Choices = Choices { decimal: DecimalArg::Real, timestamps: TimestampArg::Unix };

/// The declared type, and the values as messages show them.
fn stored(column: impl Array + 'static, choices: Choices) -> (Option<&'static str>, Vec<String>) {
    let column: ArrayRef = Arc::new(column);
    let mapping = Mapping::of(column.data_type(), choices).unwrap();
    let cells = mapping.convert(&column).unwrap();
    (mapping.sql_type, (0..column.len()).map(|row| cells.show(row)).collect())
}

fn assert_stored(column: impl Array + 'static, sql_type: &str, values: &[&str]) {
    assert_eq!(stored(column, AS_TEXT), (Some(sql_type), values.iter().map(|v| v.to_string()).collect()));
}

fn assert_numbers(column: impl Array + 'static, sql_type: &str, values: &[&str]) {
    assert_eq!(stored(column, AS_NUMBERS), (Some(sql_type), values.iter().map(|v| v.to_string()).collect()));
}

#[test]
fn integers_and_booleans_become_integer() {
    assert_stored(Int8Array::from(vec![Some(-128), None]), "INTEGER", &["-128", "NULL"]);
    assert_stored(
        Int64Array::from(vec![i64::MIN, i64::MAX]),
        "INTEGER",
        &[&i64::MIN.to_string(), &i64::MAX.to_string()],
    );
    assert_stored(UInt32Array::from(vec![u32::MAX]), "INTEGER", &["4294967295"]);
    assert_stored(BooleanArray::from(vec![Some(true), Some(false), None]), "INTEGER", &["1", "0", "NULL"]);
}

#[test]
fn large_unsigned_numbers_become_text_in_a_column_without_a_type() {
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![Some(7), None, Some(u64::MAX)]));
    let mapping = Mapping::of(column.data_type(), AS_TEXT).unwrap();
    assert_eq!(mapping.sql_type, None);
    let cells = mapping.convert(&column).unwrap();
    assert_eq!(cells.first_beyond_integer(), Some(2));
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    let mut statement = connection.prepare("SELECT typeof(?1) || ' ' || ?1").unwrap();
    let mut bound = |row| -> Option<String> {
        cells.bind(row, &mut statement, 1).unwrap();
        statement.raw_query().next().unwrap().unwrap().get(0).unwrap()
    };
    assert_eq!(bound(0).as_deref(), Some("integer 7"));
    assert_eq!(bound(1), None);
    assert_eq!(bound(2).as_deref(), Some("text 18446744073709551615"));
    assert_eq!(mapping.into_integer().sql_type, Some("INTEGER"));
}

#[test]
fn floats_keep_their_value_and_nan_is_null() {
    assert_stored(Float32Array::from(vec![0.5, f32::INFINITY, f32::NAN]), "REAL", &["0.5", "inf", "NULL"]);
    let half = arrow_cast::cast(&Float32Array::from(vec![1.5]), &DataType::Float16).unwrap();
    assert_stored(half, "REAL", &["1.5"]);
}

#[test]
fn text_arrays_of_every_form_become_text() {
    let values = ["'ä'", "''", "NULL"];
    let text = || vec![Some("ä"), Some(""), None];
    assert_stored(StringArray::from(text()), "TEXT", &values);
    assert_stored(LargeStringArray::from(text()), "TEXT", &values);
    assert_stored(StringViewArray::from(text()), "TEXT", &values);
    assert_stored(text().into_iter().collect::<DictionaryArray<Int8Type>>(), "TEXT", &values);
    assert_stored(
        RunArray::try_new(&Int32Array::from(vec![2, 3]), &StringArray::from(vec!["a", "b"])).unwrap(),
        "TEXT",
        &["'a'", "'a'", "'b'"],
    );
}

#[test]
fn binary_arrays_of_every_form_become_blobs() {
    let bytes = || vec![Some(&b"ab"[..]), None];
    assert_stored(BinaryArray::from(bytes()), "BLOB", &["a BLOB of 2 bytes", "NULL"]);
    assert_stored(BinaryViewArray::from(bytes()), "BLOB", &["a BLOB of 2 bytes", "NULL"]);
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes().into_iter(), 2).unwrap();
    assert_stored(fixed, "BLOB", &["a BLOB of 2 bytes", "NULL"]);
}

#[test]
fn decimals_are_exact() {
    let decimal = || Decimal128Array::from(vec![Some(-1), Some(1990), None]).with_precision_and_scale(38, 2).unwrap();
    assert_stored(decimal(), "TEXT", &["'-0.01'", "'19.90'", "NULL"]);
    assert_numbers(decimal(), "REAL", &["-0.01", "19.9", "NULL"]);
    let wide = arrow_cast::cast(&decimal(), &DataType::Decimal256(76, 2)).unwrap();
    assert_stored(wide, "TEXT", &["'-0.01'", "'19.90'", "NULL"]);
}

#[test]
fn dates_become_iso_text_or_seconds() {
    assert_stored(
        Date32Array::from(vec![Some(-1), Some(20_148), None]),
        "TEXT",
        &["'1969-12-31'", "'2025-03-01'", "NULL"],
    );
    assert_stored(Date64Array::from(vec![86_400_000]), "TEXT", &["'1970-01-02'"]);
    assert_numbers(Date32Array::from(vec![-1, 20_148]), "INTEGER", &["-86400", "1740787200"]);
}

#[test]
fn timestamps_of_every_unit() {
    assert_stored(TimestampSecondArray::from(vec![1_740_787_200]), "TEXT", &["'2025-03-01T00:00:00'"]);
    assert_stored(TimestampMillisecondArray::from(vec![1]), "TEXT", &["'1970-01-01T00:00:00.001'"]);
    assert_stored(TimestampMicrosecondArray::from(vec![-1]), "TEXT", &["'1969-12-31T23:59:59.999999'"]);
    assert_stored(TimestampNanosecondArray::from(vec![1]), "TEXT", &["'1970-01-01T00:00:00.000000001'"]);
    assert_numbers(TimestampSecondArray::from(vec![5]), "INTEGER", &["5"]);
    assert_numbers(TimestampMillisecondArray::from(vec![1500]), "REAL", &["1.5"]);
}

#[test]
fn timestamps_with_a_zone_are_in_utc() {
    for zone in ["+02:00", "Europe/Berlin", "UTC"] {
        let column = TimestampSecondArray::from(vec![1_740_787_200]).with_timezone(zone);
        assert_stored(column, "TEXT", &["'2025-03-01T00:00:00Z'"]);
    }
    let zone = "-01:00";
    assert_stored(
        TimestampMillisecondArray::from(vec![1]).with_timezone(zone),
        "TEXT",
        &["'1970-01-01T00:00:00.001Z'"],
    );
    let micro = TimestampMicrosecondArray::from(vec![1]).with_timezone(zone);
    assert_stored(micro, "TEXT", &["'1970-01-01T00:00:00.000001Z'"]);
    let nano = TimestampNanosecondArray::from(vec![1]).with_timezone(zone);
    assert_stored(nano, "TEXT", &["'1970-01-01T00:00:00.000000001Z'"]);
}

fn refusal(column: impl Array + 'static) -> (Option<usize>, String) {
    let column: ArrayRef = Arc::new(column);
    let fault = Mapping::of(column.data_type(), AS_TEXT).unwrap().convert(&column).unwrap_err();
    (fault.row, fault.text)
}

#[test]
fn a_moment_that_no_calendar_has_is_refused() {
    let text = "Timestamp(s) 9223372036854775807 is out of range; --timestamps unix stores such values as numbers";
    assert_eq!(refusal(TimestampSecondArray::from(vec![0, i64::MAX])), (Some(1), text.to_owned()));
    let text = "Date32 2147483647 is out of range; --timestamps unix stores such values as numbers";
    assert_eq!(refusal(Date32Array::from(vec![i32::MAX])), (Some(0), text.to_owned()));
    let text = "Time64(ns) 86400000000001 is out of range";
    assert_eq!(refusal(Time64NanosecondArray::from(vec![86_400_000_000_001])), (Some(0), text.to_owned()));
}

#[test]
fn a_moment_out_of_range_inside_lists_is_of_the_row_that_has_it() {
    let mut lists = ListBuilder::new(TimestampSecondBuilder::new());
    lists.append_value([Some(0), Some(1)]);
    lists.append_null();
    lists.append_value([]);
    lists.append_value([None, Some(i64::MIN)]);
    let lists = lists.finish();
    assert_eq!(refusal(lists.clone()).0, Some(3));
    // A slice starts in the middle of the values.
    assert_eq!(refusal(lists.slice(1, 3)).0, Some(2));
}

#[test]
fn what_has_no_counterpart_is_refused_wherever_it_is() {
    let interval = DataType::Interval(arrow_schema::IntervalUnit::MonthDayNano);
    let inside = DataType::new_list(interval.clone(), true);
    for (kind, name) in [(interval, "Interval(MonthDayNano)"), (inside, "List(Interval(MonthDayNano))")] {
        let error = Mapping::of(&kind, AS_TEXT).unwrap_err().to_string();
        assert_eq!(error, format!("the type {name} has no counterpart in SQL; leave it out with --exclude"));
    }
}

#[test]
fn seconds_are_the_nearest_real_numbers() {
    assert_numbers(TimestampMillisecondArray::from(vec![-1]), "REAL", &["-0.001"]);
    assert_numbers(TimestampNanosecondArray::from(vec![1_740_787_200_123_456_789]), "REAL", &["1740787200.1234567"]);
    assert_numbers(TimestampNanosecondArray::from(vec![i64::MIN]), "REAL", &["-9223372036.854776"]);
}

#[test]
fn times_and_durations_become_iso_text() {
    assert_stored(Time64MicrosecondArray::from(vec![86_400_000_000]), "TEXT", &["'24:00:00.000000'"]);
    assert_stored(Time32SecondArray::from(vec![3661]), "TEXT", &["'01:01:01'"]);
    assert_stored(Time64NanosecondArray::from(vec![1]), "TEXT", &["'00:00:00.000000001'"]);
    assert_stored(DurationMillisecondArray::from(vec![1500]), "TEXT", &["'PT1.5S'"]);
}

#[test]
fn an_array_of_nulls_has_no_type() {
    assert_eq!(stored(NullArray::new(2), AS_TEXT), (None, vec!["NULL".to_owned(), "NULL".to_owned()]));
}

#[test]
fn lists_become_json() {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.values().append_value("a\"b");
    list.values().append_null();
    list.append(true);
    list.append(false);
    list.append(true);
    assert_stored(list.finish(), "TEXT", &[r#"'["a\"b",null]'"#, "NULL", "'[]'"]);
}

#[test]
fn structs_become_json_with_their_nulls_and_utc() {
    let fields: Vec<(FieldRef, ArrayRef)> = vec![
        (Arc::new(Field::new("n", DataType::Int32, true)), Arc::new(Int32Array::from(vec![None, Some(1)]))),
        (
            Arc::new(Field::new("at", DataType::Timestamp(TimeUnit::Second, Some("Asia/Tokyo".into())), true)),
            Arc::new(TimestampSecondArray::from(vec![0, 1]).with_timezone("Asia/Tokyo")),
        ),
        (
            Arc::new(Field::new("price", DataType::Decimal128(10, 2), true)),
            Arc::new(Decimal128Array::from(vec![1990, 5]).with_precision_and_scale(10, 2).unwrap()),
        ),
    ];
    assert_stored(
        StructArray::from(fields),
        "TEXT",
        &[
            r#"'{"n":null,"at":"1970-01-01T00:00:00Z","price":19.90}'"#,
            r#"'{"n":1,"at":"1970-01-01T00:00:01Z","price":0.05}'"#,
        ],
    );
}

#[test]
fn maps_become_json_objects_whatever_their_keys() {
    let mut map = MapBuilder::new(None, Int32Builder::new(), StringBuilder::new());
    map.keys().append_value(7);
    map.values().append_value("x");
    map.append(true).unwrap();
    assert_stored(map.finish(), "TEXT", &[r#"'{"7":"x"}'"#]);
}
