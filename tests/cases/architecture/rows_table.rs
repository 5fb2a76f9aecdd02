//! The rows table `<table>_rows` has one owner: `vtab/rows/` holds all SQL on it.

use super::{Source, sources};

const OWNER: &str = "vtab/rows/";
/// Creates, drops and renames all shadow tables alike.
const SHADOW_TABLES: &str = "storage/shadow.rs";

/// Words that only SQL has.
const SQL: &[&str] = &["SELECT ", "INSERT INTO ", "REPLACE INTO ", "UPDATE ", "DELETE FROM ", "CREATE ", "DROP "];
/// Names of the rows table, as a statement of Rust may write them beside SQL.
const NAMES: &[&str] = &["_rows", "rows_table", "\"rows\"", "ROWS", ".rows)", ".rows,", "{rows}", "{rows}\\\""];
/// Ways to get the table's name for SQL, whatever they are used for.
const FOR_SQL: &[&str] = &["shadow(\"rows\")", "shadow(ROWS)", "shadow(shadow::ROWS)", "shadow_name(ROWS)"];

/// The statements of a source that are SQL on the rows table.
fn statements_on_rows(source: &Source) -> Vec<String> {
    let code: String = source.code().map(|(_, line)| format!("{} ", line.trim())).collect();
    let is_on_rows = |statement: &&str| {
        let has = |words: &[&str]| words.iter().any(|word| statement.contains(word));
        // Identifiers that end so are functions and variables, not the table.
        let names = statement.replace("_rows(", "(").replace("_rows:", ":");
        has(FOR_SQL) || has(SQL) && NAMES.iter().any(|name| names.contains(name))
    };
    code.split(';').filter(is_on_rows).map(|statement| format!("{}: {}", source.name, statement.trim())).collect()
}

#[test]
fn only_the_owner_of_the_rows_table_has_sql_on_it() {
    let (owner, others): (Vec<Source>, Vec<Source>) =
        sources().into_iter().partition(|source| source.name.starts_with(OWNER));
    let is_held = |source: &&Source| source.name != SHADOW_TABLES && !source.name.ends_with("/tests.rs");
    let wrong: Vec<String> = others.iter().filter(is_held).flat_map(statements_on_rows).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let seen = owner.iter().flat_map(statements_on_rows).count();
    assert!(seen > 15, "the owner's own SQL is seen: {seen}");
}

#[test]
fn sql_on_the_rows_table_is_seen_however_it_is_written() {
    let seen = |text: &str| statements_on_rows(&Source { name: "vtab/info.rs".into(), text: text.into() }).len();
    for text in [
        "let sql = format!(\"SELECT 1 FROM {}\", names.rows);",
        "let sql = format!(\n    \"DELETE FROM {} WHERE x\",\n    names.rows_table(),\n);",
        "let rows = 1;\nlet sql = format!(\"UPDATE {rows} SET a = 1\");",
        "db.run(\"SELECT * FROM t_rows\", &[])?;",
        "let rows = owner.shadow(\"rows\");",
        "let name = owner.shadow(ROWS);",
    ] {
        assert_eq!(seen(text), 1, "{text}");
    }
    for text in [
        "return Err(Error::invalid(format!(\"a trigger on {} refuses\", names.rows_table())));",
        "let sql = format!(\"SELECT 1 FROM {}\", owner.shadow(\"config\"));",
        "// SELECT 1 FROM t_rows;",
    ] {
        assert_eq!(seen(text), 0, "{text}");
    }
}
