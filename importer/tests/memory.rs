//! What an import takes of memory: by the rows that there are, and not by what a file claims.

mod support;
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use support::*;

/// A file of these columns and the vectors `v`.
fn write(
    place: &Place,
    name: &str,
    columns: Vec<(&str, ArrayRef)>,
    vectors: &[Option<Vec<f32>>],
    properties: WriterPropertiesBuilder,
) {
    let columns = columns.into_iter().chain([("v", vectors_of(vectors))]);
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
    let file = File::create(place.path(name)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn vectors(rows: usize) -> Vec<Option<Vec<f32>>> {
    (0..rows as i64).map(|row| Some(direction(row).to_vec())).collect()
}

/// The page header of a dictionary (2) or data page (0): each number takes five bytes, so that all are equally long.
fn header(kind: u32, sizes: [u32; 2], values: u32) -> Vec<u8> {
    let number = |value: u32| {
        let value = u64::from(value) << 1;
        (0..5).map(move |place| (value >> (7 * place)) as u8 & 0x7f | if place < 4 { 0x80 } else { 0 })
    };
    let mut bytes = Vec::new();
    for value in [kind, sizes[0], sizes[1]] {
        bytes.push(0x15);
        bytes.extend(number(value));
    }
    bytes.extend([if kind == 2 { 0x4c } else { 0x2c }, 0x15]);
    bytes.extend(number(values));
    let encodings: &[u8] = if kind == 2 { &[0x15, 0] } else { &[0x15, 16, 0x15, 6, 0x15, 6] };
    [&bytes, encodings, &[0, 0]].concat()
}

/// Where the dictionary and the data page of the first column are.
fn pages(place: &Place, name: &str) -> [Range<usize>; 2] {
    let reader = SerializedFileReader::new(File::open(place.path(name)).unwrap()).unwrap();
    let chunk = reader.metadata().row_group(0).column(0);
    let (start, length) = chunk.byte_range();
    let data = chunk.data_page_offset() as usize;
    [start as usize..data, data..(start + length) as usize]
}

/// The command with 1.5 GB of addresses.
#[cfg(unix)]
fn confined(place: &Place, name: &str) -> Said {
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 1500000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_vecrank")])
        .args(["import", name, "feed.db", "--table", "t"])
        .current_dir(place.folder())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

#[cfg(unix)]
#[test]
fn what_page_headers_claim_is_not_believed() {
    const MOST: u32 = i32::MAX as u32;
    let columns: [ArrayRef; 2] = [
        Arc::new(Int64Array::from_iter_values((0..2000).map(|row| row % 500))),
        Arc::new(StringArray::from_iter_values((0..2000).map(|row| format!("article {}", row % 500)))),
    ];
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::LZ4_RAW,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(Default::default()),
        Compression::BROTLI(Default::default()),
    ];
    for (column, codec) in columns.iter().flat_map(|column| codecs.map(|codec| (column, codec))) {
        let place = Place::new();
        let properties = WriterProperties::builder().set_compression(codec);
        write(&place, "lie.parquet", vec![("a", column.clone())], &vectors(2000), properties);
        let whole = std::fs::read(place.path("lie.parquet")).unwrap();
        for (kind, page) in [2, 0].into_iter().zip(pages(&place, "lie.parquet")) {
            for (uncompressed, values) in [(MOST, 1), (8000, MOST), (MOST, MOST)] {
                let length = header(kind, [0, 0], 0).len();
                let lie = header(kind, [uncompressed, (page.len() - length) as u32], values);
                let mut bytes = whole.clone();
                bytes[page.start..page.start + length].copy_from_slice(&lie);
                std::fs::write(place.path("lie.parquet"), bytes).unwrap();
                let line = confined(&place, "lie.parquet").failed();
                let start =
                    "lie.parquet: column \"a\": cannot be decoded, it is damaged or encrypted: page header: it claims ";
                assert!(line.starts_with(start), "{codec}, page {kind}, {uncompressed} bytes, {values} values: {line}");
                assert_eq!(place.names(), ["lie.parquet"]);
            }
        }
    }
}

/// The most memory that the command had, in MB, and what it said.
#[cfg(target_os = "linux")]
fn peak(place: &Place, arguments: &[&str]) -> (u64, Said) {
    let mut command = place.command(arguments);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        most = most.max(now.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let said = Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    (most / 1000, said)
}

/// Rows of 3 MB, of which the first has no vector: what is decoded before it is refused is all in memory at once.
#[cfg(target_os = "linux")]
#[test]
fn rows_of_any_size_are_read_in_little_memory() {
    const ROWS: usize = 100;
    let text = |row: usize| ["x", "y"][row % 2].repeat(3_000_000);
    let texts = || -> ArrayRef { Arc::new(StringArray::from_iter_values((0..ROWS).map(text))) };
    let blobs = || -> ArrayRef { Arc::new(BinaryArray::from_iter_values((0..ROWS).map(text))) };
    let lists = || -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in 0..ROWS {
            lists.append_value([Some(text(row)), None, Some("z".to_owned())]);
        }
        Arc::new(lists.finish())
    };
    // The writer looks at the sizes of pages after so many values.
    let properties = || WriterProperties::builder().set_write_batch_size(1);
    let dictionary = || properties().set_dictionary_page_size_limit(16 << 20);
    let plain = || properties().set_dictionary_enabled(false);
    let cases: [(&str, ArrayRef, WriterPropertiesBuilder); 4] = [
        ("dictionary", texts(), dictionary()),
        ("plain", texts(), plain()),
        ("blobs", blobs(), plain()),
        ("lists", lists(), dictionary()),
    ];
    for (name, column, properties) in cases {
        let place = Place::new();
        let mut vectors = vectors(column.len());
        vectors[0] = None;
        write(
            &place,
            "big.parquet",
            vec![("a", column)],
            &vectors,
            properties.set_statistics_enabled(EnabledStatistics::None),
        );
        let (most, said) = peak(&place, &["import", "big.parquet", "feed.db"]);
        let line = said.failed();
        assert!(line.starts_with("big.parquet: row 1, column \"v\": expected a vector, got NULL"), "{name}: {line}");
        assert!(most < 200, "{name}: {most} MB");
    }
}

/// So many rows per page, as some writers have it, whatever their size.
fn rows_per_page(values: usize, version: WriterVersion) -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_data_page_size_limit(1 << 30)
        .set_data_page_row_count_limit(values)
        .set_write_batch_size(values)
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .set_writer_version(version)
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::None)
}

