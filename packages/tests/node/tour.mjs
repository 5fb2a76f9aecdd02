// The tour of tour.py: `node tour.mjs DRIVER FEED.DB` prints it as JSON. Bun and Deno run it as well.
import { fromVector, load, vector } from "vecrank";

const PAGE = (filter, start) =>
  `SELECT article_id FROM articles WHERE embedding MATCH ? ${filter} ORDER BY distance LIMIT 8 OFFSET ${start}`;
const FILTER = "AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0";

// Drivers of better-sqlite3's kind: a statement's `all` and `run` take the values.
function prepared(db) {
  load(db);
  return {
    all: (sql, ...values) => db.prepare(sql).all(...values),
    run: (sql, ...values) => db.prepare(sql).run(...values),
    close: () => db.close(),
  };
}

function promised(db) {
  const call = (method) => (sql, ...values) =>
    new Promise((resolve, reject) => db[method](sql, values, (error, rows) => (error ? reject(error) : resolve(rows))));
  return new Promise((resolve, reject) => {
    load(db, (error) => (error ? reject(error) : resolve({ all: call("all"), run: call("run"), close: () => db.close() })));
  });
}

const DRIVERS = {
  "better-sqlite3": async (file) => prepared(new (await import("better-sqlite3")).default(file)),
  "bun:sqlite": async (file) => prepared(new (await import("bun:sqlite")).Database(file)),
  "node:sqlite": async (file) => prepared(new (await import("node:sqlite")).DatabaseSync(file, { allowExtension: true })),
  libsql: async (file) => {
    const { all, run, close } = prepared(new (await import("libsql")).default(file));
    return { all: (sql, ...values) => all(sql, values), run: (sql, ...values) => run(sql, values), close };
  },
  sqlite3: async (file) => promised(new (await import("sqlite3")).default.Database(file)),
};

const [driver, file] = process.argv.slice(2);
const db = await DRIVERS[driver](file);
const ids = async (sql, ...values) => (await db.all(sql, ...values)).map((row) => row.article_id);

const likes = await db.all("SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')");
const vectors = likes.map((row) => fromVector(row.embedding));
const taste = vector(vectors[0].map((_, i) => vectors.reduce((sum, v) => sum + v[i], 0) / vectors.length));

const tour = {
  version: (await db.all("SELECT vecrank_version() AS version"))[0].version,
  page1: await ids(PAGE("", 0), taste),
  page2: await ids(PAGE("", 8), taste),
  filtered: await ids(PAGE(FILTER, 0), taste),
};
await db.run("INSERT INTO articles(article_id, main_name, embedding) VALUES ('B00001', 'A new tent', ?)", taste);
tour.inserted = (await ids(PAGE("", 0), taste))[0];
await db.run("UPDATE articles SET in_stock = 7 WHERE article_id = 'B00001'");
tour.updated = (await db.all("SELECT in_stock FROM articles WHERE article_id = 'B00001'"))[0].in_stock;
await db.run("DELETE FROM articles WHERE article_id = 'B00001'");
tour.deleted = (await ids(PAGE("", 0), taste))[0];
try {
  await ids(PAGE("", 0), vector([1, 2, 3]));
} catch (error) {
  tour.error = error.message;
}
await db.close();
console.log(JSON.stringify(tour));
