//! WHERE terms mean the same as on an ordinary table: random terms run on both, with and without a search.

use crate::{Numbers, hosts, rows, run};

const COLUMNS: &str = "id INTEGER PRIMARY KEY, key TEXT UNIQUE, t TEXT COLLATE NOCASE INDEXED, s TEXT, n INTEGER INDEXED, \
                       r REAL, x, d DECIMAL(10,2)";

/// Values of every type that are close to each other under some affinity or collation.
const VALUES: [&str; 24] = [
    "NULL",
    "0",
    "1",
    "5",
    "-3",
    "5.0",
    "5.5",
    "'5'",
    "'5.0'",
    "' 5'",
    "'05'",
    "'a'",
    "'A'",
    "'b'",
    "'B '",
    "''",
    "'1e1'",
    "10",
    "x'35'",
    "x'61'",
    "9007199254740993",
    "9007199254740992.0",
    "'abc'",
    "'ABC'",
];

const FIELDS: [&str; 9] = ["id", "rowid", "key", "t", "s", "n", "r", "x", "d"];

fn term(numbers: &mut Numbers) -> String {
    let (field, value) = (numbers.pick(&FIELDS), numbers.pick(&VALUES));
    match numbers.below(14) {
        0..=6 => format!("{field} {} {value}", numbers.pick(&["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT", "=="])),
        7 => format!("{field} BETWEEN {value} AND {}", numbers.pick(&VALUES)),
        8 => format!("{field} IN ({value}, {}, {})", numbers.pick(&VALUES), numbers.pick(&VALUES)),
        9 => format!("{field} IN (SELECT {} FROM other)", numbers.pick(&["v", "i", "u"])),
        10 => format!(
            "{field} {}",
            numbers.pick(&[
                "IS NULL",
                "IS NOT NULL",
                "LIKE 'a%'",
                "GLOB 'A*'",
                "LIKE '%5%'",
                "NOT LIKE '5'",
                "LIKE 'a%' ESCAPE '!'"
            ])
        ),
        11 => format!(
            "{field} {} {value} COLLATE {}",
            numbers.pick(&["=", "<", ">="]),
            numbers.pick(&["BINARY", "NOCASE", "RTRIM"])
        ),
        12 => format!("{field} NOT IN ({value}, 5)"),
        _ => format!("({field}, n) {} ({value}, 5)", numbers.pick(&["=", "<", ">="])),
    }
}

fn filled(seed: u64) -> String {
    let mut numbers = Numbers::from_seed(seed);
    let mut sql = format!(
        "CREATE VIRTUAL TABLE v USING hnsw({COLUMNS}, e FLOAT[2], metric = 'l2');
         CREATE TABLE o({});
         CREATE TABLE other(v TEXT, i INTEGER, u);
         INSERT INTO other VALUES ('5', 5, 5), ('a', -3, 'a'), (NULL, NULL, NULL), ('abc', 1, x'61');",
        COLUMNS.replace(" INDEXED", "")
    );
    for id in 1..=120 {
        let mut values: Vec<&str> = (0..6).map(|_| numbers.pick(&VALUES)).collect();
        let key = if id <= VALUES.len() { VALUES[id - 1].to_string() } else { format!("'key {id}'") };
        values.insert(0, &key);
        let values = values.join(", ");
        sql.push_str(&format!(
            "INSERT OR IGNORE INTO v(id, key, t, s, n, r, x, d, e) VALUES ({id}, {values}, '[{id},1]');"
        ));
        sql.push_str(&format!("INSERT OR IGNORE INTO o VALUES ({id}, {values});"));
    }
    sql
}

#[test]
fn every_term_agrees_with_an_ordinary_table() {
    for host in hosts(&filled(1)) {
        assert_eq!(rows(&host, "SELECT id, key, t, s, n, r, x, d FROM v"), rows(&host, "SELECT * FROM o"));
        let mut numbers = Numbers::from_seed(2);
        let mut met = 0;
        for _ in 0..1_500 {
            let count = 1 + numbers.below(3);
            let terms: Vec<String> = (0..count).map(|_| term(&mut numbers)).collect();
            let filter = terms.join(if numbers.below(5) == 0 { " OR " } else { " AND " });
            let expected = rows(&host, &format!("SELECT id FROM o WHERE {filter} ORDER BY id"));
            met += usize::from(!expected.is_empty());
            let scanned = rows(&host, &format!("SELECT id FROM v WHERE {filter} ORDER BY id"));
            assert_eq!(scanned, expected, "SQLite {}: scan: {filter}", host.version());
            let searched = rows(&host, &format!("SELECT id FROM v('[0,1]') WHERE ({filter}) ORDER BY distance"));
            assert_eq!(searched, expected, "SQLite {}: search: {filter}", host.version());
            let counted = rows(&host, &format!("SELECT count(*) FROM v WHERE e MATCH '[0,1]' AND ({filter})"));
            assert_eq!(counted, [expected.len().to_string()], "SQLite {}: count: {filter}", host.version());
        }
        assert!(met > 300, "only {met} filters met a row");
    }
}

