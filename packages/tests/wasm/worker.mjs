// A host of tests/hosts: worker.py there says what its lines of JSON hold. A file is read when it is opened, and written
// after each statement that may change it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Database, load } from "vecrank-wasm";

const READS = /^\s*(--.*\n\s*)*(select|with|explain|pragma|values)\b/i;
let database;
let path = null;

const toJson = (value) =>
  typeof value === "bigint" ? { integer: String(value) } : value instanceof Uint8Array ? { blob: Buffer.from(value).toString("hex") } : value;
const fromJson = (value) => (value !== null && typeof value === "object" ? new Uint8Array(Buffer.from(value.blob, "hex")) : value);

async function answer({ open, sql, values }) {
  if (open !== undefined) {
    await load(readFileSync(fileURLToPath(import.meta.resolve("vecrank-wasm/module.wasm"))));
    path = open === ":memory:" ? null : open;
    database = await Database.open(path !== null && existsSync(path) ? readFileSync(path) : undefined);
    return database.prepare("SELECT sqlite_version()").query().rows;
  }
  const bound = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fromJson(value)]));
  const { rows } = database.prepare(sql).query(bound);
  if (path !== null && !READS.test(sql)) writeFileSync(path, database.export());
  return rows.map((row) => row.map(toJson));
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = await answer(JSON.parse(line)).then((rows) => ({ rows }), (error) => ({ error: error.message }));
  console.log(JSON.stringify(said));
}