const VERSIONS: [WriterVersion; 2] = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];

/// Two pages of 150 MB, of which the second has a row without a vector.
#[cfg(target_os = "linux")]
#[test]
fn one_large_page_at_a_time_is_in_memory() {
    const ROWS: usize = 100;
    let text = |row: usize| (!row.is_multiple_of(7)).then(|| ["x", "y"][row % 2].repeat(3_500_000));
    let texts: ArrayRef = Arc::new((0..ROWS).map(text).collect::<StringArray>());
    let fixed = (0..ROWS).map(|row| text(row).or(text(row + 1)).map(String::into_bytes));
    let fixed: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 3_500_000).unwrap());
    for (name, column, version) in [("text", &texts, VERSIONS[0]), ("fixed", &fixed, VERSIONS[1])] {
        let place = Place::new();
        let mut vectors = vectors(ROWS);
        vectors[ROWS / 2 + 5] = None;
        write(&place, "big.parquet", vec![("a", column.clone())], &vectors, rows_per_page(ROWS / 2, version));
        let (most, said) = peak(&place, &["import", "big.parquet", "feed.db"]);
        let line = said.failed();
        assert!(line.starts_with("big.parquet: row 56, column \"v\": expected a vector, got NULL"), "{name}: {line}");
        assert!(most < 300, "{name}, {version:?}: {most} MB");
    }
}

#[test]
fn a_large_page_is_read_value_by_value() {
    const ROWS: usize = 60;
    let text = |row: usize| {
        (!row.is_multiple_of(5)).then(|| format!("{row} ").repeat(if row.is_multiple_of(3) { row } else { 200_000 }))
    };
    let fixed = |row: usize| (!row.is_multiple_of(4)).then(|| vec![row as u8; 500_000]);
    let list = |row: usize| match row % 4 {
        0 => None,
        some => Some((1..some).map(|place| text(row + place)).collect::<Vec<_>>()),
    };
    let mut lists = ListBuilder::new(StringBuilder::new());
    (0..ROWS).for_each(|row| lists.append_option(list(row)));
    let columns = vec![
        ("n", Arc::new(Int64Array::from_iter_values(0..ROWS as i64)) as ArrayRef),
        ("text", Arc::new((0..ROWS).map(text).collect::<StringArray>())),
        (
            "fixed",
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size((0..ROWS).map(fixed), 500_000).unwrap()),
        ),
        ("list", Arc::new(lists.finish())),
    ];
    let expected = (0..ROWS).map(|row| {
        let text = text(row).unwrap_or_else(|| "NULL".to_owned());
        let fixed = fixed(row).map_or("NULL".to_owned(), |bytes| format!("{}|{:02X}", bytes.len(), bytes[0]));
        let list = list(row).map_or("NULL".to_owned(), |list| serde_json::to_string(&list).unwrap());
        format!("{row}|{text}|{fixed}|{list}")
    });
    let expected: Vec<String> = expected.collect();
    for version in VERSIONS {
        let place = Place::new();
        write(&place, "big.parquet", columns.clone(), &vectors(ROWS), rows_per_page(1024, version));
        place.run(&["import", "big.parquet", "feed.db", "--table", "t", "--key", "n"]).done();
        let fixed = "CASE WHEN fixed IS NULL THEN 'NULL' ELSE length(fixed) || '|' || hex(substr(fixed, 1, 1)) END";
        let stored = lines(&place.open("feed.db"), &format!("SELECT n, text, {fixed}, list FROM t_rows ORDER BY n"));
        let different = (0..ROWS).find(|&row| stored.get(row) != expected.get(row));
        assert_eq!(different, None, "{version:?}");
    }
}

