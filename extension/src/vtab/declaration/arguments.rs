//! Parses the raw arguments of CREATE VIRTUAL TABLE into a checked `TableSchema`.
//!
//! Names are quoted again, and types and CHECK expressions are put together from their tokens. So no argument can end
//! one construct of the SQL that we write and begin another.

use super::content::ContentOptions;
use super::options::Options;
use super::schema::{Column, ColumnKind, HIDDEN_COLUMNS, Key, OrdinaryColumn, TableSchema, is_hidden_name};
use super::tokens::{CONSTRAINT_WORDS, Token, TokenKind, join, tokenise};
use crate::distance::Element;
use crate::error::{Error, Result};
use crate::hnsw::Params;
use crate::hnsw::params::MAX_DIMS;
use crate::sqlite::quote_identifier;
use crate::storage::shadow::VectorOrdinal;

/// Parses and checks the arguments. The names in CHECK expressions and the collations are left to SQLite, which checks
/// them when the rows table is created.
///
/// # Errors
/// `Error::Invalid` names the table, the column, what was expected and what came.
pub fn parse(table: &str, arguments: &[&str]) -> Result<TableSchema> {
    let mut parsed = Parsed::default();
    let mut options = Options::default();
    let mut content = ContentOptions::default();
    for argument in arguments {
        let tokens =
            tokenise(argument).map_err(|error| Error::invalid(format!("{table}: in {argument:?}: {error}")))?;
        let cursor = TokenCursor { table, tokens: &tokens, position: 0 };
        match kind_of(&tokens) {
            Argument::Empty => {
                return Err(Error::invalid(format!("{table}: expected a column or an option, got nothing")));
            }
            Argument::Option if content.take(table, &tokens)? => {}
            Argument::Option => options.take(table, &tokens)?,
            Argument::Constraint => parsed.table_constraint(cursor)?,
            Argument::Column => parsed.column(cursor)?,
        }
    }
    content.apply(table, parsed.finish(table, options)?)
}

enum Argument {
    Empty,
    Option,
    Constraint,
    Column,
}

fn kind_of(tokens: &[Token<'_>]) -> Argument {
    let Some(first) = tokens.first() else { return Argument::Empty };
    let second = tokens.get(1);
    if second.is_some_and(|second| second.is_symbol('=') || second.is_symbol('.')) {
        return Argument::Option;
    }
    let opens = |token: Option<&Token<'_>>| token.is_some_and(|token| token.is_symbol('('));
    let is_constraint = first.is_word("CONSTRAINT")
        || (first.is_word("UNIQUE") || first.is_word("CHECK")) && opens(second)
        || (first.is_word("PRIMARY") || first.is_word("FOREIGN")) && second.is_some_and(|second| second.is_word("KEY"));
    if is_constraint { Argument::Constraint } else { Argument::Column }
}

/// A walk over the tokens of one argument.
struct TokenCursor<'a> {
    table: &'a str,
    tokens: &'a [Token<'a>],
    position: usize,
}

impl<'a> TokenCursor<'a> {
    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.position)
    }

    fn next(&mut self) -> Option<&'a Token<'a>> {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.position += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str, context: &str) -> Result<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(context, word)) }
    }

    fn name(&mut self, context: &str, what: &str) -> Result<String> {
        match self.peek() {
            Some(token) if token.is_name() => {
                self.position += 1;
                Ok(token.content())
            }
            _ => Err(self.unexpected(context, what)),
        }
    }

    /// Takes `( ... )` with everything inside, as tokens.
    fn parentheses(&mut self, context: &str) -> Result<&'a [Token<'a>]> {
        let start = self.position;
        if !self.peek().is_some_and(|token| token.is_symbol('(')) {
            return Err(self.unexpected(context, "("));
        }
        let mut depth = 0usize;
        while let Some(token) = self.next() {
            depth += usize::from(token.is_symbol('('));
            depth -= usize::from(token.is_symbol(')'));
            if depth == 0 {
                return Ok(self.since(start));
            }
        }
        Err(Error::invalid(format!("{context}: a ( is never closed")))
    }

    fn since(&self, start: usize) -> &'a [Token<'a>] {
        self.tokens.get(start..self.position).unwrap_or_default()
    }

    fn unexpected(&self, context: &str, expected: &str) -> Error {
        let found = self.peek().map_or("nothing", |token| token.raw);
        Error::invalid(format!("{context}: expected {expected}, got {found}"))
    }
}

