//! Vectors as SQL passes them: a BLOB of little-endian f32, or JSON text.
//!
//! JSON has a parser of its own: it is a page of code, rounds each number to f32 once (a general JSON crate goes
//! through f64 and rounds twice), and reports the byte at which it stopped. Byte positions and components count from 0.
//! Any length is taken here; the limit of 16,384 dimensions belongs to vector columns.

use crate::distance::{self, Element};
use crate::error::{Error, Result};

/// A vector from JSON text, such as `[0.1, -2, 3e-4]`: one strict JSON array of numbers, at least one of them, white
/// space where JSON allows it. Numbers are rounded to the nearest f32.
///
/// # Errors
/// `Error::Invalid`, with the byte position and what was found there, for anything else: nested or unclosed arrays,
/// trailing commas, NaN, infinity, null, and numbers beyond the range of f32.
pub fn parse_json(text: &str) -> Result<Vec<f32>> {
    Parser { text, position: 0 }.array()
}

/// As `parse_json`, of the bytes of a TEXT.
///
/// # Errors
/// As for `parse_json`, and for bytes that are not UTF-8: hosts such as Perl and PHP bind every string as TEXT.
pub fn parse_text(bytes: &[u8]) -> Result<Vec<f32>> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let position = error.valid_up_to();
        Error::invalid(format!("malformed JSON vector: the text is not valid UTF-8 at byte {position}{BIND_AS_BLOB}"))
    })?;
    parse_json(text)
}

const BIND_AS_BLOB: &str = ": bind the bytes of a vector as BLOB, not as TEXT";

/// The error of a BLOB that holds a vector as JSON text, as readfile() returns it; None for any other BLOB.
pub fn json_in_blob(bytes: &[u8]) -> Option<Error> {
    let is_array = bytes.trim_ascii_start().first() == Some(&b'[');
    let is_json = is_array && str::from_utf8(bytes).is_ok_and(|text| parse_json(text).is_ok());
    is_json.then(|| Error::invalid("expected a vector, got JSON text as a BLOB: make it TEXT with CAST(... AS TEXT)"))
}

/// `1 byte`, `12 bytes`.
pub fn counted(count: usize, unit: &str) -> String {
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

/// The hint for a BLOB of twice the expected length.
pub const MAYBE_F64: &str = "are these 64-bit floats?";

/// A vector from a BLOB of little-endian components.
///
/// # Errors
/// `Error::Invalid` if the length is zero or no multiple of the element's size, a component is NaN or infinite, or it is
/// JSON text.
pub(super) fn decode_blob(bytes: &[u8], element: Element) -> Result<Vec<f32>> {
    if bytes.is_empty() {
        return Err(Error::invalid("expected a vector, got an empty BLOB"));
    }
    // A single f32 may look like "[12]".
    if let Some(error) = json_in_blob(bytes).filter(|_| element == Element::F32 && bytes.len() != element.bytes(1)) {
        return Err(error);
    }
    if element.dims(bytes.len()).is_none() {
        return Err(Error::invalid(format!(
            "expected a BLOB of {}, {} bytes per component, got {}{}",
            element.name(),
            element.bytes(1),
            counted(bytes.len(), "byte"),
            // A BLOB without a mark is read as f32.
            if element == Element::F32 { ": vec_f16(v) and vec_int8(v) mark those of FLOAT16 and INT8" } else { "" }
        )));
    }
    let vector = distance::decode(bytes, element);
    distance::check_finite(&vector)?;
    Ok(vector)
}

/// The text of a vector that `parse_json` reads back to the very same components: the shortest decimal of each f32.
pub fn to_json(vector: &[f32]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 + vector.len() * 12);
    text.push('[');
    for (i, x) in vector.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        // Debug is the shortest round-trip form, with an exponent for the very large and small; 1.0 loses its ".0".
        let _ = write!(text, "{x:?}"); // writing to a String cannot fail
        if text.ends_with(".0") {
            text.truncate(text.len() - 2);
        }
    }
    text.push(']');
    text
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
}