#[test]
fn large_rows_come_in_order_whatever_batches_they_are_in() {
    let place = Place::new();
    let rows = 60;
    let texts = StringArray::from_iter_values(
        (0..rows).map(|row| format!("{row} ").repeat(if row % 7 == 0 { 300_000 } else { row })),
    );
    let columns = || {
        vec![
            ("n", Arc::new(Int64Array::from_iter_values(0..rows as i64)) as ArrayRef),
            ("a", Arc::new(texts.clone()) as ArrayRef),
        ]
    };
    let mut vectors = vectors(rows);
    write(&place, "big.parquet", columns(), &vectors, WriterProperties::builder());
    place.run(&["import", "big.parquet", "feed.db", "--table", "t", "--key", "n"]).done();
    let stored = lines(&place.open("feed.db"), "SELECT n, length(a), substr(a, 1, 3) FROM t_rows ORDER BY n");
    let expected = (0..rows).map(|row| {
        let text = texts.value(row);
        format!("{row}|{}|{}", text.len(), text.get(..3).unwrap_or(text))
    });
    assert_eq!(stored, expected.collect::<Vec<_>>());
    vectors[42] = Some(vec![1.0]);
    write(&place, "big.parquet", columns(), &vectors, WriterProperties::builder());
    let line = place.run(&["import", "big.parquet", "other.db", "--table", "t"]).failed();
    assert!(line.starts_with("big.parquet: row 43, column \"v\": expected 2 dimensions, got 1;"), "{line}");
    assert_eq!(place.names(), ["big.parquet", "feed.db"]);
}

#[cfg(target_os = "linux")]
#[test]
fn one_core_makes_the_same_bytes_as_all() {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 5000);
    place.run(&["import", "t.parquet", "all.db"]).done();
    let alone = std::process::Command::new("taskset")
        .args(["-c", "0", env!("CARGO_BIN_EXE_vecrank"), "import", "t.parquet", "one.db"])
        .current_dir(place.folder())
        .output();
    match alone {
        Ok(output) if output.status.success() => {}
        other => panic!("taskset of util-linux, with core 0: {other:?}"),
    }
    assert!(std::fs::read(place.path("all.db")).unwrap() == std::fs::read(place.path("one.db")).unwrap());
}

#[test]
fn the_summary_has_the_seconds_of_each_phase() {
    let place = Place::new();
    place.catalogue("t.parquet", 1, 2000);
    let out = place.run(&["import", "t.parquet", "feed.db", "--key", "id"]).done();
    let (_, phases) = out.lines().next().unwrap().split_once(" s (reading rows ").unwrap_or_else(|| panic!("{out}"));
    let words: Vec<&str> =
        phases.split(['.', ',', ')']).map(|part| part.trim_matches(|c| !char::is_alphabetic(c))).collect();
    assert_eq!(words[1..5], ["", "building the index", "", "writing the file"], "{out}");
    let summary = |arguments: &[&str]| -> serde_json::Value {
        let all = [&["import", "t.parquet", "feed.db", "--key", "id", "--json"], arguments].concat();
        serde_json::from_str(&place.run(&all).done()).unwrap()
    };
    let check = |summary: &serde_json::Value, expected: &[&str]| {
        let phases = summary["phases"].as_array().unwrap();
        let names: Vec<&str> = phases.iter().map(|phase| phase["phase"].as_str().unwrap()).collect();
        assert_eq!(names, expected);
        let sum: f64 = phases.iter().map(|phase| phase["seconds"].as_f64().unwrap()).sum();
        let whole = summary["seconds"].as_f64().unwrap();
        assert!(sum > 0.0 && sum <= whole + 0.01, "{summary}");
    };
    check(&summary(&[]), &["Reading rows", "Building the index", "Writing the file", "Putting it in place"]);
    place.open("feed.db").execute_batch("CREATE TABLE users(name)").unwrap();
    check(&summary(&[]), &["Reading rows", "Building the index", "Tidying the file"]);
    place.catalogue("t.parquet", 9001, 10);
    check(&summary(&["--append"]), &["Reading rows", "Building the index"]);
}
