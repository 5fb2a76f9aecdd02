//! A page is full at every `ef_search`, even if SQLite tests the filter itself.

use crate::{Numbers, hosts, line, rows};

const ROWS: usize = 3_000;
const DIMS: usize = 24;
const LIMIT: usize = 10;

#[test]
fn pages_are_full_at_the_smallest_ef_search() {
    for host in hosts("") {
        let mut numbers = Numbers::from_seed(5);
        let mut sql = format!(
            "CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, n INTEGER, name TEXT, e FLOAT[{DIMS}]); \
                       CREATE TABLE s(id INTEGER PRIMARY KEY, qty INTEGER); BEGIN;"
        );
        for id in 1..=ROWS as i64 {
            sql.push_str(&format!(
                "INSERT INTO t VALUES ({id}, {}, 'name {}', '{}');",
                id % 140,
                id % 97,
                numbers.vector(DIMS)
            ));
            sql.push_str(&format!("INSERT INTO s VALUES ({id}, {});", id % 11 - 5));
        }
        crate::run(&host, &(sql + "COMMIT;"));
        for from in [
            // Rows that a narrow window finds too late.
            "t WHERE vec_cosine(e, 'QUERY') <= (SELECT d FROM (SELECT vec_cosine(e, 'QUERY') AS d FROM t) ORDER BY d LIMIT 1 OFFSET 21) AND",
            "t WHERE n % 7 = 3 AND",
            "t WHERE n % 140 = 3 AND",
            "t WHERE abs(n) > 100 AND",
            "t WHERE name LIKE '%13' AND",
            "t WHERE name || '' = 'name 50' AND",
            "t WHERE (n = 3 OR name = 'name 5') AND",
            "t WHERE n NOT IN (1, 2, 3) AND",
            "t WHERE NOT n > 2 AND",
            "t WHERE EXISTS (SELECT 1 FROM s WHERE s.id = t.id AND s.qty = 5) AND",
            "t JOIN s USING (id) WHERE s.qty > 3 AND",
            "t JOIN s ON s.id = t.id AND s.qty = t.n % 11 - 5 WHERE",
            "t LEFT JOIN s ON s.id = t.id AND s.qty > 0 WHERE s.id IS NULL AND n < 30 AND",
            "t WHERE n = 3 AND",
            "t WHERE n < 70 AND",
        ] {
            for _ in 0..2 {
                let query = numbers.vector(DIMS);
                let from = from.replace("QUERY", &query);
                let all: usize = line(&host, &format!("SELECT count(*) FROM {from} true")).parse().unwrap();
                assert!(all >= 2 * LIMIT, "{from}: {all}");
                for ef in [1, 2, 4, 8] {
                    let sql = format!(
                        "SELECT t.id FROM {from} e MATCH '{query}' AND ef_search = {ef} ORDER BY distance LIMIT {LIMIT}"
                    );
                    assert_eq!(rows(&host, &sql).len(), LIMIT, "SQLite {}: {sql}: of {all}", host.version());
                }
            }
        }
    }
}
