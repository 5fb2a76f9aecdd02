use super::*;
use crate::columns::Shape;
use crate::parquet::{Input, Source};
use crate::thrift::I32;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::data_type::Int32Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::io::Write;

const NUM_ROWS: i64 = 3;
const CREATED_BY: i64 = 6;
const DICTIONARY_PAGE_OFFSET: i64 = 11;
const TOTAL_COMPRESSED_SIZE: i64 = 7;
const I64: u8 = 6;

/// The file, and its footer.
fn written(columns: Vec<(&str, ArrayRef)>) -> (Vec<u8>, Value) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let properties = WriterProperties::builder().set_offset_index_disabled(true).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let length = u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let start = bytes.len() - 8 - length;
    let footer = thrift::read(&bytes[start..]).unwrap();
    bytes.truncate(start);
    (bytes, footer)
}

fn with_footer(mut bytes: Vec<u8>, footer: &Value) -> File {
    let footer = thrift::write(footer);
    bytes.extend(&footer);
    bytes.extend((footer.len() as u32).to_le_bytes());
    bytes.extend(b"PAR1");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    file
}

fn fields(value: &mut Value) -> &mut Vec<Field> {
    let Value::Struct(fields) = value else { panic!("{value:?}") };
    fields
}

fn field(value: &mut Value, number: i64) -> &mut Value {
    &mut fields(value).iter_mut().find(|field| field.number == number).unwrap().value
}

/// The metadata of the first column's chunk.
fn chunk(footer: &mut Value) -> &mut Value {
    field(&mut items(&mut items(footer, ROW_GROUPS)[0], COLUMNS)[0], META_DATA)
}

fn writer(footer: &mut Value, name: &str) {
    *field(footer, CREATED_BY) = Value::Binary(name.into());
}

fn columns(file: &File) -> RecordBatch {
    let readable = readable(read(file).unwrap()).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.try_clone().unwrap(), readable.metadata);
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
    batches.into_iter().next().unwrap()
}

fn numbers() -> ArrayRef {
    Arc::new(Int32Array::from(vec![Some(7), None, Some(9)]))
}

fn is_refused_as_it_is(file: &File) {
    assert!(ParquetMetaDataReader::new().parse_and_finish(file).is_err());
}

#[test]
fn the_null_columns_of_old_pandas_are_read() {
    let (bytes, mut footer) = written(vec![("a", numbers()), ("b", numbers())]);
    let element = fields(&mut items(&mut footer, SCHEMA)[1]);
    element.push(Field { number: CONVERTED_TYPE, kind: I32, value: Value::Number(PANDAS_NULL) });
    let without_hint = fields(&mut footer);
    without_hint.retain(|field| field.number != 5);
    let file = with_footer(bytes, &footer);
    is_refused_as_it_is(&file);
    let read = columns(&file);
    assert_eq!((read.column(0).logical_null_count(), read.column(1).null_count()), (3, 1));
}

#[test]
fn decimals_without_a_scale_are_whole() {
    let decimals = Decimal128Array::from(vec![1234]).with_precision_and_scale(9, 0).unwrap();
    let (bytes, mut footer) = written(vec![("a", Arc::new(decimals))]);
    let element = fields(&mut items(&mut footer, SCHEMA)[1]);
    element.retain(|field| ![SCALE, LOGICAL_TYPE].contains(&field.number));
    let file = with_footer(bytes, &footer);
    is_refused_as_it_is(&file);
    let read = columns(&file);
    assert_eq!(read.column(0).data_type(), &arrow_schema::DataType::Decimal128(9, 0));
    assert_eq!(read.column(0).as_primitive::<arrow_array::types::Decimal128Type>().value(0), 1234);
}

