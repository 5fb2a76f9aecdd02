// An ORM on Node: what it reads of a vector column. `node drizzle.mjs LIBRARY` prints JSON, vectors in hexadecimal.
import Database from "better-sqlite3";
import { asc, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { blob, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

const connection = new Database(":memory:");
connection.loadExtension(process.argv[2]);
connection.exec("CREATE VIRTUAL TABLE articles USING hnsw(id INTEGER PRIMARY KEY, name TEXT, embedding FLOAT[2])");

const articles = sqliteTable("articles", {
  id: integer().primaryKey(),
  name: text(),
  embedding: blob({ mode: "buffer" }),
});
const db = drizzle(connection);
const vector = Buffer.from(new Float32Array([1, 2]).buffer);
db.insert(articles).values([{ id: 1, name: "jug", embedding: vector }, { id: 2, name: "mug", embedding: null }]).run();

const shown = (rows) => rows.map((row) => ({ ...row, embedding: row.embedding?.toString("hex") ?? null }));
const rows = db.select().from(articles).orderBy(asc(articles.id)).all();
const near = db.select().from(articles).where(sql`embedding MATCH ${vector}`).orderBy(sql`distance`).limit(20).all();
console.log(JSON.stringify({ rows: shown(rows), near: shown(near) }));
