// The first page of a feed for someone who likes three articles: node page.mjs feed.db
import Database from "better-sqlite3";
import { fromVector, load, vector } from "vecrank";

const db = new Database(process.argv[2], { readonly: true });
load(db);

const likes = db.prepare("SELECT embedding FROM articles WHERE article_id IN (?, ?, ?)").pluck();
const vectors = likes.all("A00018", "A00982", "A01153").map(fromVector);
const taste = vectors[0].map((_, i) => vectors.reduce((sum, numbers) => sum + numbers[i], 0) / vectors.length);

const page = db.prepare(
  "SELECT article_id, main_name FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 8 OFFSET 0",
);
for (const { article_id, main_name } of page.all(vector(taste))) {
  console.log(article_id, main_name);
}