#[test]
fn a_dictionary_at_offset_zero_is_none() {
    let (bytes, mut footer) = written(vec![("a", Arc::new(Int32Array::from(vec![1, 2, 3])))]);
    let metadata = chunk(&mut footer);
    let has_dictionary = fields(metadata).iter().any(|field| field.number == DICTIONARY_PAGE_OFFSET);
    assert!(has_dictionary);
    let file = with_footer(bytes.clone(), &footer);
    assert_eq!(columns(&file).column(0).len(), 3);
    // A chunk that has none: its pages begin where the dictionary's would.
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let batch = RecordBatch::try_from_iter([("a", numbers())]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let length = u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let start = bytes.len() - 8 - length;
    let mut footer = thrift::read(&bytes[start..]).unwrap();
    bytes.truncate(start);
    let metadata = fields(chunk(&mut footer));
    let at = metadata.iter().position(|field| field.number > DICTIONARY_PAGE_OFFSET).unwrap_or(metadata.len());
    metadata.insert(at, Field { number: DICTIONARY_PAGE_OFFSET, kind: I64, value: Value::Number(0) });
    // And what a fork put where the length of a Bloom filter is.
    metadata.retain(|field| field.number < 15);
    metadata.push(Field { number: 15, kind: thrift::STRUCT, value: Value::Struct(Vec::new()) });
    assert_eq!(columns(&with_footer(bytes, &footer)).column(0).as_ref(), numbers().as_ref());
}

/// parquet-mr left the dictionary page's header out of the chunk's size.
#[test]
fn chunks_that_are_longer_than_they_say_are_read_whole() {
    let words = || Arc::new(StringArray::from(vec!["parquet", "parquet", "other"])) as ArrayRef;
    let (bytes, mut footer) = written(vec![("a", words()), ("b", words())]);
    for group in items(&mut footer, ROW_GROUPS) {
        for column in items(group, COLUMNS) {
            let Value::Number(size) = field(field(column, META_DATA), TOTAL_COMPRESSED_SIZE) else { panic!() };
            *size -= 13;
        }
    }
    for (name, is_mended) in [
        ("parquet-mr version 1.2.5-cdh4.5.0 (build )", true),
        ("parquet-mr", false),
        ("parquet-mr version 1.2.9 (build 1)", false),
        ("impala version 1.4.0 (build x)", true),
        ("impala version 4.1.0", false),
    ] {
        writer(&mut footer, name);
        let file = with_footer(bytes.clone(), &footer);
        if is_mended {
            let read = columns(&file);
            assert_eq!((read.column(0).as_ref(), read.column(1).as_ref()), (words().as_ref(), words().as_ref()));
        } else {
            let readable = readable(read(&file).unwrap()).unwrap();
            let mut reader =
                ParquetRecordBatchReaderBuilder::new_with_metadata(file, readable.metadata).build().unwrap();
            assert!(reader.any(|batch| batch.is_err()), "{name}");
        }
    }
}

#[test]
fn a_row_count_of_0_by_the_first_parquet_rs_is_corrected() {
    let (bytes, mut footer) = written(vec![("a", numbers())]);
    *field(&mut footer, NUM_ROWS) = Value::Number(0);
    let rows = |footer: &Value| read(&with_footer(bytes.clone(), footer)).unwrap().file_metadata().num_rows();
    assert_eq!(rows(&footer), 0);
    writer(&mut footer, "parquet-rs version 0.3.0 (build b45ce7c)");
    assert_eq!(rows(&footer), 3);
}

#[test]
fn false_counts_of_rows_are_refused() {
    let (bytes, footer) = written(vec![("a", numbers())]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let open = |footer: &Value| {
        std::io::copy(&mut rewound(with_footer(bytes.clone(), footer)), &mut File::create(&path).unwrap()).unwrap();
        Input::open(&Source::File(path.clone()), folder.path(), &Shape::default())
    };
    assert_eq!(open(&footer).unwrap().rows(), 3);
    for count in [0, 2, 4, -1, i64::MAX] {
        let mut file = footer.clone();
        *field(&mut file, NUM_ROWS) = Value::Number(count);
        let error = open(&file).unwrap_err().to_string();
        let text = format!("not a readable Parquet file: its footer says {count} rows, its row groups have 3");
        assert!(error.ends_with(&text), "{error}");
        // Both say the same, but the pages have three rows.
        let mut both = file.clone();
        *field(&mut items(&mut both, ROW_GROUPS)[0], NUM_ROWS) = Value::Number(count);
        let error = open(&both).unwrap_err().to_string();
        let text = format!("a row group says {count} rows, its column \"a\" has 3");
        assert!(error.ends_with(&text) || error.contains("row group 1 is not inside"), "{error}");
    }
}

fn rewound(mut file: File) -> File {
    std::io::Seek::rewind(&mut file).unwrap();
    file
}

/// A map whose entries have three fields, and a list without an annotation.
#[test]
fn a_column_at_fault_is_named_and_the_others_are_read() {
    let message = "message m {
        required int32 before;
        required group odd (MAP) { repeated group key_value { required int32 key; required int32 a; required int32 b; } }
        repeated int32 bare;
        required int32 after; }";
    let schema = Arc::new(parse_message_type(message).unwrap());
    let mut file = tempfile::tempfile().unwrap();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut value = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        value += 1;
        column.typed::<Int32Type>().write_batch(&[value, value + 10], Some(&[1, 1]), Some(&[0, 0])).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    let readable = readable(read(&file).unwrap()).unwrap();
    let forms: Vec<bool> = readable.columns.iter().map(|(_, form)| form == &Form::Plain).collect();
    let names: Vec<&str> = readable.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, forms), (vec!["before", "odd", "bare", "after"], vec![true, false, true, true]));
    let Form::Unreadable(why) = &readable.columns[1].1 else { panic!() };
    assert_eq!(why, "Child of map field must have two children, found 3");
    let read = columns(&file);
    let numbers = |array: &ArrayRef| array.as_primitive::<arrow_array::types::Int32Type>().values().to_vec();
    assert_eq!(numbers(read.column(0)), [1, 11]);
    let lists = read.column(1).as_list::<i32>();
    assert_eq!((lists.value_offsets(), numbers(lists.values())), (&[0, 1, 2][..], vec![5, 15]));
    assert_eq!(numbers(read.column(2)), [6, 16]);
}