/// The columns and constraints read so far.
#[derive(Default)]
struct Parsed {
    columns: Vec<Column>,
    constraints: Vec<String>,
    /// The names in every CHECK, UNIQUE and PRIMARY KEY: none may be a vector column, which is known at the end.
    named: Vec<Named>,
    has_primary_key: bool,
    vectors: usize,
}

/// The names in a constraint, which cannot mention a vector column.
struct Named {
    context: String,
    constraint: &'static str,
    names: Vec<String>,
}

impl Parsed {
    fn column(&mut self, mut cursor: TokenCursor<'_>) -> Result<()> {
        let table = cursor.table;
        let name = cursor.name(table, "a column name")?;
        let context = format!("{table}.{name}");
        if name.is_empty() {
            return Err(Error::invalid(format!("{table}: expected a column name, got an empty one")));
        }
        if is_hidden_name(&name) || name.eq_ignore_ascii_case(table) {
            return Err(Error::invalid(format!(
                "{context}: the column names {} and that of the table itself are reserved",
                HIDDEN_COLUMNS.join(", ")
            )));
        }
        if self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            return Err(Error::invalid(format!("{context}: the column is declared twice")));
        }
        let type_tokens = type_tokens(&mut cursor, &context)?;
        let column = match vector_type(type_tokens, &context)? {
            Some((element, dims)) => {
                self.vector_column(cursor, name, Params::new(dims, element, element.default_metric()))?
            }
            None => self.ordinary_column(cursor, name, type_text(type_tokens, &context)?)?,
        };
        self.columns.push(column);
        Ok(())
    }

    fn vector_column(&mut self, mut cursor: TokenCursor<'_>, name: String, params: Params) -> Result<Column> {
        let context = format!("{}.{name}", cursor.table);
        let mut not_null = false;
        while let Some(token) = cursor.peek() {
            if cursor.take_word("NOT") {
                cursor.expect_word("NULL", &context)?;
                not_null = true;
            } else if !cursor.take_word("NULL") {
                return Err(Error::invalid(format!(
                    "{context}: a vector column takes NOT NULL and nothing else, got {}",
                    token.raw
                )));
            }
        }
        let ordinal = VectorOrdinal(self.vectors);
        self.vectors += 1;
        Ok(Column { name, not_null, kind: ColumnKind::Vector { ordinal, params, model: None } })
    }

    fn ordinary_column(&mut self, mut cursor: TokenCursor<'_>, name: String, type_name: String) -> Result<Column> {
        let context = format!("{}.{name}", cursor.table);
        let mut column = OrdinaryColumn { type_name, ..OrdinaryColumn::default() };
        let mut not_null = false;
        while cursor.peek().is_some() {
            let constraint_name = constraint_name(&mut cursor, &context)?;
            if cursor.take_word("NOT") {
                cursor.expect_word("NULL", &context)?;
                not_null = true;
            } else if cursor.take_word("PRIMARY") {
                cursor.expect_word("KEY", &context)?;
                self.primary_key(&context)?;
                column.key = column_key(&mut cursor, &column);
            } else if cursor.take_word("UNIQUE") {
                column.key = if column.key == Key::Rowid { Key::Rowid } else { Key::Unique };
            } else if cursor.take_word("CHECK") {
                column.checks.push(self.check(&mut cursor, &context, &constraint_name)?);
            } else if cursor.take_word("COLLATE") {
                column.collation = Some(cursor.name(&context, "the name of a collation")?);
            } else if cursor.take_word("INDEXED") {
                column.is_indexed = true;
            } else if !cursor.take_word("NULL") {
                return Err(refused(&cursor, &context));
            }
            refuse_on_conflict(&cursor, &context)?;
        }
        Ok(Column { name, not_null, kind: ColumnKind::Ordinary(column) })
    }

    fn primary_key(&mut self, context: &str) -> Result<()> {
        if std::mem::replace(&mut self.has_primary_key, true) {
            return Err(Error::invalid(format!("{context}: the table has more than one PRIMARY KEY")));
        }
        Ok(())
    }

    fn check(&mut self, cursor: &mut TokenCursor<'_>, context: &str, name: &str) -> Result<String> {
        let condition = cursor.parentheses(context)?;
        self.note_names(context, "CHECK", condition);
        Ok(format!("{name}CHECK {}", join(condition)))
    }

    fn note_names(&mut self, context: &str, constraint: &'static str, tokens: &[Token<'_>]) {
        let names = tokens.iter().filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted));
        self.named.push(Named { context: context.to_string(), constraint, names: names.map(Token::content).collect() });
    }

    /// Parses UNIQUE (...), PRIMARY KEY (...) or CHECK (...), after or between the columns.
    fn table_constraint(&mut self, mut cursor: TokenCursor<'_>) -> Result<()> {
        let table = cursor.table;
        let name = constraint_name(&mut cursor, table)?;
        let start = cursor.position;
        if cursor.take_word("CHECK") {
            let check = self.check(&mut cursor, table, &name)?;
            self.constraints.push(check);
        } else if cursor.take_word("UNIQUE") {
            let columns = column_list(&mut cursor)?;
            self.note_names(table, "UNIQUE", cursor.since(start));
            self.constraints.push(format!("{name}UNIQUE ({columns})"));
        } else if cursor.take_word("PRIMARY") {
            cursor.expect_word("KEY", table)?;
            self.primary_key(table)?;
            let columns = column_list(&mut cursor)?;
            self.note_names(table, "PRIMARY KEY", cursor.since(start));
            if !self.makes_rowid(cursor.since(start)) {
                self.constraints.push(format!("{name}UNIQUE ({columns})"));
            }
        } else {
            return Err(refused(&cursor, table));
        }
        refuse_on_conflict(&cursor, table)?;
        match cursor.peek() {
            None => Ok(()),
            Some(_) => Err(cursor.unexpected(table, "a comma")),
        }
    }

    /// Whether `PRIMARY KEY (id)` is over one INTEGER column: it then becomes the rowid, as in an ordinary table.
    fn makes_rowid(&mut self, list: &[Token<'_>]) -> bool {
        let [_, _, _, name, _] = list else { return false };
        let name = name.content();
        let column = self.columns.iter_mut().find(|column| column.name.eq_ignore_ascii_case(&name));
        match column.map(|column| &mut column.kind) {
            Some(ColumnKind::Ordinary(column)) if column.type_name.eq_ignore_ascii_case("INTEGER") => {
                column.key = Key::Rowid;
                true
            }
            _ => false,
        }
    }

    fn finish(mut self, table: &str, options: Options) -> Result<TableSchema> {
        if self.vectors == 0 {
            return Err(Error::invalid(format!(
                "{table}: expected at least one vector column, such as \"embedding FLOAT[256]\""
            )));
        }
        let vectors: Vec<&str> =
            self.columns.iter().filter(|column| column.is_vector()).map(|column| column.name.as_str()).collect();
        for Named { context, constraint, names } in &self.named {
            if let Some(vector) =
                vectors.iter().find(|vector| names.iter().any(|name| name.eq_ignore_ascii_case(vector)))
            {
                return Err(Error::invalid(format!(
                    "{context}: {constraint} cannot mention the vector column \"{vector}\": vectors are kept apart from \
                     the rows (NOT NULL is offered, and the length is checked anyway)"
                )));
            }
        }
        options.apply(table, &mut self.columns)?;
        Ok(TableSchema { columns: self.columns, constraints: self.constraints, content: None })
    }
}

