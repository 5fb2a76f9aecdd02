//! The raw arguments of CREATE VIRTUAL TABLE to a checked `TableSchema`.
//!
//! Names are put back in quotes, types and CHECK expressions from their tokens, so that no argument can end one
//! construct of the SQL that we write and begin another.

use super::content::ContentOptions;
use super::options::Options;
use super::schema::{Column, ColumnKind, Key, OrdinaryColumn, TableSchema, is_hidden_name};
use super::tokens::{Token, TokenKind, join, tokenise};
use crate::distance::{Element, Metric};
use crate::error::{Error, Result};
use crate::hnsw::Params;
use crate::hnsw::params::MAX_DIMS;
use crate::sqlite::quote_identifier;

/// Checks everything but what SQLite itself checks when the rows table is created (the CHECK expressions' names, the
/// collations).
///
/// # Errors
/// `Error::Invalid` that names table, column, what was expected and what came.
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

    fn expect_word(&mut self, word: &str, place: &str) -> Result<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(place, word)) }
    }

    fn name(&mut self, place: &str, what: &str) -> Result<String> {
        match self.peek() {
            Some(token) if token.is_name() => {
                self.position += 1;
                Ok(token.content())
            }
            _ => Err(self.unexpected(place, what)),
        }
    }

    /// `( ... )` with everything inside, as tokens.
    fn parentheses(&mut self, place: &str) -> Result<&'a [Token<'a>]> {
        let start = self.position;
        if !self.peek().is_some_and(|token| token.is_symbol('(')) {
            return Err(self.unexpected(place, "("));
        }
        let mut depth = 0usize;
        while let Some(token) = self.next() {
            depth += usize::from(token.is_symbol('('));
            depth -= usize::from(token.is_symbol(')'));
            if depth == 0 {
                return Ok(self.since(start));
            }
        }
        Err(Error::invalid(format!("{place}: a ( is never closed")))
    }

    fn since(&self, start: usize) -> &'a [Token<'a>] {
        self.tokens.get(start..self.position).unwrap_or_default()
    }

    fn unexpected(&self, place: &str, expected: &str) -> Error {
        let found = self.peek().map_or("nothing", |token| token.raw);
        Error::invalid(format!("{place}: expected {expected}, got {found}"))
    }
}

/// The columns and constraints read so far.
#[derive(Default)]
struct Parsed {
    columns: Vec<Column>,
    constraints: Vec<String>,
    /// The names in every CHECK, UNIQUE and PRIMARY KEY, to be searched for vector columns once all columns are known.
    named: Vec<Named>,
    has_primary_key: bool,
    vectors: usize,
}

/// The names in a constraint that cannot mention a vector column.
struct Named {
    place: String,
    constraint: &'static str,
    names: Vec<String>,
}