#[test]
fn the_right_side_of_a_join_keeps_its_affinity() {
    for host in hosts(&filled(3)) {
        let mut met = 0;
        for field in FIELDS {
            for operator in ["=", "<", "<=", ">", ">=", "IS", "<>", "IS NOT"] {
                for other in ["v", "i", "u", "+v", "+i", "CAST(u AS TEXT)", "CAST(v AS INTEGER)", "i + 0"] {
                    let of = |table: &str, pairs: &str| {
                        rows(&host, &format!("SELECT w.rowid, a.id FROM other w CROSS JOIN {table} a ON a.{field} {operator} w.{other} ORDER BY 1, 2 {pairs}").replace("w.+", "+w.").replace("w.CAST(", "CAST(w."))
                    };
                    let expected = of("o", "");
                    assert_eq!(of("v", ""), expected, "SQLite {}: {field} {operator} {other}", host.version());
                    met += usize::from(!expected.is_empty());
                }
            }
        }
        assert!(met > 200, "only {met} joins met a row");
    }
}

#[test]
fn parameters_are_compared_as_values_without_affinity() {
    let connection = vecrank_tests::open();
    connection.execute_batch(&filled(5)).unwrap();
    use rusqlite::types::Value;
    let values = [
        Value::Null,
        Value::Integer(5),
        Value::Real(5.0),
        Value::Real(5.5),
        Value::Text("5".into()),
        Value::Text("A".into()),
        Value::Blob(vec![0x35]),
        Value::Text("5.0".into()),
    ];
    let mut met = 0;
    for field in FIELDS {
        for operator in ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT", "LIKE", "GLOB"] {
            let mut of = [("o", ""), ("v", ""), ("v", "e MATCH '[0,1]' AND")].map(|(table, search)| {
                connection
                    .prepare(&format!("SELECT id FROM {table} WHERE {search} {field} {operator} ?1 ORDER BY id"))
                    .unwrap()
            });
            for value in &values {
                let [ordinary, scanned, searched] = of.each_mut().map(|statement| {
                    let ids = statement.query_map([value], |row| row.get::<_, i64>(0)).unwrap();
                    ids.collect::<rusqlite::Result<Vec<i64>>>().unwrap()
                });
                assert_eq!(scanned, ordinary, "{field} {operator} {value:?}");
                assert_eq!(searched, ordinary, "{field} {operator} {value:?}");
                met += usize::from(!ordinary.is_empty());
            }
        }
    }
    assert!(met > 300, "only {met} terms met a row");
}

#[test]
fn user_defined_indexes_and_like_are_respected() {
    for host in hosts(&filled(7)) {
        run(&host, "CREATE INDEX own ON v_rows(s, n, e); PRAGMA case_sensitive_like = 1");
        run(&host, "UPDATE v SET s = 'a', n = 5 WHERE id % 40 = 1; UPDATE o SET s = 'a', n = 5 WHERE id % 40 = 1");
        run(&host, "UPDATE v SET s = 'AB' WHERE id = 3; UPDATE o SET s = 'AB' WHERE id = 3");
        let plan = rows(&host, "EXPLAIN QUERY PLAN SELECT id FROM v('[0,1]') WHERE s = 'a' AND n = 5").join("");
        assert!(plan.contains("by covering index own"), "{plan}");
        for (filter, more) in [
            ("s = 'a' AND n = 5", "s = 'a'"),
            ("s LIKE 'A%'", "lower(s) LIKE 'a%'"),
            ("t LIKE 'a%'", "lower(t) LIKE 'a%'"),
        ] {
            let of = |from: &str, filter| rows(&host, &format!("SELECT id FROM {from} WHERE {filter} ORDER BY id"));
            let expected = of("o", filter);
            assert!(!expected.is_empty() && expected.len() < of("o", more).len(), "{filter}: {expected:?}");
            assert_eq!(of("v", filter), expected, "{filter}");
            assert_eq!(of("v('[0,1]')", filter), expected, "{filter}");
        }
    }
}

#[test]
fn long_in_lists_are_answered() {
    for host in hosts(&filled(9)) {
        let list = (0..12_000).map(|n| (n * 7).to_string()).collect::<Vec<_>>().join(",");
        for filter in [format!("id IN ({list})"), format!("n IN ({list})"), format!("key IN ({list})")] {
            let of = |from: &str| rows(&host, &format!("SELECT id FROM {from} WHERE {filter} ORDER BY id"));
            let expected = of("o");
            assert!(!expected.is_empty() && expected.len() < 60, "{}: {expected:?}", &filter[..20]);
            assert_eq!(of("v"), expected);
            assert_eq!(of("v('[0,1]')"), expected);
        }
    }
}