/// Takes the name of a constraint: `CONSTRAINT "name" `, to be put before the constraint, or nothing.
fn constraint_name(cursor: &mut TokenCursor<'_>, context: &str) -> Result<String> {
    if !cursor.take_word("CONSTRAINT") {
        return Ok(String::new());
    }
    let name = cursor.name(context, "the name of a constraint")?;
    Ok(format!("CONSTRAINT {} ", quote_identifier(&name)))
}

/// The key that PRIMARY KEY makes of a column. INTEGER PRIMARY KEY is the rowid, except with DESC (a quirk of SQLite's
/// ordinary tables).
fn column_key(cursor: &mut TokenCursor<'_>, column: &OrdinaryColumn) -> Key {
    let is_descending = cursor.take_word("DESC");
    cursor.take_word("ASC");
    if column.type_name.eq_ignore_ascii_case("INTEGER") && !is_descending { Key::Rowid } else { Key::Unique }
}

/// Takes `(a, "b" COLLATE nocase DESC)`: names quoted, without the parentheses.
fn column_list(cursor: &mut TokenCursor<'_>) -> Result<String> {
    let table = cursor.table;
    let list = cursor.parentheses(table)?;
    let inside = list.get(1..list.len().saturating_sub(1)).unwrap_or_default();
    let mut columns = Vec::new();
    for part in inside.split(|token| token.is_symbol(',')) {
        let mut part = TokenCursor { table, tokens: part, position: 0 };
        let mut sql = quote_identifier(&part.name(table, "a column name")?);
        if part.take_word("COLLATE") {
            sql = format!("{sql} COLLATE {}", quote_identifier(&part.name(table, "the name of a collation")?));
        }
        if !part.take_word("ASC") && part.take_word("DESC") {
            sql.push_str(" DESC");
        }
        if part.peek().is_some() {
            return Err(part.unexpected(table, "a comma"));
        }
        columns.push(sql);
    }
    Ok(columns.join(", "))
}