impl Parsed {
    fn column(&mut self, mut cursor: TokenCursor<'_>) -> Result<()> {
        let table = cursor.table;
        let name = cursor.name(table, "a column name")?;
        let place = format!("{table}.{name}");
        if name.is_empty() {
            return Err(Error::invalid(format!("{table}: expected a column name, got an empty one")));
        }
        if is_hidden_name(&name) || name.eq_ignore_ascii_case(table) {
            return Err(Error::invalid(format!(
                "{place}: the column names query, k, ef_search, distance and that of the table itself are reserved"
            )));
        }
        if self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            return Err(Error::invalid(format!("{place}: the column is declared twice")));
        }
        let type_tokens = type_tokens(&mut cursor, &place)?;
        let column = match vector_type(type_tokens, &place)? {
            Some((element, dims)) => self.vector_column(cursor, name, Params::new(dims, element, Metric::Cosine))?,
            None => self.ordinary_column(cursor, name, type_text(type_tokens, &place)?)?,
        };
        self.columns.push(column);
        Ok(())
    }

    fn vector_column(&mut self, mut cursor: TokenCursor<'_>, name: String, params: Params) -> Result<Column> {
        let place = format!("{}.{name}", cursor.table);
        let mut not_null = false;
        while let Some(token) = cursor.peek() {
            if cursor.take_word("NOT") {
                cursor.expect_word("NULL", &place)?;
                not_null = true;
            } else if !cursor.take_word("NULL") {
                return Err(Error::invalid(format!(
                    "{place}: a vector column takes NOT NULL and nothing else, got {}",
                    token.raw
                )));
            }
        }
        self.vectors += 1;
        Ok(Column { name, not_null, kind: ColumnKind::Vector { ordinal: self.vectors - 1, params, model: None } })
    }

    fn ordinary_column(&mut self, mut cursor: TokenCursor<'_>, name: String, type_name: String) -> Result<Column> {
        let place = format!("{}.{name}", cursor.table);
        let mut column = OrdinaryColumn { type_name, ..OrdinaryColumn::default() };
        let mut not_null = false;
        while cursor.peek().is_some() {
            let constraint_name = constraint_name(&mut cursor, &place)?;
            if cursor.take_word("NOT") {
                cursor.expect_word("NULL", &place)?;
                not_null = true;
            } else if cursor.take_word("PRIMARY") {
                cursor.expect_word("KEY", &place)?;
                self.primary_key(&place)?;
                column.key = column_key(&mut cursor, &column);
            } else if cursor.take_word("UNIQUE") {
                column.key = if column.key == Key::Rowid { Key::Rowid } else { Key::Unique };
            } else if cursor.take_word("CHECK") {
                column.checks.push(self.check(&mut cursor, &place, &constraint_name)?);
            } else if cursor.take_word("COLLATE") {
                column.collation = Some(cursor.name(&place, "the name of a collation")?);
            } else if cursor.take_word("INDEXED") {
                column.is_indexed = true;
            } else if !cursor.take_word("NULL") {
                return Err(refused(&cursor, &place));
            }
            refuse_on_conflict(&cursor, &place)?;
        }
        Ok(Column { name, not_null, kind: ColumnKind::Ordinary(column) })
    }

    fn primary_key(&mut self, place: &str) -> Result<()> {
        if std::mem::replace(&mut self.has_primary_key, true) {
            return Err(Error::invalid(format!("{place}: the table has more than one PRIMARY KEY")));
        }
        Ok(())
    }

    fn check(&mut self, cursor: &mut TokenCursor<'_>, place: &str, name: &str) -> Result<String> {
        let condition = cursor.parentheses(place)?;
        self.note_names(place, "CHECK", condition);
        Ok(format!("{name}CHECK {}", join(condition)))
    }

    fn note_names(&mut self, place: &str, constraint: &'static str, tokens: &[Token<'_>]) {
        let names = tokens.iter().filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted));
        self.named.push(Named { place: place.to_string(), constraint, names: names.map(Token::content).collect() });
    }

    /// UNIQUE (...), PRIMARY KEY (...) and CHECK (...) after or between the columns.
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

    /// `PRIMARY KEY (id)` over one INTEGER column makes it the rowid, as it does in an ordinary table.
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
        let vectors: Vec<&str> = self
            .columns
            .iter()
            .filter(|column| column.as_vector().is_some())
            .map(|column| column.name.as_str())
            .collect();
        for Named { place, constraint, names } in &self.named {
            if let Some(vector) =
                vectors.iter().find(|vector| names.iter().any(|name| name.eq_ignore_ascii_case(vector)))
            {
                return Err(Error::invalid(format!(
                    "{place}: {constraint} cannot mention the vector column \"{vector}\": vectors are kept apart from \
                     the rows (NOT NULL is offered, and the length is checked anyway)"
                )));
            }
        }
        options.apply(table, &mut self.columns)?;
        Ok(TableSchema { columns: self.columns, constraints: self.constraints, content: None })
    }
}

/// `CONSTRAINT "name" `, ready to be followed by the constraint, or nothing.
fn constraint_name(cursor: &mut TokenCursor<'_>, place: &str) -> Result<String> {
    if !cursor.take_word("CONSTRAINT") {
        return Ok(String::new());
    }
    let name = cursor.name(place, "the name of a constraint")?;
    Ok(format!("CONSTRAINT {} ", quote_identifier(&name)))
}