impl Parser<'_> {
    fn array(mut self) -> Result<Vec<f32>> {
        let mut vector = Vec::with_capacity(self.text.len() / 8);
        self.expect(b'[', "'['").map_err(|error| self.explained(error))?;
        self.skip_white_space();
        if self.peek() == Some(b']') {
            return Err(Error::invalid("expected a vector, got an empty JSON array"));
        }
        loop {
            vector.push(self.number()?);
            self.skip_white_space();
            if self.peek() != Some(b',') {
                break;
            }
            self.position += 1;
        }
        self.expect(b']', "',' or ']'")?;
        self.skip_white_space();
        match self.peek() {
            None => Ok(vector),
            Some(_) => Err(self.unexpected("the end of the text")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn expect(&mut self, byte: u8, name: &str) -> Result<()> {
        self.skip_white_space();
        if self.peek() != Some(byte) {
            return Err(self.unexpected(name));
        }
        self.position += 1;
        Ok(())
    }

    /// RFC 8259: `[-] (0 | 1-9 digits) [. digits] [(e|E) [+|-] digits]`. The lexing is ours because f32::from_str also
    /// takes "inf", ".5" and "+1"; the rounding is the standard library's.
    fn number(&mut self) -> Result<f32> {
        self.skip_white_space();
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        match self.peek() {
            Some(b'0') => self.position += 1,
            Some(b'1'..=b'9') => self.digits("a digit")?,
            _ => {
                self.position = start;
                return Err(self.unexpected("a number"));
            }
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digits("a digit after the decimal point")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits("a digit of the exponent")?;
        }
        let token = self.text.get(start..self.position).unwrap_or_default();
        match token.parse::<f32>() {
            Ok(x) if x.is_finite() => Ok(x),
            _ => Err(Error::invalid(format!(
                "malformed JSON vector: expected a number within the range of f32 at byte {start}, found {}",
                shorten(token)
            ))),
        }
    }

    fn digits(&mut self, expected: &str) -> Result<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected(expected));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        Ok(())
    }

    /// Adds the likely reason to the error of a text that does not begin as an array.
    #[cold]
    fn explained(&self, error: Error) -> Error {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let reason = match rest.strip_prefix('{').map(str::trim_ascii_start) {
            Some(members) if members.starts_with("\"0\"") => {
                ": JSON.stringify makes an object of a typed array: use JSON.stringify(Array.from(vector))"
            }
            None if rest.starts_with(char::is_control) => BIND_AS_BLOB,
            _ => "",
        };
        Error::invalid(format!("{error}{reason}"))
    }

    #[cold]
    fn unexpected(&self, expected: &str) -> Error {
        // The position is always on a character boundary: only ASCII is ever stepped over.
        let rest = self.text.get(self.position..).unwrap_or_default();
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        let found = match rest.chars().next() {
            None => "the end of the text".to_owned(),
            Some(c @ ('"' | '\'' | '\\')) => format!("'{c}'"),
            Some(c) if word == 0 => format!("'{}'", c.escape_debug()),
            Some(_) => format!("'{}'", shorten(rest.get(..word).unwrap_or_default())),
        };
        Error::invalid(format!("malformed JSON vector: expected {expected} at byte {}, found {found}", self.position))
    }
}