/// Takes the tokens between a column's name and its first constraint.
fn type_tokens<'a>(cursor: &mut TokenCursor<'a>, context: &str) -> Result<&'a [Token<'a>]> {
    let start = cursor.position;
    while let Some(token) = cursor.peek() {
        if CONSTRAINT_WORDS.iter().any(|word| token.is_word(word)) || token.is_word("INDEXED") {
            break;
        }
        if token.is_symbol('(') {
            cursor.parentheses(context)?;
        } else {
            cursor.position += 1;
        }
    }
    Ok(cursor.since(start))
}

/// The element and the dimensions of a vector column's type; None for another type.
fn vector_type(tokens: &[Token<'_>], context: &str) -> Result<Option<(Element, usize)>> {
    if !tokens.iter().any(Token::is_bracketed) {
        return Ok(None);
    }
    let element = match tokens {
        [name, dims] if dims.is_bracketed() => Element::parse(name.raw).map(|element| (element, dims.content())),
        _ => None,
    };
    let Some((element, dims)) = element else {
        return Err(Error::invalid(format!(
            "{context}: expected FLOAT[d], FLOAT16[d], INT8[d] or BIT[d], got {}",
            join(tokens)
        )));
    };
    match dims.trim().parse::<usize>() {
        Ok(dims) if element == Element::Bit && (1..=MAX_DIMS).contains(&dims) && !dims.is_multiple_of(8) => {
            Err(Error::invalid(format!(
                "{context}: expected a multiple of 8 dimensions, since a byte holds 8 bits, got BIT[{dims}]"
            )))
        }
        Ok(dims) if (1..=MAX_DIMS).contains(&dims) => Ok(Some((element, dims))),
        _ => Err(Error::invalid(format!(
            "{context}: expected 1 to {MAX_DIMS} dimensions, got {}[{dims}]",
            element.name()
        ))),
    }
}

/// The type of an ordinary column: words, then optionally numbers in parentheses.
fn type_text(tokens: &[Token<'_>], context: &str) -> Result<String> {
    let words = tokens.iter().take_while(|token| token.kind == TokenKind::Word).count();
    let is_size =
        |token: &Token<'_>| token.kind == TokenKind::Number || [',', '+', '-'].iter().any(|c| token.is_symbol(*c));
    let fits = match tokens.get(words..).unwrap_or_default() {
        [] => true,
        [open, size @ .., close] => {
            words > 0 && open.is_symbol('(') && close.is_symbol(')') && size.iter().all(is_size)
        }
        _ => false,
    };
    if !fits {
        return Err(Error::invalid(format!("{context}: expected a type, got {}", join(tokens))));
    }
    if tokens.iter().any(|token| token.is_word("HIDDEN")) {
        return Err(Error::invalid(format!("{context}: HIDDEN is not offered for columns of your own")));
    }
    Ok(join(tokens))
}

/// The error of a constraint that SQL knows and virtual tables do not offer.
fn refused(cursor: &TokenCursor<'_>, context: &str) -> Error {
    let Some(token) = cursor.peek() else { return cursor.unexpected(context, "a constraint") };
    let reason = match token.raw.to_ascii_uppercase().as_str() {
        "DEFAULT" => "DEFAULT is not offered: SQLite has no defaults for virtual tables",
        "GENERATED" | "AS" => "generated columns are not offered",
        "REFERENCES" | "FOREIGN" => "foreign keys are not offered: SQLite does not enforce them on virtual tables",
        "AUTOINCREMENT" => "AUTOINCREMENT is not offered: leave it out, rowids are assigned anyway",
        _ => {
            return cursor.unexpected(context, "NOT NULL, UNIQUE, PRIMARY KEY, CHECK (...), COLLATE name or INDEXED");
        }
    };
    Error::invalid(format!("{context}: {reason}"))
}

fn refuse_on_conflict(cursor: &TokenCursor<'_>, context: &str) -> Result<()> {
    if cursor.peek().is_some_and(|token| token.is_word("ON")) {
        return Err(Error::invalid(format!(
            "{context}: ON CONFLICT is not offered in a constraint: say INSERT OR REPLACE, OR IGNORE, ... instead"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
