//! What an import says when it is done.

use crate::args::ImportArgs;
use crate::failure::Result;
use crate::load::Outcome;
use crate::manifest::Shard;
use crate::mirror::Changes;
use crate::options::Mode;
use crate::plan::{Kind, Plan, describe};
use crate::report::{human_bytes, plural};
use crate::screen::{escaped, json_text, stdout};
use crate::sql::{literal, quote_if_needed};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How many databases SQLite attaches, unless it was built for more.
const MOST_ATTACHED: usize = 10;

/// To the millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// What an import made.
pub enum Files<'a> {
    One(&'a Path),
    /// In the folder of the manifest.
    Shards(&'a [Shard]),
}

/// The summary on standard output.
pub struct Summary<'a> {
    pub plan: &'a Plan,
    pub outcome: &'a Outcome,
    /// Of --mirror.
    pub changes: Option<Changes>,
    pub files: Files<'a>,
    pub took: Duration,
    pub phases: Vec<(&'static str, Duration)>,
}

impl Summary<'_> {
    pub fn print(&self, args: &ImportArgs) -> Result<()> {
        let mut out = stdout();
        if args.json {
            writeln!(out, "{}", json_text(&self.json(args)))?;
        } else {
            write!(out, "{}", self.text(args))?;
        }
        Ok(())
    }

    fn file_bytes(&self, args: &ImportArgs) -> u64 {
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        match self.files {
            Files::One(path) => bytes(path),
            Files::Shards(shards) => shards.iter().map(|shard| bytes(&args.database.with_file_name(&shard.file))).sum(),
        }
    }

    fn text(&self, args: &ImportArgs) -> String {
        let mut counts = plural(self.outcome.rows, "row");
        if matches!(self.plan.options.mode, Mode::Append | Mode::Upsert) {
            counts += " added";
        }
        if let Some(changes) = &self.changes {
            let Changes { inserted, updated, deleted } = changes;
            counts += &format!(", {inserted} inserted, {updated} updated, {deleted} deleted");
        }
        if self.outcome.skipped > 0 {
            counts += &format!(", {} skipped", self.outcome.skipped);
        }
        if self.outcome.without_vector > 0 {
            counts += &format!(", {} left out", plural(self.outcome.without_vector, "vector"));
        }
        let phases =
            self.phases.iter().map(|(phase, took)| format!("{} {:.1}", phase.to_lowercase(), took.as_secs_f64()));
        let vectors = self.plan.vectors().map(|(name, vector)| format!("{} {}", escaped(name), describe(vector)));
        let kept = self.plan.keeps.iter().map(|name| format!("{} kept", escaped(name)));
        let vectors: Vec<String> = vectors.chain(kept).collect();
        let shards = match self.files {
            Files::One(_) => String::new(),
            Files::Shards(shards) => format!(" in {}", plural(shards.len() as u64, "shard")),
        };
        format!(
            "{}: table {}{shards}, {counts}, {}, {:.1} s ({}), {}\n\n{}\n",
            escaped(&args.database.to_string_lossy()),
            escaped(&self.plan.options.table),
            vectors.join(", "),
            self.took.as_secs_f64(),
            phases.collect::<Vec<_>>().join(", "),
            human_bytes(self.file_bytes(args)),
            self.example(args, &|name| escaped(&quote_if_needed(name)).into_owned())
        )
    }

    fn json(&self, args: &ImportArgs) -> serde_json::Value {
        let vectors = self.plan.vectors().map(|(name, vector)| {
            json!({ "column": name, "type": vector.element.name(), "dims": vector.dims, "metric": vector.metric.name() })
        });
        let phases = self.phases.iter().map(|&(phase, took)| json!({ "phase": phase, "seconds": seconds(took) }));
        let mut summary = json!({
            "database": args.database.to_string_lossy(),
            "table": self.plan.options.table,
            "rows": self.outcome.rows,
            "skipped": self.outcome.skipped,
            "without_vector": self.outcome.without_vector,
            "vectors": vectors.collect::<Vec<_>>(),
            "seconds": seconds(self.took),
            "phases": phases.collect::<Vec<_>>(),
            "bytes": self.file_bytes(args),
            "sql": self.example(args, &quote_if_needed),
        });
        if let Some(changes) = &self.changes {
            summary["inserted"] = json!(changes.inserted);
            summary["updated"] = json!(changes.updated);
            summary["deleted"] = json!(changes.deleted);
        }
        if let Files::Shards(shards) = self.files {
            summary["shards"] = shards.iter().map(Shard::json).collect();
        }
        summary
    }

    /// A statement to paste: the rows nearest to the first row. Of shards, it merges the pages of all: the first is
    /// the open database. It is empty where SQLite attaches no more databases.
    fn example(&self, args: &ImportArgs, name: &dyn Fn(&str) -> String) -> String {
        let vectors = self.plan.vectors().map(|(name, _)| name);
        let Some(vector) = vectors.chain(self.plan.keeps.iter().map(String::as_str)).next() else {
            return String::new();
        };
        let (vector, table) = (name(vector), name(&self.plan.options.table));
        let columns = self.shown_columns(name).join(", ");
        let page = |of: &str, first: &str| {
            format!(
                "SELECT {columns} FROM {of}{table}\n\
                 WHERE {vector} MATCH (SELECT {vector} FROM {first}{table} WHERE {vector} IS NOT NULL LIMIT 1)\n"
            )
        };
        let shards = match self.files {
            Files::One(_) => return format!("{}ORDER BY distance LIMIT 10;", page("", "")),
            Files::Shards(shards) if shards.len() > MOST_ATTACHED + 1 => return String::new(),
            Files::Shards(shards) => shards,
        };
        let mut sql = String::new();
        for (number, shard) in shards.iter().enumerate().skip(1) {
            let path = args.database.with_file_name(&shard.file);
            sql += &format!("ATTACH {} AS shard{number};\n", literal(&path.to_string_lossy()));
        }
        let schemas =
            (0..shards.len()).map(|number| if number == 0 { "main.".to_owned() } else { format!("shard{number}.") });
        let pages: Vec<String> = schemas.map(|schema| page(&schema, "main.")).collect();
        format!("{sql}{}ORDER BY distance LIMIT 10;", pages.join("UNION ALL\n"))
    }

    /// Names of three columns, the key first, and the distance.
    fn shown_columns(&self, name: &dyn Fn(&str) -> String) -> Vec<String> {
        let key = self.plan.key.and_then(|key| self.plan.columns.get(key));
        let others = self.plan.columns.iter().filter(|column| matches!(column.kind, Kind::Ordinary { .. }));
        let mut shown: Vec<String> = key.into_iter().map(|column| name(&column.name)).collect();
        for column in others.map(|column| name(&column.name)) {
            if shown.len() < 3 && !shown.contains(&column) {
                shown.push(column);
            }
        }
        shown.push("distance".to_owned());
        shown
    }
}
