//! Random WHERE terms and trees of them, over the columns of `a`: `id`, `t`, `s`, `n`, `r`, `x`, `e`, `distance`,
//! `similarity`.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

pub const LITERALS: [&str; 18] = [
    "NULL", "0", "1", "2", "5", "-3", "5.0", "5.5", "'5'", "'5.0'", "'05'", "'a'", "'A'", "'b'", "''", "x'61'", "7",
    "'abc'",
];

const OPERATORS: [&str; 8] = ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"];

pub fn field() -> impl Strategy<Value = &'static str> {
    select(&["a.id", "a.rowid", "a.t", "a.s", "a.n", "a.r", "a.x"][..])
}

pub fn operator() -> impl Strategy<Value = &'static str> {
    select(&OPERATORS[..])
}

fn literal() -> impl Strategy<Value = &'static str> {
    select(&LITERALS[..])
}

fn members() -> impl Strategy<Value = String> {
    prop::collection::vec(literal(), 0..4).prop_map(|values| values.join(", "))
}

fn distance() -> impl Strategy<Value = String> {
    (0..=40u32).prop_map(|step| format!("{}", f64::from(step) / 20.0))
}

fn similarity() -> impl Strategy<Value = String> {
    (-20..=20i32).prop_map(|step| format!("{}", f64::from(step) / 20.0))
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(of: &'static [T]) -> impl Strategy<Value = T> + use<T> {
    select(of)
}

fn boxed(strategy: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    strategy.boxed()
}

/// Terms that SQLite always offers to a virtual table, whatever stands beside them. k counts the rows that pass them.
pub fn shown_term() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => shown_column_term(),
        2 => shown_bound(),
    ]
}

/// Those on distance and similarity.
pub fn shown_bound() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (one_of(&OPERATORS), distance()).prop_map(|(o, d)| format!("a.distance {o} {d}")),
        4 => (one_of(&OPERATORS), similarity()).prop_map(|(o, s)| format!("a.similarity {o} {s}")),
        1 => one_of(&["a.distance > 0", "a.distance IS NOT NULL", "a.similarity IS NOT NULL", "a.similarity > -2"])
            .prop_map(String::from),
    ]
}

/// Those on columns.
pub fn shown_column_term() -> impl Strategy<Value = String> {
    // No number against a TEXT column, whose affinity SQLite does not tell, and no long list.
    let numbers = || one_of(&["0", "1", "2", "5", "-3", "5.5", "7"]);
    let texts = || one_of(&["'a'", "'A'", "'b'", "''", "'5'", "'abc'"]);
    Union::new([
        boxed((one_of(&["a.id", "a.n", "a.r"]), operator(), numbers()).prop_map(|(f, o, v)| format!("{f} {o} {v}"))),
        // <> with a collation: SQLite does not tell it.
        boxed((one_of(&["=", "<", "<=", ">", ">=", "IS"]), texts()).prop_map(|(o, v)| format!("a.t {o} {v}"))),
        boxed((operator(), texts()).prop_map(|(o, v)| format!("a.s {o} {v}"))),
        boxed(
            (one_of(&["a.id", "a.n", "a.r"]), numbers(), numbers()).prop_map(|(f, a, b)| format!("{f} IN ({a}, {b})")),
        ),
        boxed((numbers(), numbers()).prop_map(|(a, b)| format!("a.n BETWEEN {a} AND {b}"))),
        boxed((numbers(), numbers()).prop_map(|(a, b)| format!("(a.n = {a} OR a.n = {b})"))),
        boxed((field(), one_of(&["IS NULL", "IS NOT NULL"])).prop_map(|(f, test)| format!("{f} {test}"))),
        boxed(
            one_of(&["a.t LIKE 'a%'", "a.s GLOB 'A*'", "a.e IS NOT NULL", "a.n = (SELECT max(i) FROM other)"])
                .prop_map(String::from),
        ),
        boxed(Just("a.id IN (SELECT i FROM other)".to_string())),
    ])
}

pub fn on_distance() -> BoxedStrategy<String> {
    let odd =
        || one_of(&["NULL", "0", "1", "'0.5'", "'x'", "x'00'", "9223372036854775807"]).prop_map(String::from).boxed();
    let values = prop_oneof![4 => distance(), 1 => odd()];
    let similarities = prop_oneof![4 => similarity(), 1 => odd()];
    let keyset = (distance(), 0..60u32, 0..4usize).prop_map(|(d, id, form)| match form {
        0 => format!("(a.distance, a.id) > ({d}, {id})"),
        1 => format!("(a.distance > {d} OR (a.distance = {d} AND a.id > {id}))"),
        2 => format!("a.distance >= {d} AND (a.distance > {d} OR a.id > {id})"),
        // The values of an existing row.
        _ => format!(
            "(a.distance, a.id) > (SELECT f.distance, f.id FROM feed f WHERE f.id >= {id} ORDER BY f.id LIMIT 1)"
        ),
    });
    prop_oneof![
        2 => (operator(), values).prop_map(|(operator, value)| format!("a.distance {operator} {value}")),
        1 => (distance(), distance()).prop_map(|(a, b)| format!("a.distance BETWEEN {a} AND {b}")),
        2 => (operator(), similarities).prop_map(|(operator, value)| format!("a.similarity {operator} {value}")),
        1 => (similarity(), similarity()).prop_map(|(a, b)| format!("a.similarity BETWEEN {a} AND {b}")),
        1 => (similarity(), 0..60u32).prop_map(|(s, id)| {
            format!("(a.similarity < {s} OR (a.similarity = {s} AND a.id > {id}))")
        }),
        1 => (distance(), distance()).prop_map(|(a, b)| format!("a.distance IN ({a}, {b}, 0)")),
        2 => keyset,
    ]
    .boxed()
}

