//! Random damage of shadow rows and of whole files.

use vecrank_tests::data::{Numbers, blob};
use vecrank_tests::{Host, HostError, library};

use crate::{FileCopy, in_little_memory, is_corrupt_or_full, sound_file, try_everything};

/// A random change of a random shadow row.
fn random_damage(numbers: &mut Numbers) -> String {
    let (table, column, key) = match numbers.below(8) {
        0 => ("t_graph", "header", "column"),
        1 => ("t_graph", "entry", "column"),
        2 => ("t_rows", "e", "id"),
        3 => ("t_config", "value", "key"),
        _ => ("t_nodes", "data", "id"),
    };
    let nth = |n: usize| format!("(SELECT {key} FROM {table} LIMIT 1 OFFSET {n} % (SELECT count(*) FROM {table}))");
    let (row, other) = (nth(numbers.below(2_000)), nth(numbers.below(2_000)));
    let offset = [numbers.below(16), numbers.below(2_000)][numbers.below(2)];
    let count = [1, 1, 2, 4, 64][numbers.below(5)];
    let bytes = match numbers.below(3) {
        0 => vec![0xff; count],
        1 => vec![0; count],
        _ => numbers.bytes(count),
    };
    let value = match numbers.below(10) {
        0 => format!("substr({column}, 1, {offset})"),
        1 => format!("CAST({column} || {} AS BLOB)", blob(&bytes)),
        2 => format!("(SELECT {column} FROM {table} WHERE {key} = {other})"),
        3 => ["NULL", "0", "-1", "1 << 33", "''", "zeroblob(1000000)", "0.5"][numbers.below(7)].into(),
        4 => return format!("DELETE FROM {table} WHERE {key} = {row}"),
        5 => {
            let id = [numbers.below(2_500) as i64, -1, 1 << 32, u32::MAX.into()][numbers.below(4)];
            return format!("UPDATE OR IGNORE {table} SET {key} = {id} WHERE {key} = {row}");
        }
        _ => format!(
            "CAST(substr({column}, 1, {offset}) || {} || substr({column}, {}) AS BLOB)",
            blob(&bytes),
            offset + count + 1
        ),
    };
    // Changes one row, or all rows of the table.
    let rows = if numbers.below(4) == 0 { "true".into() } else { format!("{key} = {row}") };
    format!("UPDATE {table} SET {column} = {value} WHERE {rows}")
}

#[test]
fn random_damage_of_shadow_rows_gives_answers_or_errors() {
    if !in_little_memory("random::random_damage_of_shadow_rows_gives_answers_or_errors") {
        return;
    }
    let mut problems = Vec::new();
    let allowed = |error: &HostError| {
        let other =
            error.message.contains(" has format version ") || error.message.contains(" an entry sample of kind ");
        let newer = other && (error.message.ends_with(": upgrade it") || error.message.ends_with(": import again"));
        is_corrupt_or_full(error) || newer || error.message == "UNIQUE constraint failed: t.id"
    };
    for seed in 0..40 {
        let mut numbers = Numbers::from_seed(seed);
        let damage: Vec<String> = (0..1 + numbers.below(3)).map(|_| random_damage(&mut numbers)).collect();
        let copy = FileCopy::of(sound_file());
        // Some changes are impossible, such as a text as a rowid.
        damage.iter().for_each(|sql| drop(copy.without_the_extension().execute(sql)));
        let mut hosts = copy.hosts();
        let host = hosts.swap_remove(seed as usize % hosts.len());
        let what = format!("SQLite {}, seed {seed}: {damage:?}", host.version());
        try_everything(&host, &what, allowed, &mut problems);
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Whether an error is SQLite's own, of a file that is no database or damaged.
fn is_file_error(error: &HostError) -> bool {
    const CORRUPT: i32 = 11;
    const NOT_A_DATABASE: i32 = 26;
    const IO_ERROR: i32 = 10;
    // With a page of the schema, the table or its shadow tables may be lost.
    let lost = error.message.starts_with("no such table: ") || error.message.starts_with("hnsw_info: there is no");
    [CORRUPT, NOT_A_DATABASE, IO_ERROR].contains(&(error.code & 0xff)) || lost
}

#[test]
fn truncated_files_and_overwritten_pages_give_answers_or_errors() {
    if !in_little_memory("random::truncated_files_and_overwritten_pages_give_answers_or_errors") {
        return;
    }
    const PAGE: usize = 4096;
    let mut problems = Vec::new();
    for seed in 0..40 {
        let mut numbers = Numbers::from_seed(1_000 + seed);
        let mut bytes = sound_file().to_vec();
        // The first pages hold the schema and the roots.
        let page = PAGE * [numbers.below(12), numbers.below(bytes.len() / PAGE)][numbers.below(2)];
        let (start, count) = (page + numbers.below(PAGE), 1 + numbers.below(200));
        let what = match numbers.below(4) {
            0 => {
                bytes.truncate(page + [0, numbers.below(PAGE)][numbers.below(2)]);
                format!("truncated to {} bytes", bytes.len())
            }
            1 => {
                bytes[page..page + PAGE].copy_from_slice(&numbers.bytes(PAGE));
                format!("random bytes for page {}", page / PAGE + 1)
            }
            2 => {
                bytes[page..page + PAGE].fill(0);
                format!("zeros for page {}", page / PAGE + 1)
            }
            _ => {
                let end = (start + count).min(bytes.len());
                bytes[start..end].copy_from_slice(&numbers.bytes(end - start));
                format!("{} random bytes from {start}", end - start)
            }
        };
        let copy = FileCopy::of(&bytes);
        for host in Host::both(library()) {
            let host = host.beside(&copy.path, library());
            let what = format!("SQLite {}, seed {seed}: {what}", host.version());
            let allowed = |error: &HostError| is_file_error(error) || error.message == "UNIQUE constraint failed: t.id";
            try_everything(&host, &what, allowed, &mut problems);
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
