// Writes a file with two tables of the same vectors: one filled in one transaction, one row by row.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Database, load } from "vecrank-wasm";

await load(readFileSync(fileURLToPath(import.meta.resolve("vecrank-wasm/module.wasm"))));
const db = await Database.open();
let state = 1;
const noise = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
const vectors = Array.from({ length: 3000 }, () => Float32Array.from({ length: 48 }, noise));
for (const table of ["bulk", "single"]) {
  db.exec(`CREATE VIRTUAL TABLE ${table} USING hnsw(id INTEGER PRIMARY KEY, v FLOAT[48])`);
  const insert = db.prepare(`INSERT INTO ${table} VALUES (?, ?)`);
  if (table === "bulk") db.exec("BEGIN");
  vectors.slice(0, table === "bulk" ? 3000 : 600).forEach((vector, id) => insert.run([id, vector]));
  if (table === "bulk") db.exec("COMMIT");
}
db.exec("DELETE FROM single WHERE id % 5 = 0 AND id < 70; INSERT INTO bulk(bulk) VALUES ('optimize')");
writeFileSync(process.argv[2], db.export());
