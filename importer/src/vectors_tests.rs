use super::*;
use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, Float64Builder, LargeListBuilder, ListBuilder};
use arrow_array::{BinaryArray, FixedSizeBinaryArray, Float64Array, Int8Array, ListViewArray, NullArray, StringArray};

const COSINE: VectorType = VectorType { dims: 2, element: Element::F32, metric: Metric::Cosine };
const L2: VectorType = VectorType { metric: Metric::L2, ..COSINE };

fn lists(rows: &[Option<&[Option<f32>]>]) -> ArrayRef {
    let mut lists = ListBuilder::new(Float32Builder::new());
    for row in rows {
        match row {
            Some(components) => {
                components.iter().for_each(|component| lists.values().append_option(*component));
                lists.append(true);
            }
            None => lists.append(false),
        }
    }
    Arc::new(lists.finish())
}

fn encoded(column: &ArrayRef, row: usize, to: VectorType) -> std::result::Result<Vec<u8>, String> {
    let mut scratch = Scratch::default();
    let vectors = Vectors::new(column, to.element).unwrap();
    vectors.encode(row, to, &mut scratch).map(<[u8]>::to_vec).map_err(|why| why.to_string())
}

fn bytes(components: &[f32]) -> Vec<u8> {
    components.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn every_kind_of_list_gives_the_same_bytes() {
    let expected = Ok(bytes(&[1.0, -2.5]));
    let mut large = LargeListBuilder::new(Float64Builder::new());
    large.append_value([Some(9.0)]);
    large.append_value([Some(1.0), Some(-2.5)]);
    let mut fixed = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    for component in [9.0, 9.0, 1.0, -2.5] {
        fixed.values().append_value(component);
    }
    fixed.append(true);
    fixed.append(true);
    let doubles = Arc::new(Float64Array::from(vec![1.0, -2.5, 9.0]));
    let field = Arc::new(Field::new("element", DataType::Float64, true));
    let view = ListViewArray::new(field, vec![2, 0].into(), vec![1, 2].into(), doubles, None);
    let columns: [ArrayRef; 4] = [
        lists(&[Some(&[Some(9.0)]), Some(&[Some(1.0), Some(-2.5)])]),
        Arc::new(large.finish()),
        Arc::new(fixed.finish()),
        Arc::new(view),
    ];
    for column in columns {
        assert_eq!(encoded(&column, 1, COSINE), expected, "{}", column.data_type());
        // A slice starts in the middle of the components.
        assert_eq!(encoded(&column.slice(1, 1), 0, COSINE), expected, "{}", column.data_type());
    }
}

#[test]
fn fixed_size_binary_is_f32() {
    let rows = [bytes(&[1.0, -2.5]), bytes(&[0.0, f32::NAN])];
    let column: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter(rows.iter()).unwrap());
    assert_eq!(encoded(&column, 0, COSINE), Ok(rows[0].clone()));
    assert_eq!(encoded(&column, 1, COSINE), Err("component 1: expected a finite number, got NaN".to_owned()));
    assert_eq!(encoded(&column, 0, VectorType { element: Element::F16, ..COSINE }), Ok(vec![0, 0x3c, 0, 0xc1]));
}

#[test]
fn unusable_vectors_are_told_apart() {
    let column = lists(&[
        None,
        Some(&[Some(1.0)]),
        Some(&[Some(1.0), None]),
        Some(&[Some(f32::INFINITY), Some(1.0)]),
        Some(&[Some(0.0), Some(-0.0)]),
    ]);
    let why = |row, to| encoded(&column, row, to).unwrap_err();
    assert_eq!(why(0, COSINE), "expected a vector, got NULL");
    assert_eq!(why(1, COSINE), "expected 2 dimensions, got 1");
    assert_eq!(why(2, COSINE), "component 1: expected a number, got NULL");
    assert_eq!(why(3, COSINE), "component 0: expected a finite number, got inf");
    assert_eq!(why(4, COSINE), "expected a direction (metric cosine), got a vector of zeros");
    assert_eq!(encoded(&column, 4, L2), Ok(bytes(&[0.0, -0.0])));
}

#[test]
fn f16_refuses_what_it_cannot_hold() {
    let f16 = VectorType { element: Element::F16, ..COSINE };
    let column = lists(&[Some(&[Some(1.0), Some(70_000.0)]), Some(&[Some(1e-9), Some(0.0)])]);
    let expected = "component 1: expected -65504 to 65504 (element f16), got 70000.0";
    assert_eq!(encoded(&column, 0, f16), Err(expected.to_owned()));
    assert_eq!(encoded(&column, 1, f16), Err("expected a direction (metric cosine), got a vector of zeros".to_owned()));
}

