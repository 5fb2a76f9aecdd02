//! Reads the sources and holds the rules of CONTRIBUTING.md: which layer imports which, where `unsafe` may stand, what
//! the layers below storage know nothing of, which names are used.

mod circles;
mod names;
mod rows_table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and the layers that it may import besides `error`. lib.rs may import all.
const LAYERS: &[(&str, &[&str])] = &[
    ("functions", &["distance", "sqlite"]),
    // It uses the parser of `functions` and the version number of `format`.
    ("vtab", &["functions", "filter", "storage", "format", "hnsw", "distance", "sqlite"]),
    ("filter", &[]),
    ("storage", &["format", "hnsw", "quantize", "distance", "memory_hints", "sqlite"]),
    ("hnsw", &["quantize", "distance", "format"]),
    ("quantize", &["distance", "format"]),
    ("distance", &[]),
    ("format", &[]),
    ("memory_hints", &[]),
    ("sqlite", &[]),
    ("error", &[]),
];

/// The files that may have `unsafe`: FFI, memory hints, and code for one CPU.
const UNSAFE: &[&str] = &[
    "lib.rs",
    "sqlite/",
    "memory_hints.rs",
    "distance/x86_64.rs",
    "distance/aarch64.rs",
    "distance/wasm32.rs",
    "distance/block.rs",
    "distance/dispatch.rs",
    "quantize/fastscan.rs",
];

/// The layers below storage and filter. They use no SQL, no clock and no unseeded randomness.
const PURE: &[&str] = &["hnsw", "quantize", "distance", "format"];

struct Source {
    /// The path below the folder that was read, with slashes.
    name: String,
    text: String,
}

impl Source {
    /// "hnsw" for hnsw/search.rs; "error" for error.rs.
    fn layer(&self) -> &str {
        let first = self.name.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The lines of code with their numbers, without comments and without the unit tests at the end of a file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text.get(..tests).unwrap_or_default().lines();
        lines
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line))
    }

    /// The layers that the code names after `crate::`, or in `crate::{a, b}`.
    fn imports(&self) -> BTreeSet<String> {
        let code: String = self.code().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        let mut found = BTreeSet::new();
        for rest in code.split("crate::").skip(1) {
            let rest = rest.trim_start();
            match rest.strip_prefix('{') {
                None => found.extend(identifier(rest)),
                Some(group) => found.extend(group_of(group).split(',').filter_map(|item| identifier(item.trim()))),
            }
        }
        // lib.rs re-exports these.
        found
            .into_iter()
            .map(|name| if name == "Error" || name == "Result" { "error".to_owned() } else { name })
            .collect()
    }
}

/// The text up to the brace that closes the group, without nested groups.
fn group_of(text: &str) -> String {
    let mut depth = 1;
    let mut kept = String::new();
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 1 => kept.push(character),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    kept
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("extension")
}

fn sources() -> Vec<Source> {
    let sources = sources_in(&root().join("src"));
    assert!(sources.len() > 30, "the sources are there");
    sources
}

fn sources_in(folder: &Path) -> Vec<Source> {
    let (mut folders, mut sources) = (vec![folder.to_owned()], Vec::new());
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push(Source { name, text: fs::read_to_string(path).unwrap() });
            }
        }
    }
    sources
}