fn on_subquery() -> BoxedStrategy<String> {
    let is = || any::<bool>().prop_map(|is| if is { "" } else { "NOT " });
    let column = || one_of(&["v", "i", "u"]);
    Union::new([
        // With and without a NULL.
        boxed((field(), is(), column(), any::<bool>()).prop_map(|(f, is, c, all)| {
            let rest = if all { "" } else { " WHERE v IS NOT NULL" };
            format!("{f} {is}IN (SELECT {c} FROM other{rest})")
        })),
        // If SQLite looks such rows up one by one, it drops the affinity of the right side, so it must equal that of
        // the left.
        boxed(is().prop_map(|is| format!("(a.n, a.t) {is}IN (SELECT i, v FROM other)"))),
        boxed((is(), field()).prop_map(|(is, f)| format!("{is}EXISTS (SELECT 1 FROM other w WHERE w.i = {f})"))),
        boxed((field(), operator(), column()).prop_map(|(f, o, c)| format!("{f} {o} (SELECT max({c}) FROM other)"))),
        boxed(
            (field(), field(), column())
                .prop_map(|(f, g, c)| format!("{f} = (SELECT max(w.{c}) FROM other w WHERE w.i <= {g})")),
        ),
        boxed(
            (0..60u32, is())
                .prop_map(|(n, is)| format!("a.id {is}IN (SELECT id FROM o WHERE id % 4 = 1 AND id < {n})")),
        ),
        boxed((0..30u32).prop_map(|n| format!("a.id IN (SELECT id FROM feed ORDER BY distance, id LIMIT {n})"))),
    ])
    .boxed()
}

const TESTS: [&str; 22] = [
    "IS NULL",
    "IS NOT NULL",
    "LIKE 'a%'",
    "GLOB 'A*'",
    "NOT LIKE '5'",
    "LIKE 'a%' ESCAPE '!'",
    "LIKE '%!5' ESCAPE '!'",
    "LIKE NULL",
    "+ 0 = 5",
    "% 2 = 1",
    "COLLATE BINARY = 'a'",
    "COLLATE NOCASE IN ('A', 'ABC')",
    "COLLATE RTRIM > 'a'",
    "IS TRUE",
    "IS NOT FALSE",
    "|| '' = '5'",
    "BETWEEN a.n AND a.r",
    "= a.x",
    "< a.r",
    "IN (a.n, a.id)",
    "NOT NULL",
    "= CAST(5 AS TEXT)",
];

const WHOLE: [&str; 12] = [
    "a.n",
    "NOT a.r",
    "a.e IS NULL",
    "a.e IS NOT NULL",
    "vec_dims(a.e) = 3",
    "a.e = vec_parse('[1,1,1]')",
    "CASE WHEN a.n = 5 THEN a.t = 'a' ELSE a.n < 3 END",
    "coalesce(a.n, a.r, 0) > 1",
    "abs(a.n) = 3",
    "0",
    "NULL",
    "typeof(a.x) = 'text'",
];

fn term() -> BoxedStrategy<String> {
    let is = || any::<bool>().prop_map(|is| if is { "" } else { "NOT " });
    prop_oneof![
        6 => (field(), operator(), literal()).prop_map(|(field, operator, value)| format!("{field} {operator} {value}")),
        1 => (literal(), operator(), field()).prop_map(|(value, operator, field)| format!("{value} {operator} {field}")),
        1 => (field(), is(), literal(), literal()).prop_map(|(f, is, a, b)| format!("{f} {is}BETWEEN {a} AND {b}")),
        2 => (field(), is(), members()).prop_map(|(field, is, members)| format!("{field} {is}IN ({members})")),
        2 => (field(), one_of(&TESTS)).prop_map(|(field, test)| format!("{field} {test}")),
        1 => one_of(&WHOLE).prop_map(String::from),
        1 => (1..80u32, operator()).prop_map(|(n, o)| {
            let o = if o.starts_with("IS") { "<=" } else { o };
            format!("(a.id, a.n) {o} ({n}, 2)")
        }),
        1 => (literal(), literal()).prop_map(|(a, b)| format!("(a.n, a.t) IN (VALUES (5, 'a'), ({a}, {b}))")),
        2 => on_distance(),
        2 => on_subquery(),
    ]
    .boxed()
}

/// A tree of terms under AND, OR and NOT.
pub fn tree() -> impl Strategy<Value = String> {
    term().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|terms| format!("({})", terms.join(" AND "))),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" OR "))),
            1 => inner.prop_map(|term| format!("NOT ({term})")),
        ]
    })
}

/// Terms that every row passes. Beside more than fifteen of them SQLite tests MATCH itself.
pub fn filler() -> impl Strategy<Value = u32> {
    prop_oneof![6 => Just(0), 1 => Just(14), 1 => Just(17), 1 => Just(45)]
}

pub fn filler_sql(count: u32) -> String {
    (0..count).map(|n| format!(" AND a.id <> {}", 10_000 + n)).collect()
}