/// At most 24 bytes of a token (ASCII), so that a message stays a line.
fn shorten(token: &str) -> String {
    match token.get(..24) {
        Some(head) if token.len() > 24 => format!("{head}..."),
        _ => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error_of(text: &str) -> String {
        parse_json(text).unwrap_err().to_string()
    }

    #[test]
    fn json_arrays_of_every_form_are_parsed() {
        assert_eq!(parse_json("[0.1, -2, 3e-4]").unwrap(), [0.1, -2.0, 3e-4]);
        assert_eq!(parse_json(" \t\r\n[ 1\n,\t2 ]\r\n").unwrap(), [1.0, 2.0]);
        assert_eq!(parse_json("[0,-0,0.0,1E2,1e+2,1e-2,-1.5e0]").unwrap(), [0.0, -0.0, 0.0, 100.0, 100.0, 0.01, -1.5]);
        assert_eq!(parse_json("[-0]").unwrap()[0].to_bits(), (-0.0f32).to_bits());
        assert_eq!(parse_json("[3.4028235e38, 1e-45, 1e-60]").unwrap(), [f32::MAX, f32::from_bits(1), 0.0]);
        assert_eq!(parse_json("[0.100000000000000000000000000000000000000000000001]").unwrap(), [0.1]);
    }

    #[test]
    fn a_number_is_rounded_once() {
        // 1 + 2^-24 and a little lies above the tie between two f32: through f64 it would round to 1.
        let number = "1.00000005960464477626";
        assert_eq!(parse_json(&format!("[{number}]")).unwrap()[0].to_bits(), 0x3f80_0001);
        assert_eq!((number.parse::<f64>().unwrap() as f32).to_bits(), 0x3f80_0000);
    }

    #[test]
    fn malformed_json_errors_name_byte_and_reason() {
        let cases = [
            ("", "expected '[' at byte 0, found the end of the text"),
            ("abc", "expected '[' at byte 0, found 'abc'"),
            ("{\"a\":1}", "expected '[' at byte 0, found '{'"),
            (
                " { \"0\":0.5,\"1\":2}",
                "expected '[' at byte 1, found '{': JSON.stringify makes an object of a typed array: \
                 use JSON.stringify(Array.from(vector))",
            ),
            ("\0\0\0@", "expected '[' at byte 0, found '\\0': bind the bytes of a vector as BLOB, not as TEXT"),
            ("0.5", "expected '[' at byte 0, found '0'"),
            ("[", "expected a number at byte 1, found the end of the text"),
            ("[1", "expected ',' or ']' at byte 2, found the end of the text"),
            ("[1,", "expected a number at byte 3, found the end of the text"),
            ("[1,]", "expected a number at byte 3, found ']'"),
            ("[,1]", "expected a number at byte 1, found ','"),
            ("[1 2]", "expected ',' or ']' at byte 3, found '2'"),
            ("[1,,2]", "expected a number at byte 3, found ','"),
            ("[[1]]", "expected a number at byte 1, found '['"),
            ("[1] x", "expected the end of the text at byte 4, found 'x'"),
            ("[1][2]", "expected the end of the text at byte 3, found '['"),
            ("[NaN]", "expected a number at byte 1, found 'NaN'"),
            ("[-Infinity]", "expected a number at byte 1, found '-Infinity'"),
            ("[inf]", "expected a number at byte 1, found 'inf'"),
            ("[1, null]", "expected a number at byte 4, found 'null'"),
            ("[\"1\"]", "expected a number at byte 1, found '\"'"),
            ("[+1]", "expected a number at byte 1, found '+'"),
            ("[.5]", "expected a number at byte 1, found '.'"),
            ("[-]", "expected a number at byte 1, found '-'"),
            ("[- 1]", "expected a number at byte 1, found '-'"),
            ("[1.]", "expected a digit after the decimal point at byte 3, found ']'"),
            ("[1e]", "expected a digit of the exponent at byte 3, found ']'"),
            ("[1e+]", "expected a digit of the exponent at byte 4, found ']'"),
            ("[01]", "expected ',' or ']' at byte 2, found '1'"),
            ("[0x10]", "expected ',' or ']' at byte 2, found 'x10'"),
            ("[1\u{a0}]", "expected ',' or ']' at byte 2, found '\\u{a0}'"),
            ("[1\0]", "expected ',' or ']' at byte 2, found '\\0'"),
            ("[é]", "expected a number at byte 1, found 'é'"),
            ("[1e39]", "expected a number within the range of f32 at byte 1, found 1e39"),
            ("[0, -3.5e38]", "expected a number within the range of f32 at byte 4, found -3.5e38"),
            (
                "[9999999999999999999999999999999999999999]",
                "expected a number within the range of f32 at byte 1, found 999999999999999999999999...",
            ),
            ("[abcdefghijklmnopqrstuvwxyz]", "expected a number at byte 1, found 'abcdefghijklmnopqrstuvwx...'"),
        ];
        for (text, expected) in cases {
            assert_eq!(error_of(text), format!("malformed JSON vector: {expected}"), "{text}");
        }
        assert_eq!(error_of(" [ ] "), "expected a vector, got an empty JSON array");
    }

    #[test]
    fn a_blob_is_decoded_or_refused_with_a_hint() {
        let message = |bytes: &[u8]| decode_blob(bytes, Element::F32).unwrap_err().to_string();
        assert_eq!(decode_blob(&[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], Element::F32).unwrap(), [1.0, -2.0]);
        assert_eq!(decode_blob(&[0, 0x3c, 0, 0xc0], Element::F16).unwrap(), [1.0, -2.0]);
        assert_eq!(decode_blob(&[1, 0xfe], Element::I8).unwrap(), [1.0, -2.0]);
        assert_eq!(message(&[]), "expected a vector, got an empty BLOB");
        assert_eq!(
            message(&[1, 2, 3, 4, 5]),
            "expected a BLOB of FLOAT, 4 bytes per component, got 5 bytes: vec_f16(v) and vec_int8(v) mark those of FLOAT16 and INT8"
        );
        assert_eq!(
            message(&[1]),
            "expected a BLOB of FLOAT, 4 bytes per component, got 1 byte: vec_f16(v) and vec_int8(v) mark those of FLOAT16 and INT8"
        );
        let json = "expected a vector, got JSON text as a BLOB: make it TEXT with CAST(... AS TEXT)";
        for text in ["[1,2]", "[1,2,3]\n", " [0.125, -2]", "[0.1,-3]"] {
            assert_eq!(message(text.as_bytes()), json, "{text}");
        }
        // Others only look like it.
        assert_eq!(
            message(b"[1,2}"),
            "expected a BLOB of FLOAT, 4 bytes per component, got 5 bytes: vec_f16(v) and vec_int8(v) mark those of FLOAT16 and INT8"
        );
        assert_eq!(decode_blob(b"[12]", Element::F32).unwrap().len(), 1);
        assert_eq!(decode_blob(b"[12,3]", Element::I8).unwrap().len(), 6);
        assert_eq!(message(&[0, 0, 0, 0, 0, 0, 0xc0, 0x7f]), "component 1: expected a finite number, got NaN");
        assert_eq!(message(&[0, 0, 0x80, 0xff]), "component 0: expected a finite number, got -inf");
    }

    #[test]
    fn json_output_is_the_shortest_that_reads_back() {
        let vector = [1.0, -2.5, 0.1, 1.0 / 3.0, 1e-7, 1e20, -0.0, f32::MAX, 16_777_216.0];
        assert_eq!(to_json(&vector), "[1,-2.5,0.1,0.33333334,1e-7,1e20,-0,3.4028235e38,16777216]");
    }

    proptest! {
        #[test]
        fn json_survives_the_round_trip(bits in prop::collection::vec(any::<u32>(), 1..50)) {
            let vector: Vec<f32> = bits.into_iter().map(f32::from_bits).filter(|x| x.is_finite()).collect();
            prop_assume!(!vector.is_empty());
            let back = parse_json(&to_json(&vector)).unwrap();
            prop_assert_eq!(
                vector.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                back.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            );
        }

        #[test]
        fn every_text_parses_to_a_vector_or_an_error(text in "[\\[\\], 0-9eE+.\\-a\u{e9}]{0,24}") {
            if let Ok(vector) = parse_json(&text) {
                prop_assert!(!vector.is_empty() && vector.iter().all(|x| x.is_finite()));
            }
        }
    }
}