#[test]
fn i8_scales_directions_and_keeps_whole_numbers() {
    let i8 = VectorType { element: Element::I8, ..COSINE };
    let column = lists(&[Some(&[Some(0.5), Some(-0.25)]), Some(&[Some(-128.0), Some(3.0)])]);
    assert_eq!(encoded(&column, 0, i8), Ok(vec![127, (-64_i8).cast_unsigned()]));
    assert_eq!(encoded(&column, 1, i8), Ok(vec![0x80, 3]));
    let l2 = VectorType { element: Element::I8, ..L2 };
    let expected = "component 0: expected a whole number from -128 to 127 (element i8), got 0.5";
    assert_eq!(encoded(&column, 0, l2), Err(expected.to_owned()));
}

#[test]
fn lists_of_integers_serve_when_named() {
    let inner = Arc::new(Field::new("element", DataType::Int8, true));
    assert_eq!(likelihood(&DataType::List(inner.clone()), Element::F32), VectorLikelihood::Named);
    let values = Arc::new(Int8Array::from(vec![-128, 127]));
    let column: ArrayRef = Arc::new(arrow_array::FixedSizeListArray::new(inner, 2, values, None));
    assert_eq!(encoded(&column, 0, VectorType { element: Element::I8, ..L2 }), Ok(vec![0x80, 0x7f]));
}

#[test]
fn bits_are_those_of_binary_and_the_signs_of_numbers() {
    let bit = VectorType { dims: 8, element: Element::Bit, metric: Metric::Hamming };
    let some = |components: [f32; 8]| components.map(Some);
    let (first, second) = (some([0.5, -1.0, 0.0, 3.0, -0.0, 1e-30, -7.0, 2.0]), some([0.0; 8]));
    let column = lists(&[Some(&first), Some(&second), None, Some(&[Some(1.0), None]), Some(&[Some(f32::NAN); 8])]);
    assert_eq!(encoded(&column, 0, bit), Ok(vec![0b1010_1001]));
    assert_eq!(encoded(&column, 1, bit), Ok(vec![0]));
    assert_eq!(encoded(&column, 2, bit), Err("expected a vector, got NULL".to_owned()));
    assert_eq!(encoded(&column, 3, bit), Err("expected 8 dimensions, got 2".to_owned()));
    assert_eq!(encoded(&column, 4, bit), Err("component 0: expected a finite number, got NaN".to_owned()));
    let packed: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&[0xa5u8, 0x01][..]), Some(&[7][..]), None]));
    assert_eq!(encoded(&packed, 0, VectorType { dims: 16, ..bit }), Ok(vec![0xa5, 0x01]));
    assert_eq!(encoded(&packed, 1, VectorType { dims: 16, ..bit }), Err("expected 16 dimensions, got 8".to_owned()));
    assert_eq!(Vectors::new(&packed, Element::Bit).unwrap().length(0), Ok(16));
    assert_eq!(Vectors::new(&packed, Element::F16).unwrap().length(0), Err(Unusable::OddBytes(2)));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["[1,-1,1,0,0,0,0,0.1]"]));
    assert_eq!(encoded(&texts, 0, bit), Ok(vec![0b1000_0101]));
    assert_eq!(
        encoded(&lists(&[Some(&[Some(1.0)])]), 0, VectorType { dims: 1, ..bit }),
        Err("expected a multiple of 8 dimensions (element bit), got 1".to_owned())
    );
    assert_eq!(
        check_dims(12, Element::Bit).unwrap_err().to_string(),
        "expected vectors of a multiple of 8 dimensions (element bit), got 12"
    );
}

#[test]
fn unsigned_numbers_have_no_signs() {
    let bit = VectorType { dims: 8, element: Element::Bit, metric: Metric::Hamming };
    let mut bytes = ListBuilder::new(arrow_array::builder::UInt8Builder::new());
    bytes.append_value([0, 1, 1, 0, 0, 0, 0, 1].map(Some));
    bytes.append_value([0, 1, 200, 0, 0, 0, 0, 1].map(Some));
    let column: ArrayRef = Arc::new(bytes.finish());
    assert_eq!(encoded(&column, 0, bit), Ok(vec![0b1000_0110]));
    let why =
        "component 2: expected 0 or 1 (element bit, of unsigned numbers), got 200.0; packed bits are a binary column";
    assert_eq!(encoded(&column, 1, bit), Err(why.to_owned()));
}

