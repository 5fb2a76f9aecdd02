use super::super::schema::ColumnRef;
use super::*;
use crate::distance::Metric;
use crate::sqlite::ColumnId;

fn error_of(arguments: &[&str]) -> String {
    parse("t", arguments).unwrap_err().to_string()
}

#[test]
fn the_tables_of_the_manual_are_parsed() {
    let schema = parse(
        "articles",
        &[
            "article_id   TEXT PRIMARY KEY",
            "main_name TEXT NOT NULL",
            "category TEXT COLLATE NOCASE INDEXED",
            "price DECIMAL(10,2) CONSTRAINT positive CHECK (price > 0 AND 'embedding' <> '')",
            "embedding FLOAT[ 256 ] -- the vector",
            "\"my image\" int8[8] NOT NULL",
            "metric = 'dot'",
            "M=8",
            "ef_construction = \"100\"",
            "ef_search = 32",
            "\"my image\".metric = l2",
            "UNIQUE (main_name, category COLLATE binary DESC)",
        ],
    )
    .unwrap();
    let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["article_id", "main_name", "category", "price", "embedding", "my image"]);
    let [Some(ColumnRef::Ordinary(_, id)), Some(ColumnRef::Ordinary(_, category)), Some(ColumnRef::Ordinary(_, price))] =
        [0, 2, 3].map(|number| schema.column(ColumnId(number)))
    else {
        panic!("{schema:?}")
    };
    assert_eq!((id.key, category.is_indexed, category.collation()), (Key::Unique, true, "NOCASE"));
    assert_eq!(price.type_name, "DECIMAL(10,2)");
    assert_eq!(price.checks, ["CONSTRAINT \"positive\" CHECK (price > 0 AND 'embedding' <> '')"]);
    let vectors: Vec<_> =
        schema.vectors().map(|vector| (vector.id.0, vector.column.not_null, vector.params.clone())).collect();
    let dot = Params { m: 8, ef_construction: 100, ef_search: 32, ..Params::new(256, Element::F32, Metric::Dot) };
    let l2 = Params { dims: 8, element: Element::I8, metric: Metric::L2, ..dot.clone() };
    assert_eq!(vectors, [(4, false, dot), (5, true, l2)]);
    assert_eq!(schema.constraints, ["UNIQUE (\"main_name\", \"category\" COLLATE \"binary\" DESC)"]);
}

#[test]
fn primary_keys_are_rowids_as_in_sqlite() {
    let key = |argument: &str, more: &[&str]| {
        let arguments: Vec<&str> = [argument, "e FLOAT[2]"].iter().chain(more).copied().collect();
        let schema = parse("t", &arguments).unwrap();
        (schema.columns[0].as_ordinary().unwrap().key, schema.constraints.len())
    };
    assert_eq!(key("id INTEGER PRIMARY KEY", &[]), (Key::Rowid, 0));
    assert_eq!(key("id integer not null primary key asc", &[]), (Key::Rowid, 0));
    assert_eq!(key("id INTEGER PRIMARY KEY DESC", &[]), (Key::Unique, 0));
    assert_eq!(key("id INT PRIMARY KEY", &[]), (Key::Unique, 0));
    assert_eq!(key("id INTEGER", &["PRIMARY KEY (ID)"]), (Key::Rowid, 0));
    assert_eq!(key("id INTEGER UNIQUE PRIMARY KEY", &[]), (Key::Rowid, 0));
    assert_eq!(key("id TEXT", &["PRIMARY KEY (id)"]), (Key::None, 1));
    assert_eq!(key("id INTEGER", &["n", "CONSTRAINT pk PRIMARY KEY (id, n)"]), (Key::None, 1));
}

