//! Random trees of conditions on the columns of an indexed table. Each can be written in several equivalent ways.

use vecrank_tests::data::Numbers;

/// A way to write a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    /// BETWEEN as two comparisons.
    Spread,
    /// Comparisons with the constant on the left.
    Flipped,
    /// The members of IN in reverse order.
    Reversed,
    /// IN as equalities under OR.
    Equalities,
}

/// A tree over the columns `col0` to `col5`, INTEGER, FLOAT and TEXT twice, and `pk`, which is the last.
pub enum Condition {
    Compare { column: usize, operator: &'static str, value: String },
    Between { column: usize, low: String, high: String },
    In { column: usize, members: Vec<String> },
    InSelect { column: usize, of: usize, condition: Box<Condition> },
    IsNull { column: &'static str, not: &'static str },
    Several { operator: &'static str, parts: Vec<Condition> },
    Parentheses(Box<Condition>),
}

/// The most frequent condition of a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Favour {
    Comparisons,
    Between,
    In,
}

const FLIPPED: [(&str, &str); 5] = [("=", "="), ("<", ">"), ("<=", ">="), (">", "<"), (">=", "<=")];

const NAMES: [&str; 7] = ["col0", "col1", "col2", "col3", "col4", "col5", "pk"];

/// The values of the columns are below this number times the rows.
pub const SPREAD: usize = 10;

/// A value for a column. REALs are multiples of a quarter, so that their sums are exact.
pub fn value(numbers: &mut Numbers, column: usize, rows: usize) -> String {
    match column {
        0 | 3 => numbers.below(SPREAD * rows).to_string(),
        1 | 4 => format!("{:.2}", (1 + numbers.below(4 * SPREAD * rows)) as f64 / 4.0),
        6 => numbers.below(rows + 3).to_string(),
        _ => format!("'{}'", word(numbers)),
    }
}

fn word(numbers: &mut Numbers) -> String {
    (0..4).map(|_| char::from(b'a' + numbers.below(26) as u8)).collect()
}

/// A column to compare; less often a text column or the key.
fn column(numbers: &mut Numbers) -> usize {
    if numbers.one_in(8) { [2, 5, 6][numbers.below(3)] } else { [0, 1, 3, 4][numbers.below(4)] }
}

impl Condition {
    /// A tree for a table of `rows` rows, nested at most `depth` deep.
    pub fn random(numbers: &mut Numbers, favour: Favour, rows: usize, depth: usize) -> Condition {
        let inner = |numbers: &mut Numbers| Condition::random(numbers, favour, rows, depth - 1);
        match numbers.below(10) {
            0..=3 if depth > 0 => {
                let operator = numbers.pick(&["AND", "OR"]);
                let parts = (0..2 + numbers.below(2)).map(|_| inner(numbers)).collect();
                Condition::Several { operator, parts }
            }
            4 if depth > 0 => Condition::Parentheses(Box::new(inner(numbers))),
            5 if depth > 0 && favour != Favour::Between => {
                let (column, of) = [(0, 3), (3, 0), (1, 4), (4, 1)][numbers.below(4)];
                Condition::InSelect { column, of, condition: Box::new(inner(numbers)) }
            }
            _ => Condition::leaf(numbers, favour, rows),
        }
    }

    fn leaf(numbers: &mut Numbers, favour: Favour, rows: usize) -> Condition {
        let column = column(numbers);
        let value = |numbers: &mut Numbers| value(numbers, column, rows);
        if numbers.one_in(15) {
            let column = if numbers.one_in(4) { "embedding" } else { NAMES[column] };
            return Condition::IsNull { column, not: numbers.pick(&["", " NOT"]) };
        }
        let is_favoured = !numbers.one_in(3);
        match favour {
            Favour::Between if is_favoured => {
                let (low, high) = (value(numbers), value(numbers));
                Condition::Between { column, low, high }
            }
            Favour::In if is_favoured => {
                let members = (0..1 + numbers.below(6)).map(|_| value(numbers)).collect();
                Condition::In { column, members }
            }
            _ => {
                let (operator, _) = FLIPPED[numbers.below(FLIPPED.len())];
                Condition::Compare { column, operator, value: value(numbers) }
            }
        }
    }

    /// The condition on a table, in a style.
    pub fn sql(&self, table: &str, style: Style) -> String {
        match self {
            Condition::Compare { column, operator, value } => {
                let (column, flipped) = (
                    NAMES[*column],
                    FLIPPED.iter().find(|(plain, _)| plain == operator).filter(|_| style == Style::Flipped),
                );
                match flipped {
                    Some((_, flipped)) => format!("{value} {flipped} {column}"),
                    None => format!("{column} {operator} {value}"),
                }
            }
            Condition::Between { column, low, high } if style == Style::Spread => {
                let column = NAMES[*column];
                format!("( {column} >= {low} AND {column} <= {high} )")
            }
            Condition::Between { column, low, high } => format!("{} BETWEEN {low} AND {high}", NAMES[*column]),
            Condition::In { column, members } => in_sql(NAMES[*column], members, style),
            Condition::InSelect { column, of, condition } => {
                let (column, of) = (NAMES[*column], NAMES[*of]);
                format!("{column} IN ( SELECT {of} FROM {table} WHERE {} )", condition.sql(table, style))
            }
            Condition::IsNull { column, not } => format!("{column} IS{not} NULL"),
            Condition::Several { operator, parts } => {
                let parts: Vec<String> = parts.iter().map(|part| part.sql(table, style)).collect();
                format!("( {} )", parts.join(&format!(" {operator} ")))
            }
            Condition::Parentheses(inner) => format!("( {} )", inner.sql(table, style)),
        }
    }
}

fn in_sql(column: &str, members: &[String], style: Style) -> String {
    match style {
        Style::Equalities => {
            let equals: Vec<String> = members.iter().map(|member| format!("{column} = {member}")).collect();
            format!("( {} )", equals.join(" OR "))
        }
        Style::Reversed => {
            let members: Vec<&str> = members.iter().rev().map(String::as_str).collect();
            format!("{column} IN ( {} )", members.join(", "))
        }
        _ => format!("{column} IN ( {} )", members.join(", ")),
    }
}
