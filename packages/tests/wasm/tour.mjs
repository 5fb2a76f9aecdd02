// The tour of tour.py: `node tour.mjs FEED.DB` prints it as JSON.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Database, fromVector, load } from "vecrank-wasm";

const PAGE = (filter, start) =>
  `SELECT article_id FROM articles WHERE embedding MATCH ? ${filter} ORDER BY distance LIMIT 8 OFFSET ${start}`;
const FILTER = "AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0";

await load(readFileSync(fileURLToPath(import.meta.resolve("vecrank-wasm/module.wasm"))));
const db = await Database.open(readFileSync(process.argv[2]));
const ids = (filter, start, taste) => db.prepare(PAGE(filter, start)).all([taste]).map((row) => row.article_id);

const likes = db.prepare("SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')").all();
const vectors = likes.map((row) => fromVector(row.embedding));
const taste = vectors[0].map((_, i) => vectors.reduce((sum, vector) => sum + vector[i], 0) / vectors.length);

const tour = {
  version: db.prepare("SELECT vecrank_version() AS version").get().version,
  page1: ids("", 0, taste),
  page2: ids("", 8, taste),
  filtered: ids(FILTER, 0, taste),
};
db.prepare("INSERT INTO articles(article_id, main_name, embedding) VALUES ('B00001', 'A new tent', :taste)").run({ taste });
tour.inserted = ids("", 0, taste)[0];
db.exec("UPDATE articles SET in_stock = 7 WHERE article_id = 'B00001'");
tour.updated = db.prepare("SELECT in_stock FROM articles WHERE article_id = 'B00001'").get().in_stock;
tour.changed = db.prepare("DELETE FROM articles WHERE article_id = ?").run(["B00001"]).changes;
tour.deleted = ids("", 0, taste)[0];
try {
  ids("", 0, new Float32Array([1, 2, 3]));
} catch (error) {
  tour.error = error.message;
}
db.close();
console.log(JSON.stringify(tour));
