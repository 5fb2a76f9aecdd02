//! Cuts an argument of CREATE VIRTUAL TABLE, which arrives as raw text, into the tokens that SQLite's tokeniser makes.

use crate::error::{Error, Result};

/// The words that begin a constraint of a column, and so end its type.
pub const CONSTRAINT_WORDS: [&str; 12] = [
    "CONSTRAINT",
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "COLLATE",
    "DEFAULT",
    "REFERENCES",
    "GENERATED",
    "AS",
    "ON",
];

/// The name of the module in CREATE VIRTUAL TABLE ... USING.
pub const MODULE: &str = "hnsw";

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare identifier or keyword.
    Word,
    /// An identifier in "..", `..` or [..].
    Quoted,
    /// A string in '..'.
    Text,
    Number,
    /// One character. An operator of several characters is several tokens that touch.
    Symbol(char),
}

/// A token of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    /// As written, quotes included.
    pub raw: &'a str,
    /// No white space or comment stands between this token and the one before it.
    pub touches: bool,
}

impl Token<'_> {
    /// The keyword or name without its quotes.
    pub fn content(&self) -> String {
        let inner = self.raw.get(1..self.raw.len().saturating_sub(1)).unwrap_or_default();
        match (self.kind, self.raw.chars().next()) {
            (TokenKind::Quoted, Some('[')) => inner.to_string(),
            (TokenKind::Quoted | TokenKind::Text, Some(quote)) => {
                inner.replace(&format!("{quote}{quote}"), &quote.to_string())
            }
            _ => self.raw.to_string(),
        }
    }

    /// Whether the token can be a name. SQLite accepts a name bare, quoted, or as a string.
    pub fn is_name(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Quoted | TokenKind::Text)
    }

    /// Whether the token is this bare word, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.raw.eq_ignore_ascii_case(word)
    }

    /// Whether the token is this character.
    pub fn is_symbol(&self, symbol: char) -> bool {
        self.kind == TokenKind::Symbol(symbol)
    }

    /// Whether the token is in brackets: `[256]`, an identifier to SQLite.
    pub fn is_bracketed(&self) -> bool {
        self.kind == TokenKind::Quoted && self.raw.starts_with('[')
    }
}

/// Returns the tokens of `source` without comments. The caller adds the table's name to an error.
pub fn tokenise(source: &str) -> Result<Vec<Token<'_>>> {
    Tokens { rest: source, touches: false }.collect()
}

/// Returns the module that a CREATE VIRTUAL TABLE names; None for any other statement. The arguments in the parentheses
/// are not read: they may be anything.
pub fn module_of(create: &str) -> Option<String> {
    let mut tokens = Tokens { rest: create, touches: false }.map_while(Result::ok);
    let is_virtual =
        ["CREATE", "VIRTUAL", "TABLE"].iter().all(|word| tokens.next().is_some_and(|token| token.is_word(word)));
    // A name that equals the keyword is quoted.
    let is_using = |token: &Token<'_>| token.is_word("USING");
    is_virtual.then(|| tokens.find(is_using)).flatten().and_then(|_| tokens.next()).map(|module| module.content())
}

/// An iterator over the tokens of a text.
struct Tokens<'a> {
    rest: &'a str,
    touches: bool,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>>;

    fn next(&mut self) -> Option<Result<Token<'a>>> {
        while let Some(length) = blank_length(self.rest) {
            self.rest = self.rest.get(length..).unwrap_or_default();
            self.touches = false;
        }
        let first = self.rest.chars().next()?;
        let cut = token_at(self.rest, first).and_then(|(kind, length)| {
            let parts = self.rest.split_at_checked(length);
            let (raw, rest) = parts.ok_or_else(|| Error::internal("a token ends within a letter"))?;
            Ok((Token { kind, raw, touches: self.touches }, rest))
        });
        // The iterator ends after an error.
        self.rest = cut.as_ref().map_or("", |(_, rest)| rest);
        self.touches = true;
        Some(cut.map(|(token, _)| token))
    }
}

/// Joins tokens to text, with one space where white space or a comment was.
pub fn join(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    for token in tokens {
        if !text.is_empty() && !token.touches {
            text.push(' ');
        }
        text.push_str(token.raw);
    }
    text
}

/// The length of the white space or comment at the start; None if there is none.
fn blank_length(rest: &str) -> Option<usize> {
    if rest.starts_with("--") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.get(2..)?.find("*/").map_or(rest.len(), |end| end + 4));
    }
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c');
    let length = rest.find(|c| !is_blank(c)).unwrap_or(rest.len());
    (length > 0).then_some(length)
}

