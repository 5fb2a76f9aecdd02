//! The manifest: a JSON file that names the shards.

use crate::failure::{Failure, Result};
use crate::screen::json_lines;
use serde_json::{Value, json};
use std::path::Path;

const VERSION: u64 = 1;

/// The function that divides the rows, as other programs know it.
const HASH: &str = "crc32";

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its name, beside the manifest.
    pub file: String,
    /// Rows when it was imported.
    pub rows: u64,
}

impl Shard {
    pub fn json(&self) -> Value {
        json!({ "file": self.file, "rows": self.rows })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Counts the imports.
    pub generation: u64,
    pub table: String,
    pub shard_by: String,
    pub shards: Vec<Shard>,
    /// Files that the manifest before this one named: some may still open them.
    pub before: Vec<String>,
}

impl Manifest {
    pub fn text(&self) -> String {
        let shards: Vec<Value> = self.shards.iter().map(Shard::json).collect();
        json_lines(&json!({
            "vecrank_shards": VERSION,
            "generation": self.generation,
            "table": self.table,
            "shard_by": self.shard_by,
            "hash": HASH,
            "rows": self.shards.iter().map(|shard| shard.rows).sum::<u64>(),
            "shards": shards,
            "before": self.before,
        })) + "\n"
    }

    /// Reads a manifest; any other file is refused, for it may be there by a mistyped name.
    pub fn parse(text: &str, path: &Path) -> Result<Manifest> {
        let at = |text: String| Failure::new(text).at(path.display());
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        match value.get("vecrank_shards").and_then(Value::as_u64) {
            None => Err(at("exists and is not a manifest of shards; it was not touched".to_owned())),
            Some(VERSION) => {
                Manifest::from_json(&value).ok_or_else(|| at("damaged: not as an import writes it".to_owned()))
            }
            Some(version) => {
                Err(at(format!("a manifest of version {version}, expected {VERSION}: vecrank is too old for it")))
            }
        }
    }

    /// None if something is missing, or of another type.
    fn from_json(value: &Value) -> Option<Manifest> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let file = |value: &Value| text(value).filter(|name| is_shard_name(name));
        let shard = |value: &Value| Some(Shard { file: file(value.get("file")?)?, rows: value.get("rows")?.as_u64()? });
        let shards: Vec<Shard> = value.get("shards")?.as_array()?.iter().map(shard).collect::<Option<_>>()?;
        if shards.is_empty() || value.get("hash")?.as_str()? != HASH {
            return None;
        }
        Some(Manifest {
            generation: value.get("generation")?.as_u64()?,
            table: text(value.get("table")?)?,
            shard_by: text(value.get("shard_by")?)?,
            shards,
            before: value.get("before")?.as_array()?.iter().map(file).collect::<Option<_>>()?,
        })
    }
}

/// The name of a shard's file: those that the manifest no longer names are removed, so it must be nothing else.
pub fn shard_name(stem: &str, generation: u64, number: usize) -> String {
    format!("{stem}-{generation}-{number}.db")
}

fn is_shard_name(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.strip_suffix(".db").unwrap_or_default().rsplitn(3, '-');
    let numbers = parts.next().is_some_and(is_number) && parts.next().is_some_and(is_number);
    numbers && parts.next().is_some() && Path::new(name).file_name().is_some_and(|last| last == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let shard = |number| Shard { file: shard_name("my feed", 7, number), rows: 10 + number as u64 };
        Manifest {
            generation: 7,
            table: "articles".to_owned(),
            shard_by: "id".to_owned(),
            shards: vec![shard(0), shard(1)],
            before: vec![shard_name("my feed", 6, 0)],
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let path = Path::new("feed.json");
        let text = manifest().text();
        assert_eq!(Manifest::parse(&text, path).unwrap(), manifest());
        let refused = |text: &str| Manifest::parse(text, path).unwrap_err().to_string();
        let other = "feed.json: exists and is not a manifest of shards; it was not touched";
        for text in ["", "{}", "[1]", "no JSON", "{\"vecrank_shards\": \"1\"}"] {
            assert_eq!(refused(text), other);
        }
        assert_eq!(
            refused(&text.replace("\"vecrank_shards\": 1", "\"vecrank_shards\": 2")),
            "feed.json: a manifest of version 2, expected 1: vecrank is too old for it"
        );
        let damaged = "feed.json: damaged: not as an import writes it";
        for (from, to) in [
            ("crc32", "md5"),
            ("my feed-7-1.db", "../feed-7-1.db"),
            ("my feed-7-1.db", "/etc/passwd"),
            ("my feed-6-0.db", "notes.db"),
            ("my feed-6-0.db", "folder/feed-6-0.db"),
            ("\"rows\": 11", "\"rows\": -11"),
            ("\"generation\": 7", "\"generation\": \"7\""),
        ] {
            assert!(text.contains(from), "{from}");
            assert_eq!(refused(&text.replace(from, to)), damaged, "{to}");
        }
    }
}
