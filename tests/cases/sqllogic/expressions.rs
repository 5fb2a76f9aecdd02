//! Random expressions of numbers as the corpus nests them: signs, arithmetic, CAST, CASE, NULLIF, COALESCE, aggregates,
//! and conditions on them.

use vecrank_tests::data::Numbers;

/// The parts that an expression may have.
#[derive(Clone)]
pub struct Terms {
    /// Names of columns; empty for constants only.
    pub columns: Vec<String>,
    /// The columns of aggregates, if an aggregate is allowed.
    pub aggregated: Option<Vec<String>>,
    /// Quotients of REALs are inexact, and their sums depend on the order of rows.
    pub may_divide: bool,
}

impl Terms {
    pub fn of(columns: Vec<String>) -> Terms {
        Terms { columns, aggregated: None, may_divide: true }
    }

    fn leaf(&self, numbers: &mut Numbers) -> String {
        if let Some(columns) = self.aggregated.as_ref().filter(|_| numbers.one_in(2)) {
            return self.aggregate(numbers, columns);
        }
        match self.columns.len() {
            columns if columns > 0 && !numbers.one_in(3) => self.columns[numbers.below(columns)].clone(),
            _ if numbers.one_in(12) => "CAST ( NULL AS INTEGER )".into(),
            _ => numbers.below(100).to_string(),
        }
    }

    fn aggregate(&self, numbers: &mut Numbers, columns: &[String]) -> String {
        let inner = Terms { columns: columns.to_vec(), aggregated: None, may_divide: self.may_divide };
        let value = inner.expression(numbers, 1);
        let all = numbers.pick(&["", "ALL ", "DISTINCT "]);
        match numbers.pick(&["*", "COUNT", "SUM", "MIN", "MAX", "AVG"]) {
            "*" => "COUNT ( * )".into(),
            name => format!("{name} ( {all}{value} )"),
        }
    }

    /// A number, with operators nested `depth` deep.
    pub fn expression(&self, numbers: &mut Numbers, depth: usize) -> String {
        let sign = numbers.pick(&["", "", "", "+ ", "- ", "- + "]);
        if depth == 0 {
            return format!("{sign}{}", self.leaf(numbers));
        }
        let part = |numbers: &mut Numbers| self.expression(numbers, depth - 1);
        let value = match numbers.below(12) {
            0..=2 => self.leaf(numbers),
            3..=6 => {
                let operators: &[&str] = if self.may_divide { &["+", "-", "*", "/"] } else { &["+", "-", "*"] };
                let operator = numbers.pick(operators);
                format!("{} {operator} {}", part(numbers), part(numbers))
            }
            7 => format!("( {} )", part(numbers)),
            8 => format!("CAST ( {} AS INTEGER )", part(numbers)),
            9 => format!("NULLIF ( {}, {} )", part(numbers), part(numbers)),
            10 => format!("COALESCE ( {}, {}, {} )", part(numbers), part(numbers), part(numbers)),
            _ => self.case(numbers, depth - 1),
        };
        format!("{sign}{value}")
    }

    fn case(&self, numbers: &mut Numbers, depth: usize) -> String {
        let part = |numbers: &mut Numbers| self.expression(numbers, depth);
        if numbers.one_in(2) {
            let (of, when) = (part(numbers), part(numbers));
            return format!("CASE {of} WHEN {when} THEN {} ELSE {} END", part(numbers), part(numbers));
        }
        let when = self.condition(numbers, depth);
        format!("CASE WHEN {when} THEN {} END", self.expression(numbers, depth))
    }

    /// A condition on expressions nested `depth` deep.
    pub fn condition(&self, numbers: &mut Numbers, depth: usize) -> String {
        let inner = depth.saturating_sub(1);
        let part = |numbers: &mut Numbers| self.expression(numbers, inner);
        let (not, is_not) = (numbers.pick(&["", "NOT "]), numbers.pick(&["", " NOT"]));
        let value = part(numbers);
        match numbers.below(10) {
            0..=2 => {
                let operator = numbers.pick(&["=", "<>", "<", "<=", ">", ">="]);
                format!("{not}{value} {operator} {}", part(numbers))
            }
            3 | 4 => format!("{not}{value}{is_not} BETWEEN {} AND {}", part(numbers), part(numbers)),
            5 | 6 => format!("{not}{value}{is_not} IN ( {}, {}, {} )", part(numbers), part(numbers), part(numbers)),
            7 => format!("{not}{value} IS{is_not} NULL"),
            _ if depth == 0 => format!("{not}( {value} ) IS NOT NULL"),
            _ => {
                let operator = numbers.pick(&["AND", "OR"]);
                format!("{not}( {} {operator} {} )", self.condition(numbers, inner), self.condition(numbers, inner))
            }
        }
    }
}
