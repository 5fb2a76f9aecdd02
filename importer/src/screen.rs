//! What goes to standard output, and text that may go to a terminal.
//!
//! A name or a value may hold escape sequences, which a terminal obeys. Text for people (summaries, warnings, errors) has
//! its names escaped wherever it goes; data (`--csv`, `--json`, rows) stay as they are, unless they go to a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, StdoutLock, Write};

/// A name, a value or a message with its control characters escaped, such as `\x1b` and `\n`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.extend(c.escape_default()),
            c if c.is_control() => drop(write!(shown, "\\x{:02x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// JSON on one line. serde_json leaves DEL and the control characters above it as they are.
pub fn json_text(value: &serde_json::Value) -> String {
    json_escaped(value.to_string())
}

/// JSON on lines of its own.
pub fn json_lines(value: &serde_json::Value) -> String {
    json_escaped(serde_json::to_string_pretty(value).unwrap_or_default())
}

fn json_escaped(text: String) -> String {
    let is_left = |c: char| ('\u{7f}'..='\u{9f}').contains(&c);
    if !text.contains(is_left) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_left(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Standard output, locked.
pub fn stdout() -> Screen<StdoutLock<'static>> {
    let out = io::stdout().lock();
    Screen { escapes: out.is_terminal(), out, lead: false }
}

/// Escapes control characters, but for line ends and tabs, if a terminal reads them.
pub struct Screen<W> {
    out: W,
    escapes: bool,
    /// The last byte written was the first one of what may be a control character above 0x7f.
    lead: bool,
}

impl<W> Screen<W> {
    pub fn is_terminal(&self) -> bool {
        self.escapes
    }
}

/// The first byte of the UTF-8 of 0x80 to 0xbf.
const LEAD: u8 = 0xc2;

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.escapes {
            return self.out.write(bytes);
        }
        let mut shown = Vec::with_capacity(bytes.len() + 8);
        for &byte in bytes {
            let is_control = matches!(byte, 0..0x20 | 0x7f) && !matches!(byte, b'\n' | b'\t')
                || self.lead && (0x80..0xa0).contains(&byte);
            if self.lead && !is_control {
                shown.push(LEAD);
            }
            self.lead = byte == LEAD;
            match byte {
                LEAD => {}
                _ if is_control => write!(shown, "\\x{byte:02x}")?,
                _ => shown.push(byte),
            }
        }
        self.out.write_all(&shown)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_names_are_escaped() {
        assert_eq!(escaped("größe"), "größe");
        assert_eq!(escaped("a\u{1b}[31m\u{7}\n\t\u{7f}\u{9b}"), "a\\x1b[31m\\x07\\n\\t\\x7f\\x9b");
    }

    #[test]
    fn json_has_no_control_characters() {
        let text = json_text(&serde_json::json!("a\u{1b}\u{7f}\u{9b}ü"));
        assert_eq!(text, "\"a\\u001b\\u007f\\u009bü\"");
    }

    #[test]
    fn a_terminal_gets_text_in_whatever_pieces_it_is_written() {
        let text = "größe ¢\tb\u{1b}]0;x\u{7}\u{9b}31m\u{85}\r\n";
        let shown = "größe ¢\tb\\x1b]0;x\\x07\\x9b31m\\x85\\x0d\n";
        for piece in [1, 2, 3, 100] {
            let mut screen = Screen { out: Vec::new(), escapes: true, lead: false };
            text.as_bytes().chunks(piece).for_each(|piece| screen.write_all(piece).unwrap());
            assert_eq!(String::from_utf8(screen.out).unwrap(), shown);
        }
        let mut file = Screen { out: Vec::new(), escapes: false, lead: false };
        file.write_all(text.as_bytes()).unwrap();
        assert_eq!(file.out, text.as_bytes());
    }
}
