use super::*;
use crate::args::OnBadRow;
use crate::choose::check_names;
use crate::columns::Shape;
use crate::mapping::Choices;
use crate::names::check_table_name;
use crate::options::ExplicitOptions;
use arrow_schema::{DataType, Fields};
use std::sync::Arc;
use vecrank::internals::distance::{Element, Metric};

fn options() -> Options {
    Options {
        table: "articles".to_owned(),
        embedding: Vec::new(),
        key: None,
        shards: None,
        index: Vec::new(),
        columns: Vec::new(),
        exclude: Vec::new(),
        shape: Shape::default(),
        types: Vec::new(),
        union_by_name: false,
        metric: Metric::Cosine,
        element: Element::F32,
        dims: None,
        m: 16,
        ef_construction: 200,
        choices: Choices { decimal: crate::args::DecimalArg::Text, timestamps: crate::args::TimestampArg::Iso },
        on_bad_row: OnBadRow::Fail,
        page_size: None,
        min_rows: 1,
        model: None,
        mode: Mode::Replace,
        explicit: ExplicitOptions::default(),
    }
}

fn schema(columns: &[(&str, DataType)]) -> Schema {
    let fields: Fields = columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
    Schema::new(fields)
}

fn floats() -> DataType {
    DataType::List(Arc::new(Field::new("element", DataType::Float32, true)))
}

#[test]
fn the_one_list_of_floats_is_the_embedding() {
    let one = schema(&[("id", DataType::Int64), ("v", floats())]);
    assert_eq!(choose_vectors(&one, &options()).unwrap(), ["v"]);
    let two = schema(&[("a", floats()), ("b", floats())]);
    assert_eq!(
        choose_vectors(&two, &options()).unwrap_err().to_string(),
        "several columns may be vectors: a, b; choose with --embedding, or --exclude the others"
    );
    let excluded = Options { exclude: vec!["a".to_owned()], ..options() };
    assert_eq!(choose_vectors(&two, &excluded).unwrap(), ["b"]);
    let none = schema(&[("id", DataType::Int64)]);
    assert_eq!(
        choose_vectors(&none, &options()).unwrap_err().to_string(),
        "no column has lists of floating-point numbers; name the column with the vectors: --embedding COLUMN"
    );
}

#[test]
fn a_uuid_is_not_taken_for_a_vector() {
    let both = schema(&[("uuid", DataType::FixedSizeBinary(16)), ("v", DataType::FixedSizeBinary(1024))]);
    assert_eq!(choose_vectors(&both, &options()).unwrap(), ["v"]);
}

#[test]
fn impossible_names_are_refused() {
    let refusal = |columns: &[(&str, DataType)]| check_names(&schema(columns), &options()).unwrap_err().to_string();
    let int = || DataType::Int64;
    assert_eq!(
        refusal(&[("Name", int()), ("name", int())]),
        "columns \"Name\" and \"name\" have the same name for SQLite; give one another by --rename, or leave one out with \
         --exclude"
    );
    assert_eq!(
        refusal(&[("name", int()), ("name", int())]),
        "columns \"name\" and \"name\" have the same name; --rename 'name=...' gives the first of them another, --exclude \
         leaves both out"
    );
    for hidden in vecrank::internals::vtab::HIDDEN_COLUMNS {
        let name = hidden.to_uppercase();
        assert_eq!(
            refusal(&[(&name, int())]),
            format!(
                "column \"{name}\": the name is reserved in a vecrank table; give it another by --rename '{name}=...' or \
                 leave it out with --exclude"
            )
        );
        assert_eq!(
            check_table_name(&name).unwrap_err().to_string(),
            format!(
                "table name \"{name}\": every vecrank table has a hidden column of that name; choose another with --table"
            )
        );
    }
    assert_eq!(
        refusal(&[("articles", int())]),
        "column \"articles\": the name is reserved in a vecrank table; give it another by --rename 'articles=...' or leave \
         it out with --exclude, or choose another --table"
    );
    assert_eq!(refusal(&[("", int())]), "column name \"\": SQLite cannot use it");
}

#[test]
fn names_are_quoted_in_sql() {
    let choices = options().choices;
    let ordinary = |name: &str, data_type: &DataType, indexed| Column {
        name: name.to_owned(),
        kind: Kind::Ordinary { mapping: Mapping::of(data_type, choices).unwrap(), indexed },
    };
    let vector = VectorType { dims: 3, element: Element::F16, metric: Metric::L2 };
    let columns = vec![
        ordinary("a \"b\"", &DataType::Utf8, false),
        ordinary("select", &DataType::Int32, true),
        Column { name: "v".to_owned(), kind: Kind::Vector(vector) },
    ];
    let plan = Plan {
        options: Options { metric: Metric::L2, ..options() },
        columns,
        key: Some(0),
        shard_by: None,
        required: vec![0],
        needs_table: None,
        keeps: Vec::new(),
        sink: None,
    };
    assert_eq!(
        plan.create_sql(),
        "CREATE VIRTUAL TABLE \"articles\" USING hnsw(\n  \"a \"\"b\"\"\" TEXT NOT NULL PRIMARY KEY,\n  \
         \"select\" INTEGER INDEXED,\n  \"v\" FLOAT16[3],\n  metric = 'l2',\n  m = 16,\n  ef_construction = 200\n)"
    );
    assert_eq!(plan.insert_sql(), "INSERT INTO \"articles\" (\"a \"\"b\"\"\", \"select\", \"v\") VALUES (?, ?, ?)");
}
