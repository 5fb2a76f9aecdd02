//! Standard output, and the escaping of text for terminals.
//!
//! A name or a value may hold escape sequences, which a terminal obeys. Text for people (summaries, warnings, errors)
//! has its names escaped wherever it goes; data (`--csv`, `--json`, rows) stay as they are, unless they go to a
//! terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, StdoutLock, Write};

/// A name, a value or a message with its control characters escaped, such as `\x1b`, `\n` and `\u{202e}`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    text.chars().for_each(|c| push_escaped(&mut shown, c));
    Cow::Owned(shown)
}

fn push_escaped(shown: &mut String, c: char) {
    match c {
        '\n' | '\r' | '\t' => shown.extend(c.escape_default()),
        c if c.is_control() => drop(write!(shown, "\\x{:02x}", u32::from(c))),
        c if is_control(c) => shown.extend(c.escape_unicode()),
        c => shown.push(c),
    }
}

/// What a terminal obeys instead of showing it: control characters, and those of Unicode's format characters and
/// separators that turn text around, break lines or hide. The joiners U+200C and U+200D stay, without which words of
/// some languages and many emoji are others.
pub fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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
    let is_left = |c: char| c > '\u{7e}' && is_control(c);
    if !text.contains(is_left) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_left(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Standard output, locked.
pub fn stdout() -> Screen<StdoutLock<'static>> {
    let out = io::stdout().lock();
    Screen { escapes: out.is_terminal(), out, cut: Vec::new() }
}

/// Escapes control characters, but for line ends and tabs, if a terminal reads them.
pub struct Screen<W> {
    out: W,
    escapes: bool,
    /// The start of a character whose other bytes were not written yet.
    cut: Vec<u8>,
}

impl<W> Screen<W> {
    pub fn is_terminal(&self) -> bool {
        self.escapes
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.escapes {
            return self.out.write(bytes);
        }
        let mut text = std::mem::take(&mut self.cut);
        text.extend_from_slice(bytes);
        let mut shown = String::with_capacity(text.len() + 8);
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for c in chunk.valid().chars() {
                if matches!(c, '\n' | '\t') { shown.push(c) } else { push_escaped(&mut shown, c) }
            }
            let is_cut = str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
            if is_cut && chunks.peek().is_none() {
                self.cut = chunk.invalid().to_vec();
            } else {
                for byte in chunk.invalid() {
                    let _ = write!(shown, "\\x{byte:02x}");
                }
            }
        }
        self.out.write_all(shown.as_bytes())?;
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
        assert_eq!(
            escaped("a\u{202e}b\u{2066}\u{200f}\u{feff}\u{2028}\u{e0041}"),
            "a\\u{202e}b\\u{2066}\\u{200f}\\u{feff}\\u{2028}\\u{e0041}"
        );
        assert_eq!(escaped("می\u{200c}روم 👩\u{200d}🌾 e\u{301}"), "می\u{200c}روم 👩\u{200d}🌾 e\u{301}");
    }

    #[test]
    fn json_has_no_control_characters() {
        let text = json_text(&serde_json::json!("a\u{1b}\u{7f}\u{9b}ü\u{202e}\u{e0041}\n"));
        assert_eq!(text, "\"a\\u001b\\u007f\\u009bü\\u202e\\udb40\\udc41\\n\"");
    }

    #[test]
    fn text_is_escaped_alike_in_whatever_pieces_it_is_written() {
        let text = "größe ¢\tb\u{1b}]0;x\u{7}\u{9b}31m\u{85}\u{202e}€\u{e0041}👩\r\n";
        let shown = "größe ¢\tb\\x1b]0;x\\x07\\x9b31m\\x85\\u{202e}€\\u{e0041}👩\\r\n";
        for piece in [1, 2, 3, 100] {
            let mut screen = Screen { out: Vec::new(), escapes: true, cut: Vec::new() };
            text.as_bytes().chunks(piece).for_each(|piece| screen.write_all(piece).unwrap());
            assert_eq!(String::from_utf8(screen.out).unwrap(), shown);
        }
        let mut file = Screen { out: Vec::new(), escapes: false, cut: Vec::new() };
        file.write_all(text.as_bytes()).unwrap();
        assert_eq!(file.out, text.as_bytes());
        let mut screen = Screen { out: Vec::new(), escapes: true, cut: Vec::new() };
        for piece in [&b"a\x9b\xe2\x80"[..], b"b\xc2", b"\n"] {
            screen.write_all(piece).unwrap();
        }
        assert_eq!(String::from_utf8(screen.out).unwrap(), "a\\x9b\\xe2\\x80b\\xc2\n");
    }
}
