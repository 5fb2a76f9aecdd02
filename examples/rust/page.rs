//! The first page of a feed for someone who likes three articles: `page feed.db`.

use rusqlite::{Connection, OpenFlags};

const LIKES: &str = "SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')";
const PAGE: &str =
    "SELECT article_id, main_name FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 8 OFFSET 0";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: it is sqlite3_auto_extension() of the library that rusqlite uses.
    unsafe { vecrank::register_auto_extension(rusqlite::ffi::sqlite3_auto_extension)? };
    let file = std::env::args().nth(1).ok_or("usage: page FEED.DB")?;
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;

    let mut taste = vec![0.0; 256];
    let mut likes = db.prepare(LIKES)?;
    let mut likes = likes.query([])?;
    while let Some(row) = likes.next()? {
        let numbers = vecrank::from_vector(row.get_ref(0)?.as_blob()?)?;
        taste.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number / 3.0);
    }

    let mut page = db.prepare(PAGE)?;
    let mut page = page.query([vecrank::vector(&taste)])?;
    while let Some(row) = page.next()? {
        println!("{} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?);
    }
    Ok(())
}