#[test]
fn a_quoted_name_cannot_inject_sql() {
    let schema = parse("t", &["\"a\"\"); DROP TABLE x; --\" TEXT COLLATE \"x\"\"y\"", "[e\"] FLOAT[2]"]).unwrap();
    assert_eq!(
        schema.rows_definition(),
        "\"rowid\" INTEGER PRIMARY KEY, \"a\"\"); DROP TABLE x; --\" TEXT COLLATE \"x\"\"y\", \"e\"\"\" INTEGER"
    );
    assert_eq!(
        error_of(&["a TEXT; DROP TABLE x", "e FLOAT[2]"]),
        "t: in \"a TEXT; DROP TABLE x\": ';' cannot stand here"
    );
    assert_eq!(error_of(&["a TEXT CHECK (a > 0", "e FLOAT[2]"]), "t.a: a ( is never closed");
    assert_eq!(error_of(&["a \"TEXT) --\"", "e FLOAT[2]"]), "t.a: expected a type, got \"TEXT) --\"");
    assert_eq!(error_of(&["a TEXT)", "e FLOAT[2]"]), "t.a: expected a type, got TEXT)");
}

#[test]
fn wrong_declarations_are_refused_with_a_reason() {
    let e = "e FLOAT[2]";
    for (arguments, message) in [
        (vec![], "t: expected at least one vector column, such as \"embedding FLOAT[256]\""),
        (vec!["a TEXT", "b FLOAT"], "t: expected at least one vector column, such as \"embedding FLOAT[256]\""),
        (vec!["e FLOAT[0]"], "t.e: expected 1 to 16384 dimensions, got FLOAT[0]"),
        (vec!["e float16[16385]"], "t.e: expected 1 to 16384 dimensions, got FLOAT16[16385]"),
        (vec!["e INT8[x]"], "t.e: expected 1 to 16384 dimensions, got INT8[x]"),
        (vec!["e FLOAT[-3]"], "t.e: expected 1 to 16384 dimensions, got FLOAT[-3]"),
        (vec!["e FLOAT[99999999999999999999]"], "t.e: expected 1 to 16384 dimensions, got FLOAT[99999999999999999999]"),
        (vec!["e BITS[8]"], "t.e: expected FLOAT[d], FLOAT16[d], INT8[d] or BIT[d], got BITS[8]"),
        (vec!["e BIT[12]"], "t.e: expected a multiple of 8 dimensions, since a byte holds 8 bits, got BIT[12]"),
        (vec!["e BIT[0]"], "t.e: expected 1 to 16384 dimensions, got BIT[0]"),
        (vec!["e BIT[16392]"], "t.e: expected 1 to 16384 dimensions, got BIT[16392]"),
        (vec!["e BIT[8]", "metric = 'l2'"], "t: metric: expected 'hamming', the one of BIT, got 'l2'"),
        (vec!["e BIT[8]", "e.metric = 'dot'"], "t.e: metric: expected 'hamming', the one of BIT, got 'dot'"),
        (
            vec!["e BIT[8]", "f INT8[8]", "f.metric = 'hamming'"],
            "t.f: metric: expected 'cosine', 'l2' or 'dot' for INT8, got 'hamming', which is for BIT",
        ),
        (vec!["e DOUBLE FLOAT[8]"], "t.e: expected FLOAT[d], FLOAT16[d], INT8[d] or BIT[d], got DOUBLE FLOAT[8]"),
        (vec!["e FLOAT[2] UNIQUE"], "t.e: a vector column takes NOT NULL and nothing else, got UNIQUE"),
        (vec!["e FLOAT[2] NOT"], "t.e: expected NULL, got nothing"),
        (vec![e, ""], "t: expected a column or an option, got nothing"),
        (vec![e, "a", "A INT"], "t.A: the column is declared twice"),
        (vec![e, "\"\" TEXT"], "t: expected a column name, got an empty one"),
        (vec![e, "3 TEXT"], "t: expected a column name, got 3"),
        (
            vec![e, "Distance REAL"],
            "t.Distance: the column names query, k, ef_search, distance, similarity, group_by, group_limit and that of the table itself are reserved",
        ),
        (
            vec![e, "T"],
            "t.T: the column names query, k, ef_search, distance, similarity, group_by, group_limit and that of the table itself are reserved",
        ),
        (vec![e, "n INT DEFAULT 3"], "t.n: DEFAULT is not offered: SQLite has no defaults for virtual tables"),
        (vec![e, "n INT GENERATED ALWAYS AS (3)"], "t.n: generated columns are not offered"),
        (vec![e, "n AS (3)"], "t.n: generated columns are not offered"),
        (
            vec![e, "n INT REFERENCES x(y)"],
            "t.n: foreign keys are not offered: SQLite does not enforce them on virtual tables",
        ),
        (
            vec![e, "FOREIGN KEY (n) REFERENCES x"],
            "t: foreign keys are not offered: SQLite does not enforce them on virtual tables",
        ),
        (
            vec![e, "n INTEGER PRIMARY KEY AUTOINCREMENT"],
            "t.n: AUTOINCREMENT is not offered: leave it out, rowids are assigned anyway",
        ),
        (
            vec![e, "n INT UNIQUE ON CONFLICT REPLACE"],
            "t.n: ON CONFLICT is not offered in a constraint: say INSERT OR REPLACE, OR IGNORE, ... instead",
        ),
        (vec![e, "n INT HIDDEN"], "t.n: HIDDEN is not offered for columns of your own"),
        (
            vec![e, "n INT COLLATE NOCASE nonsense"],
            "t.n: expected NOT NULL, UNIQUE, PRIMARY KEY, CHECK (...), COLLATE name or INDEXED, got nonsense",
        ),
        (vec![e, "n INT COLLATE 3"], "t.n: expected the name of a collation, got 3"),
        (vec![e, "n PRIMARY KEY", "m PRIMARY KEY"], "t.m: the table has more than one PRIMARY KEY"),
        (vec![e, "n", "UNIQUE (n) n"], "t: expected a comma, got n"),
        (vec![e, "n", "UNIQUE ()"], "t: expected a column name, got nothing"),
        (
            vec!["n CHECK (n > 0 OR E IS NULL)", e],
            "t.n: CHECK cannot mention the vector column \"e\": vectors are kept apart from the rows \
             (NOT NULL is offered, and the length is checked anyway)",
        ),
        (
            vec![e, "n", "UNIQUE (n, e)"],
            "t: UNIQUE cannot mention the vector column \"e\": vectors are kept apart from the rows \
             (NOT NULL is offered, and the length is checked anyway)",
        ),
        (
            vec![e, "foo = 3"],
            "t: unknown option \"foo\": expected metric, m, ef_construction, ef_search, model, content or sync",
        ),
        (vec![e, "m = 3", "M = 3"], "t: the option m is given twice"),
        (vec![e, "e.m = 3", "E.m = 4"], "t: the option E.m is given twice"),
        (vec![e, "m = 1"], "t: m: expected 2 to 64, got 1"),
        (vec![e, "e.m = 65"], "t.e: m: expected 2 to 64, got 65"),
        (vec![e, "ef_search = -1"], "t: ef_search: expected 1 to 10000, got -1"),
        (vec![e, "ef_construction = 1.5"], "t: ef_construction: expected 1 to 10000, got 1.5"),
        (
            vec![e, "metric = 'hamming'"],
            "t: metric: expected 'cosine', 'l2' or 'dot' for FLOAT, got 'hamming', which is for BIT",
        ),
        (vec![e, "metric = 'jaccard'"], "t: metric: expected 'cosine', 'l2', 'dot' or 'hamming', got 'jaccard'"),
        (vec![e, "metric ="], "t: metric: expected a value, got nothing"),
        (vec![e, "metric = l2 dot"], "t: metric: expected one value, got l2 dot"),
        (vec![e, "n", "n.m = 3"], "t: the option n.m is for no vector column of the table"),
        (vec![e, "e.m.x = 3"], "t: expected option = value, got e.m.x = 3"),
    ] {
        assert_eq!(error_of(&arguments), message, "{arguments:?}");
    }
}
