// What the types take, and what they refuse.
import { Database, fromVector, load, openWorker, type Row } from "vecrank-wasm";

await load(new Uint8Array());
const db: Database = await Database.open(new ArrayBuffer(8));
const rows: Row[] = db.prepare("SELECT ?").all([new Float32Array([1]), 2n, "text", null, true, new Uint8Array()]);
const numbers: Float32Array = fromVector(db.export());
const changes: number = db.prepare("SELECT :taste").run({ taste: numbers }).changes;
const worker = await openWorker({ file: fetch("feed.db").then((response) => response.arrayBuffer()), kept: "feed.db" });
const row: Row | undefined = await worker.get("SELECT ?", [rows.length, changes]);
await worker.close();
worker.terminate();
// @ts-expect-error: one value is wrapped in an array
db.prepare("SELECT ?").all(numbers);
// @ts-expect-error: a date is no value
db.prepare("SELECT ?").all([new Date()]);
// @ts-expect-error: Database.open() makes one
new Database();
// @ts-expect-error: a path is no file
await Database.open("feed.db");
export { row };