#[test]
fn short_binary_columns_are_bits_only_by_name() {
    for (size, floats, bits) in [
        (128, VectorLikelihood::Binary, VectorLikelihood::Binary),
        (130, VectorLikelihood::No, VectorLikelihood::Binary),
        (32, VectorLikelihood::Named, VectorLikelihood::Named),
        (1, VectorLikelihood::No, VectorLikelihood::Named),
        (0, VectorLikelihood::No, VectorLikelihood::No),
    ] {
        let kind = DataType::FixedSizeBinary(size);
        assert_eq!((likelihood(&kind, Element::F16), likelihood(&kind, Element::Bit)), (floats, bits), "{size}");
    }
    assert_eq!(fixed_dims(&DataType::FixedSizeBinary(32), Element::Bit), Some(256));
    assert_eq!(fixed_dims(&DataType::FixedSizeBinary(32), Element::I8), Some(8));
}

#[test]
fn the_most_frequent_length_wins() {
    let column = lists(&[Some(&[Some(1.0)]), None, Some(&[]), Some(&[Some(1.0), None]), Some(&[None, None])]);
    let mut lengths = Lengths::default();
    assert_eq!(lengths.most_frequent(), None);
    lengths.add(&Vectors::new(&column, Element::F32).unwrap(), column.len());
    assert_eq!(lengths.most_frequent(), Some(2));
}

#[test]
fn too_many_dimensions_are_refused() {
    assert_eq!(
        check_dims(16_385, Element::F32).unwrap_err().to_string(),
        "expected vectors of 1 to 16384 dimensions, got 16385"
    );
    assert_eq!(
        check_dims(0, Element::F32).unwrap_err().to_string(),
        "expected vectors of 1 to 16384 dimensions, got 0"
    );
}

#[test]
fn json_texts_are_vectors() {
    let texts = ["[1, -2.5]", "[1]", "[1, null]", "1,2", "{\"1\": 0.5}", "[1e39, 0]", "[[1, 2]]"];
    let column: ArrayRef = Arc::new(texts.into_iter().map(Some).chain([None]).collect::<StringArray>());
    assert_eq!(encoded(&column, 0, COSINE), Ok(bytes(&[1.0, -2.5])));
    let why = |row| encoded(&column, row, COSINE).unwrap_err();
    assert_eq!(why(1), "expected 2 dimensions, got 1");
    assert_eq!(why(2), "component 1: expected a number, got NULL");
    assert_eq!(why(3), "expected a JSON array of numbers, got \"1,2\"");
    assert_eq!(why(4), "expected a JSON array of numbers, got \"{\\\"1\\\": 0.5}\"");
    assert_eq!(why(5), "component 0: expected a finite number, got inf");
    assert_eq!(why(6), "expected a JSON array of numbers, got \"[[1, 2]]\"");
    assert_eq!(why(7), "expected a vector, got NULL");
}

#[test]
fn binary_of_any_length_is_a_vector_if_it_fits() {
    let (two, one) = (bytes(&[1.0, -2.5]), bytes(&[1.0]));
    let column: ArrayRef = Arc::new(BinaryArray::from(vec![Some(two.as_slice()), Some(&one), Some(&two[..7]), None]));
    assert_eq!(encoded(&column, 0, COSINE), Ok(two.clone()));
    let why = |row| encoded(&column, row, COSINE).unwrap_err();
    assert_eq!(why(1), "expected 2 dimensions, got 1");
    assert_eq!(why(2), "expected 4 bytes per component (float32), got 7 bytes");
    assert_eq!(why(3), "expected a vector, got NULL");
}

#[test]
fn arrays_of_one_row_are_vectors() {
    let mut outer = ListBuilder::new(ListBuilder::new(Float64Builder::new()));
    outer.values().append_value([Some(1.0), Some(-2.5)]);
    outer.append(true);
    outer.append(false);
    outer.append(true);
    for _ in 0..2 {
        outer.values().append_value([Some(1.0), Some(2.0)]);
    }
    outer.append(true);
    outer.values().append(false);
    outer.append(true);
    outer.values().append_value([Some(3.0), Some(4.0)]);
    outer.append(true);
    let column: ArrayRef = Arc::new(outer.finish());
    for (column, first) in [(column.clone(), 0), (column.slice(1, 5), 1)] {
        let encoded = |row: usize| encoded(&column, row - first, L2);
        if first == 0 {
            assert_eq!(encoded(0), Ok(bytes(&[1.0, -2.5])));
        }
        assert_eq!(encoded(1).unwrap_err(), "expected a vector, got NULL");
        assert_eq!(encoded(2).unwrap_err(), "expected 2 dimensions, got 0");
        assert_eq!(encoded(3).unwrap_err(), "expected one vector, got 2");
        assert_eq!(encoded(4).unwrap_err(), "expected a vector, got NULL");
        assert_eq!(encoded(5), Ok(bytes(&[3.0, 4.0])));
    }
}

#[test]
fn a_column_of_nothing_has_no_vectors() {
    let column: ArrayRef = Arc::new(NullArray::new(1));
    assert_eq!(encoded(&column, 0, L2).unwrap_err(), "expected a vector, got NULL");
}
