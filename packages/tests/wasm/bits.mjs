// The rows of each statement of a list, as JSON: `node bits.mjs FILE LIST.json`.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Database, load } from "vecrank-wasm";

await load(readFileSync(fileURLToPath(import.meta.resolve("vecrank-wasm/module.wasm"))));
const [file, list] = process.argv.slice(2).map((path) => readFileSync(path));
const db = await Database.open(file);
console.log(JSON.stringify(JSON.parse(list).map((sql) => db.prepare(sql).query().rows)));