/// INTEGER PRIMARY KEY is the rowid, but (a quirk of SQLite's that its ordinary tables have) not with DESC.
fn column_key(cursor: &mut TokenCursor<'_>, column: &OrdinaryColumn) -> Key {
    let is_descending = cursor.take_word("DESC");
    cursor.take_word("ASC");
    if column.type_name.eq_ignore_ascii_case("INTEGER") && !is_descending { Key::Rowid } else { Key::Unique }
}

/// `(a, "b" COLLATE nocase DESC)`, names quoted; without the parentheses.
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

/// The tokens between a column's name and its first constraint.
fn type_tokens<'a>(cursor: &mut TokenCursor<'a>, place: &str) -> Result<&'a [Token<'a>]> {
    const CONSTRAINTS: [&str; 13] = [
        "CONSTRAINT",
        "PRIMARY",
        "NOT",
        "NULL",
        "UNIQUE",
        "CHECK",
        "COLLATE",
        "INDEXED",
        "DEFAULT",
        "REFERENCES",
        "GENERATED",
        "AS",
        "ON",
    ];
    let start = cursor.position;
    while let Some(token) = cursor.peek() {
        if CONSTRAINTS.iter().any(|word| token.is_word(word)) {
            break;
        }
        if token.is_symbol('(') {
            cursor.parentheses(place)?;
        } else {
            cursor.position += 1;
        }
    }
    Ok(cursor.since(start))
}

/// The element and the dimensions, if the type is that of a vector column.
fn vector_type(tokens: &[Token<'_>], place: &str) -> Result<Option<(Element, usize)>> {
    if !tokens.iter().any(Token::is_bracketed) {
        return Ok(None);
    }
    let element = match tokens {
        [name, dims] if dims.is_bracketed() => Element::parse(name.raw).map(|element| (element, dims.content())),
        _ => None,
    };
    let Some((element, dims)) = element else {
        return Err(Error::invalid(format!("{place}: expected FLOAT[d], FLOAT16[d] or INT8[d], got {}", join(tokens))));
    };
    match dims.trim().parse() {
        Ok(dims) if (1..=MAX_DIMS).contains(&dims) => Ok(Some((element, dims))),
        _ => {
            Err(Error::invalid(format!("{place}: expected 1 to {MAX_DIMS} dimensions, got {}[{dims}]", element.name())))
        }
    }
}

/// The type of an ordinary column: words, then perhaps one or two numbers in parentheses.
fn type_text(tokens: &[Token<'_>], place: &str) -> Result<String> {
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
        return Err(Error::invalid(format!("{place}: expected a type, got {}", join(tokens))));
    }
    if tokens.iter().any(|token| token.is_word("HIDDEN")) {
        return Err(Error::invalid(format!("{place}: HIDDEN is not offered for columns of your own")));
    }
    Ok(join(tokens))
}

/// Why a constraint that SQL knows is not offered here.
fn refused(cursor: &TokenCursor<'_>, place: &str) -> Error {
    let Some(token) = cursor.peek() else { return cursor.unexpected(place, "a constraint") };
    let reason = match token.raw.to_ascii_uppercase().as_str() {
        "DEFAULT" => "DEFAULT is not offered: SQLite has no defaults for virtual tables",
        "GENERATED" | "AS" => "generated columns are not offered",
        "REFERENCES" | "FOREIGN" => "foreign keys are not offered: SQLite does not enforce them on virtual tables",
        "AUTOINCREMENT" => "AUTOINCREMENT is not offered: leave it out, rowids are assigned anyway",
        _ => {
            return cursor.unexpected(place, "NOT NULL, UNIQUE, PRIMARY KEY, CHECK (...), COLLATE name or INDEXED");
        }
    };
    Error::invalid(format!("{place}: {reason}"))
}

fn refuse_on_conflict(cursor: &TokenCursor<'_>, place: &str) -> Result<()> {
    if cursor.peek().is_some_and(|token| token.is_word("ON")) {
        return Err(Error::invalid(format!(
            "{place}: ON CONFLICT is not offered in a constraint: say INSERT OR REPLACE, OR IGNORE, ... instead"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