fn token_at(rest: &str, first: char) -> Result<(TokenKind, usize)> {
    let until = |end: &dyn Fn(char) -> bool| rest.find(end).unwrap_or(rest.len());
    match first {
        '"' | '`' => Ok((TokenKind::Quoted, quoted_length(rest, first)?)),
        '\'' => Ok((TokenKind::Text, quoted_length(rest, first)?)),
        '[' => match rest.find(']') {
            Some(end) => Ok((TokenKind::Quoted, end + 1)),
            None => Err(Error::invalid("a [ is never closed")),
        },
        '0'..='9' => Ok((TokenKind::Number, number_length(rest))),
        '.' if rest.get(1..).is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit())) => {
            Ok((TokenKind::Number, number_length(rest)))
        }
        _ if is_word_character(first) => Ok((TokenKind::Word, until(&|c| !is_word_character(c) && c != '$'))),
        '(' | ')' | ',' | '.' | '=' | '<' | '>' | '!' | '+' | '-' | '*' | '/' | '%' | '&' | '|' | '~' => {
            Ok((TokenKind::Symbol(first), 1))
        }
        _ => Err(Error::invalid(format!("{first:?} cannot stand here"))),
    }
}

fn is_word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The length up to and including the closing quote. A doubled quote stands for the quote itself.
fn quoted_length(rest: &str, quote: char) -> Result<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((position, c)) = characters.next() {
        if c != quote {
            continue;
        }
        if characters.peek().is_some_and(|&(_, next)| next == quote) {
            characters.next();
        } else {
            return Ok(position + 1);
        }
    }
    Err(Error::invalid(format!("a {quote} is never closed")))
}

fn number_length(rest: &str) -> usize {
    let mut previous = ' ';
    let ends = |c: char| {
        let sign_of_exponent = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !rest.starts_with("0x");
        previous = c;
        !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign_of_exponent)
    };
    rest.find(ends).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raws(source: &str) -> Vec<&str> {
        tokenise(source).unwrap().into_iter().map(|token| token.raw).collect()
    }

    #[test]
    fn tokens_are_those_of_sqlite() {
        assert_eq!(raws("price DECIMAL(10,2)"), ["price", "DECIMAL", "(", "10", ",", "2", ")"]);
        assert_eq!(raws("embedding FLOAT[256]"), ["embedding", "FLOAT", "[256]"]);
        assert_eq!(raws("a>=1.5e-3 AND b<>.5"), ["a", ">", "=", "1.5e-3", "AND", "b", "<", ">", ".5"]);
        assert_eq!(raws("m = -1"), ["m", "=", "-", "1"]);
        assert_eq!(raws("größe$1 TEXT -- it's\n/* ( */ NOT NULL--"), ["größe$1", "TEXT", "NOT", "NULL"]);
        assert_eq!(raws("0x1e-3"), ["0x1e", "-", "3"]);
        assert_eq!(raws(" /* open"), Vec::<&str>::new());
    }

    #[test]
    fn a_statement_names_its_module() {
        for (create, module) in [
            ("CREATE VIRTUAL TABLE t USING hnsw(e FLOAT[2])", Some("hnsw")),
            ("create virtual table if not exists main.t using HNSW (e {?;#)", Some("HNSW")),
            ("CREATE VIRTUAL TABLE \"a USING hnsw\" USING fts5(hnsw)", Some("fts5")),
            ("CREATE VIRTUAL TABLE 'using'/* USING x */--USING y\nUSING[hnsw](e FLOAT[2])", Some("hnsw")),
            ("CREATE TABLE t(a CHECK(a <> ' USING hnsw'))", None),
            ("CREATE VIRTUAL TABLE t", None),
            ("", None),
        ] {
            assert_eq!(module_of(create).as_deref(), module, "{create}");
        }
    }

    #[test]
    fn content_is_the_name_without_quotes() {
        for (source, content) in [
            ("\"a\"\"b\"", "a\"b"),
            ("`a``b`", "a`b"),
            ("[a\"b]", "a\"b"),
            ("'it''s'", "it's"),
            ("plain", "plain"),
            ("\"\"", ""),
        ] {
            let tokens = tokenise(source).unwrap();
            assert_eq!(tokens.len(), 1, "{source}");
            assert_eq!(tokens[0].content(), content);
            assert!(tokens[0].is_name());
        }
    }

    #[test]
    fn joining_keeps_operators_whole_and_drops_comments() {
        let source = "( a>=1 /* ) */ AND b  || 'x -- y' <> \"q\" -- end";
        assert_eq!(join(&tokenise(source).unwrap()), "( a>=1 AND b || 'x -- y' <> \"q\"");
    }

    #[test]
    fn an_unclosed_quote_is_an_error() {
        for (source, message) in [
            ("\"abc", "a \" is never closed"),
            ("'abc''", "a ' is never closed"),
            ("[abc", "a [ is never closed"),
            ("a ; b", "';' cannot stand here"),
            ("?1", "'?' cannot stand here"),
        ] {
            assert_eq!(tokenise(source).unwrap_err().to_string(), message);
        }
    }
}
