//! Names that were replaced by the field's own: they must not come back.

use std::fs;

use super::{Source, root, sources_in};

/// Old names of types, functions, fields and files, each with the path where the word has another, legitimate use.
const OLD_NAMES: &[(&str, &str)] = &[
    ("Aptness", ""),
    ("Arrival", ""),
    ("Chain", ""),
    ("Choice", ""),
    ("HitRow", ""),
    ("KeptRows", ""),
    ("Look", ""),
    ("Moment", ""),
    ("Overlay", ""),
    ("Pool", ""),
    ("Pooled", ""),
    ("Question", ""),
    ("Reach", ""),
    ("Shelf", ""),
    ("Slab", ""),
    ("Space", ""),
    ("Surroundings", ""),
    // A refusal of the model that the random operations are compared with.
    ("Taken", "tests/cases/safety/model.rs"),
    ("Told", ""),
    ("Warm", ""),
    ("broken_at", ""),
    ("carve", ""),
    ("cool", ""),
    // The numeric operation: collects vectors by their numbers.
    ("gather", "extension/src/hnsw/build/"),
    ("give_nodes", ""),
    ("growth", ""),
    ("has_lapsed", ""),
    ("hit_row", ""),
    ("numbering", ""),
    ("overlay", ""),
    ("pile", ""),
    ("pool", ""),
    ("relieve", ""),
    ("shed", ""),
    ("shelf", ""),
    ("take_back", ""),
    ("twins", ""),
];

/// Names of files that were renamed.
const OLD_FILES: &[&str] = &["feed.rs", "gather.rs", "hit_row.rs", "machine.rs", "overlay.rs", "pool.rs", "shelf.rs"];

/// The folders that are held to this.
const FOLDERS: &[&str] = &[
    "extension/src",
    "extension/tests",
    "extension/benches",
    "importer/src",
    "importer/tests",
    "tests/cases",
    "tests/support",
];

const DOCUMENTS: &[&str] = &["extension/DESIGN.md", "extension/FORMAT.md", "CONTRIBUTING.md"];

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The code of a source, and what its comments quote as code.
fn code_and_quotes(text: &str) -> Vec<&str> {
    let of_line = |line| if str::trim_start(line).starts_with("//") { quoted(line).collect() } else { vec![line] };
    text.lines().flat_map(of_line).collect()
}

fn old_names(path: &str, code: &[&str]) -> Vec<String> {
    let words = code.iter().flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let is_old = |word: &&str| {
        let old = OLD_NAMES.iter().find(|(name, _)| name == word);
        old.is_some_and(|(_, except)| except.is_empty() || !path.starts_with(except))
    };
    words.filter(is_old).map(|word| format!("{path}: {word}")).collect()
}

#[test]
fn old_names_are_used_nowhere() {
    let workspace = root().with_file_name("");
    let (mut wrong, mut read) = (Vec::new(), 0);
    for folder in FOLDERS {
        for Source { name, text } in sources_in(&workspace.join(folder)) {
            let path = format!("{folder}/{name}");
            // The list itself, and the generated declarations of SQLite.
            if path.ends_with("architecture/names.rs") || path.ends_with("sqlite/bindings.rs") {
                continue;
            }
            let file = path.rsplit('/').next().unwrap_or_default();
            wrong.extend(OLD_FILES.contains(&file).then(|| path.clone()));
            wrong.extend(old_names(&path, &code_and_quotes(&text)));
            read += 1;
        }
    }
    for document in DOCUMENTS {
        let text = fs::read_to_string(workspace.join(document)).unwrap();
        wrong.extend(old_names(document, &quoted(&text).collect::<Vec<_>>()));
    }
    assert!(read > 150, "the sources are seen: {read}");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn an_old_name_is_found_in_code_and_in_quoted_code_of_comments() {
    let text = "// A shelf, `Shelf::take`.\nlet shelf = self.cool();\n    /// Uses `overlay`, not overlays.\n";
    assert_eq!(
        old_names("a.rs", &code_and_quotes(text)),
        ["a.rs: Shelf", "a.rs: shelf", "a.rs: cool", "a.rs: overlay"]
    );
    assert_eq!(old_names("extension/src/hnsw/build/x.rs", &["gather()"]), Vec::<String>::new());
    assert_eq!(old_names("extension/src/vtab/x.rs", &["gather()"]).len(), 1);
}
