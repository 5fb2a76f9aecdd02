//! Tells the terms that SQLite derives from a LIKE or GLOB from those that the user wrote. It turns `a LIKE 'x%'` into
//! `a >= 'X' AND a < 'y'` beside the LIKE, and marks neither. That range excludes BLOBs, which LIKE admits, and SQLite
//! does not test it again; a range that the user wrote it does. It offers the LIKE too, unless it has an ESCAPE.

use super::index_query::{IndexQuery, Term};
use crate::sqlite::Operator;

/// Where a term comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The user wrote it.
    Statement,
    /// SQLite made it of a LIKE or GLOB that it offers as well.
    Pattern,
    /// Either the user wrote it or SQLite made it of a LIKE with ESCAPE: the two cannot be told apart.
    Unknown,
}

/// Where a term comes from.
pub fn origin(query: &IndexQuery, term: &Term) -> Origin {
    let is_same = |other: &&Term| {
        (other.column, other.operator, &other.text) == (term.column, term.operator, &term.text)
            && is_half_of_range(query, other)
    };
    let same = query.terms.iter().filter(is_same).count();
    let patterns = query.terms.iter().filter(|pattern| is_made_of(query, term, pattern)).count();
    match same {
        0 => Origin::Statement,
        _ if same == patterns => Origin::Pattern,
        _ => Origin::Unknown,
    }
}

/// Whether the term and another one are the range of some LIKE or GLOB.
fn is_half_of_range(query: &IndexQuery, term: &Term) -> bool {
    let mut others = query.terms.iter().filter(|other| other.column == term.column);
    match term.operator {
        Operator::Ge => others.any(|other| is_range(query, term, other)),
        Operator::Lt => others.any(|other| is_range(query, other, term)),
        _ => false,
    }
}

/// Whether two terms are the range of a pattern: `least` is the first text with its prefix, `most` the one after the
/// last. If LIKE ignores case, `least` is in upper case and `most` in lower case.
fn is_range(query: &IndexQuery, least: &Term, most: &Term) -> bool {
    let (Operator::Ge, Some(least_text)) = (least.operator, &least.text) else { return false };
    let (Operator::Lt, Some(most_text)) = (most.operator, &most.text) else { return false };
    let is_in = |collation: &str| least.collation.eq_ignore_ascii_case(collation);
    let is_glob = |term: &Term| term.operator == Operator::Glob && term.column == least.column;
    if is_in("NOCASE") && !query.is_like_case_sensitive {
        *least_text == least_text.to_ascii_uppercase() && is_past(most_text, &least_text.to_ascii_lowercase())
    } else if is_in("BINARY") && (query.is_like_case_sensitive || query.terms.iter().any(is_glob)) {
        is_past(most_text, least_text)
    } else {
        false
    }
}

/// Whether SQLite makes such a term of a pattern that it offers.
fn is_made_of(query: &IndexQuery, term: &Term, pattern: &Term) -> bool {
    let ignores_case = pattern.operator == Operator::Like && !query.is_like_case_sensitive;
    let wildcards: &[u8] = match pattern.operator {
        Operator::Like => b"%_",
        Operator::Glob => b"*?[",
        _ => return false,
    };
    let (Some(text), Some(bound)) = (&pattern.text, &term.text) else { return false };
    let prefix = text.split(|byte| wildcards.contains(byte)).next().unwrap_or_default();
    let is_made = match (term.operator, ignores_case) {
        (Operator::Ge, true) => *bound == prefix.to_ascii_uppercase(),
        (Operator::Ge, false) => *bound == prefix,
        (Operator::Lt, true) => is_past(bound, &prefix.to_ascii_lowercase()),
        (Operator::Lt, false) => is_past(bound, prefix),
        _ => return false,
    };
    pattern.column == term.column && is_made
}

/// Whether `bound` is the text after all texts with a prefix. SQLite adds one to the prefix: newer versions to its last
/// character, older ones to its last byte, which makes no character of 0xbf.
fn is_past(bound: &[u8], prefix: &[u8]) -> bool {
    const LAST_CONTINUATION: u8 = 0xbf;
    let Some((last, rest)) = prefix.split_last() else { return bound.is_empty() };
    if bound.split_last() == Some((&last.wrapping_add(1), rest)) {
        return true;
    }
    let carried = prefix.iter().rev().take_while(|byte| **byte == LAST_CONTINUATION).count();
    let mut next = prefix.to_vec();
    for (position, byte) in next.iter_mut().rev().enumerate() {
        match position {
            _ if position < carried => *byte = 0x80,
            _ if position == carried => *byte = byte.wrapping_add(1),
            _ => break,
        }
    }
    *bound == next
}

#[cfg(test)]
mod tests {
    use super::is_past;

    #[test]
    fn the_end_of_a_range_is_known_by_both_rules_of_sqlite() {
        for (prefix, bound) in [
            ("a".as_bytes(), &b"b"[..]),
            ("é".as_bytes(), "ê".as_bytes()),
            ("п".as_bytes(), "р".as_bytes()),
            ("п".as_bytes(), b"\xd0\xc0"),
            ("xп".as_bytes(), b"x\xd0\xc0"),
            ("\u{ffff}".as_bytes(), b"\xf0\x80\x80"),
            ("\u{10ffff}".as_bytes(), b"\xf4\x90\x80\x80"),
            ("\u{10ffff}".as_bytes(), b"\xf4\x8f\xbf\xc0"),
            (b"", b""),
        ] {
            assert!(is_past(bound, prefix), "{prefix:?} {bound:?}");
        }
        for (prefix, bound) in [("a", "a"), ("a", "c"), ("п", "с"), ("ab", "b"), ("", "a"), ("a", "")] {
            assert!(!is_past(bound.as_bytes(), prefix.as_bytes()), "{prefix:?} {bound:?}");
        }
    }
}
