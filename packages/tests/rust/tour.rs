//! The tour of tour.py: prints it as JSON. Its texts need no escapes.

use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Result};

const LIKES: &str = "SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')";
const FILTER: &str = "AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: it is sqlite3_auto_extension() of the library that rusqlite uses.
    unsafe { vecrank::register_auto_extension(rusqlite::ffi::sqlite3_auto_extension)? };
    let db = Connection::open(std::env::args().nth(1).ok_or("usage: tour FEED.DB")?)?;

    let mut sum = vec![0.0; 256];
    for like in column::<Vec<u8>>(&db, LIKES, [])? {
        sum.iter_mut().zip(vecrank::from_vector(&like)?).for_each(|(sum, number)| *sum += number);
    }
    let taste = vecrank::vector(&sum);
    let first = |db: &Connection| Ok::<_, rusqlite::Error>(page(db, "", 0, &taste)?.swap_remove(0));

    let version = column::<String>(&db, "SELECT vecrank_version()", [])?.swap_remove(0);
    let (page1, page2) = (page(&db, "", 0, &taste)?, page(&db, "", 8, &taste)?);
    let filtered = page(&db, FILTER, 0, &taste)?;
    db.execute("INSERT INTO articles(article_id, main_name, embedding) VALUES ('B00001', 'A new tent', ?)", [&taste])?;
    let inserted = first(&db)?;
    db.execute("UPDATE articles SET in_stock = 7 WHERE article_id = 'B00001'", [])?;
    let updated = column::<i64>(&db, "SELECT in_stock FROM articles WHERE article_id = 'B00001'", [])?.swap_remove(0);
    db.execute("DELETE FROM articles WHERE article_id = 'B00001'", [])?;
    let deleted = first(&db)?;
    let error = page(&db, "", 0, &vecrank::vector(&[1.0, 2.0, 3.0])).err().ok_or("three floats are taken")?.to_string();
    db.close().map_err(|(_, error)| error)?;
    println!(
        r#"{{"version": {version:?}, "page1": {page1:?}, "page2": {page2:?}, "filtered": {filtered:?},
        "inserted": {inserted:?}, "updated": {updated}, "deleted": {deleted:?}, "error": {error:?}}}"#
    );
    Ok(())
}

fn page(db: &Connection, filter: &str, start: u32, taste: &[u8]) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT article_id FROM articles WHERE embedding MATCH ? {filter} ORDER BY distance LIMIT 8 OFFSET {start}"
    );
    column(db, &sql, [taste])
}

fn column<T: FromSql>(db: &Connection, sql: &str, values: impl Params) -> Result<Vec<T>> {
    db.prepare(sql)?.query_map(values, |row| row.get(0))?.collect()
}