#[test]
fn layers_import_only_what_the_diagram_allows() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.layer() != "lib") {
        let layer = LAYERS.iter().find(|(name, _)| *name == source.layer());
        let (name, allowed) = layer.unwrap_or_else(|| panic!("{} belongs to no layer", source.name));
        for import in source.imports() {
            if import != *name && import != "error" && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", source.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The names in each row of DESIGN.md's table: the layer, and those that it may import.
fn layers_of_the_document(document: &str) -> Vec<Vec<&str>> {
    let (_, table) = document.split_once("| layer | may import, besides `error` |").expect("the table of layers");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').skip(1).step_by(2).collect()).collect()
}

#[test]
fn the_design_document_has_the_same_layers() {
    let document = fs::read_to_string(root().join("DESIGN.md")).unwrap();
    let held = LAYERS.iter().filter(|(name, _)| *name != "error");
    let held: Vec<Vec<&str>> = held.map(|(name, allowed)| [&[*name], *allowed].concat()).collect();
    assert_eq!(layers_of_the_document(&document), held);
    let entry = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let comment: String =
        entry.lines().filter_map(|line| line.strip_prefix("//! ")).map(|line| format!("{line}\n")).collect();
    let (_, diagram) = comment.split_once("```text\n").expect("the diagram of lib.rs");
    let (diagram, _) = diagram.split_once("```").unwrap();
    assert!(document.contains(diagram), "DESIGN.md has not the diagram of lib.rs");
}

/// The row of each folder in the table of "Folder by folder" names the modules of its files.
#[test]
fn the_walk_of_the_design_document_names_every_module() {
    let document = fs::read_to_string(root().join("DESIGN.md")).unwrap();
    let (_, walk) = document.split_once("## Folder by folder\n").expect("the walk");
    let mut missing = Vec::new();
    for source in sources() {
        let (folder, file) = source.name.rsplit_once('/').unwrap_or(("src", &source.name));
        let module = file.strip_suffix(".rs").unwrap_or(file);
        let row = walk.lines().find(|line| line.starts_with(&format!("| `{folder}/` |")));
        let is_named = row.is_some_and(|row| row.contains(&format!("`{module}`")));
        // Unit tests in a file of their own belong to the module that their folder is named after.
        if !is_named && !["lib", "mod", "tests"].contains(&module) {
            missing.push(source.name);
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// `vtab/update.rs::insert` in DESIGN.md is a function of that file.
#[test]
fn the_functions_in_the_design_document_exist() {
    let document = fs::read_to_string(root().join("DESIGN.md")).unwrap();
    let sources = sources();
    let (mut named, mut wrong) = (0, Vec::new());
    for (file, function) in document.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::")) {
        let source = sources.iter().find(|source| source.name.strip_suffix(".rs") == Some(file));
        let is_definition =
            |line: &str| line.split("fn ").skip(1).any(|rest| identifier(rest).is_some_and(|name| name == function));
        if !source.is_some_and(|source| source.code().any(|(_, line)| is_definition(line))) {
            wrong.push(format!("{file}.rs::{function}"));
        }
        named += 1;
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(named > 60, "the names are seen: {named}");
}

#[test]
fn unsafe_stands_only_at_the_border_and_in_kernels() {
    let mut wrong = Vec::new();
    for source in sources() {
        let is_allowed =
            UNSAFE.iter().any(|place| source.name == *place || place.ends_with('/') && source.name.starts_with(place));
        let words = |line: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        wrong.extend(
            source
                .code()
                .filter(|(_, line)| !is_allowed && words(line))
                .map(|(number, _)| format!("{}:{number}", source.name)),
        );
        if source.name != "lib.rs" && !["sqlite", "memory_hints"].contains(&source.layer()) {
            wrong.extend(
                source
                    .code()
                    .filter(|(_, line)| line.contains("extern \"C\""))
                    .map(|(number, _)| format!("{}:{number}", source.name)),
            );
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn layers_without_unsafe_forbid_it() {
    for layer in ["hnsw", "format", "filter"] {
        let text = fs::read_to_string(root().join("src").join(layer).join("mod.rs")).unwrap();
        assert!(
            text.lines().any(|line| line == "#![forbid(unsafe_code)]"),
            "{layer}/mod.rs does not forbid unsafe code"
        );
    }
}

/// The compiler and Clippy hold other rules. This holds their settings.
#[test]
fn required_lints_are_denied() {
    let workspace = fs::read_to_string(root().with_file_name("Cargo.toml")).unwrap();
    for lint in [
        "unsafe_op_in_unsafe_fn",
        "undocumented_unsafe_blocks",
        "host_endian_bytes",
        "dbg_macro",
        "todo",
        "unimplemented",
    ] {
        assert!(workspace.lines().any(|line| line == format!("{lint} = \"deny\"")), "{lint} is not denied");
    }
    // With abort, a panic would end the host.
    assert!(!workspace.contains("abort"), "panic = \"abort\" must not be set");
    for member in ["extension", "importer", "tests"] {
        let manifest = fs::read_to_string(root().with_file_name(member).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member} does not take the workspace's lints");
    }
    for source in sources() {
        for lint in ["undocumented_unsafe_blocks", "unsafe_op_in_unsafe_fn", "host_endian_bytes"] {
            assert!(!source.text.contains(lint), "{} switches {lint} off", source.name);
        }
    }
}

/// The function table of an old host is shorter. So a member newer than the floor needs a gate, `Api::has`. (The last
/// member of 3.38 is vtab_in_next.)
#[test]
fn members_newer_than_the_floor_are_read_behind_a_gate() {
    let gated = ["is_interrupted"];
    let sources = sources();
    let bindings = sources.iter().find(|source| source.name == "sqlite/bindings.rs").unwrap();
    let (_, table) = bindings.text.split_once("pub struct sqlite3_api_routines {").unwrap();
    let (_, newer) = table.split_once("pub vtab_in_next:").unwrap();
    let newer: Vec<String> = newer.split("    pub ").skip(1).filter_map(identifier).collect();
    assert!(newer.len() > 10 && newer.iter().any(|member| member == "is_interrupted"), "{newer:?}");
    let mut read = 0;
    for source in sources.iter().filter(|source| source.layer() == "sqlite" && source.name != bindings.name) {
        let code: String = source.code().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        for call in code.split("call!(").skip(1) {
            let member = call.split_once(',').and_then(|(_, rest)| identifier(rest.trim_start())).unwrap_or_default();
            let is_gated = gated.contains(&member.as_str());
            assert!(!newer.contains(&member) || is_gated, "{}: {member} is newer than 3.38", source.name);
            read += 1;
        }
    }
    assert!(read > 50, "the calls are seen: {read}");
}

#[test]
fn layers_below_storage_use_no_sql_clock_or_randomness() {
    let words =
        ["SELECT ", "INSERT INTO", "CREATE TABLE", "std::time", "SystemTime", "Instant::", "rand::", "RandomState"];
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.layer())) {
        for (number, line) in source.code() {
            wrong.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{}:{number} {word}", source.name)),
            );
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Tests that may read the clock: to wait for a condition with a limit, and to stop an import at a random moment.
const MAY_READ_THE_CLOCK: &[&str] =
    &["importer/tests/support/mod.rs", "importer/tests/nightly.rs", "importer/tests/mirror.rs"];

/// Durations depend on the load of the machine.
#[test]
fn tests_read_no_clock() {
    let workspace = root().with_file_name("");
    let (mut wrong, mut read) = (Vec::new(), 0);
    for folder in ["tests/cases", "tests/support", "importer/tests", "extension/tests"] {
        for source in sources_in(&workspace.join(folder)) {
            let name = format!("{folder}/{}", source.name);
            read += 1;
            if name != "tests/cases/architecture/main.rs" && !MAY_READ_THE_CLOCK.contains(&name.as_str()) {
                let is_clock =
                    |line: &str| ["Instant", "SystemTime", ".elapsed()"].iter().any(|word| line.contains(word));
                wrong.extend(source.code().filter(|(_, line)| is_clock(line)).map(|(n, _)| format!("{name}:{n}")));
            }
        }
    }
    assert!(read > 60, "the tests are seen: {read}");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn imports_are_read_in_every_form() {
    let text = "use crate::error::Result;\nuse crate::{Error, hnsw::{store::X, search}, vtab};\n// use crate::no;\nfn f() { crate::format::g() }\n#[cfg(test)]\nmod tests { use crate::never; }";
    let source = Source { name: "storage/store.rs".into(), text: text.into() };
    assert_eq!(source.layer(), "storage");
    assert_eq!(source.imports().into_iter().collect::<Vec<_>>(), ["error", "format", "hnsw", "vtab"]);
}
