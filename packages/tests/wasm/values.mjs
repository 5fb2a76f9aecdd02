// Which values go in and come out, and what is refused, as JSON.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Database, fromVector, load } from "vecrank-wasm";

const refused = (call) => {
  try {
    call();
  } catch (error) {
    return error.code === undefined ? error.message : `${error.message} (${error.code})`;
  }
};

const early = await Database.open().then(() => "opened", (error) => typeof error.message);
await load(readFileSync(fileURLToPath(import.meta.resolve("vecrank-wasm/module.wasm"))));
const db = await Database.open();
const typed = db.prepare("SELECT typeof(?1), quote(?1)");
const two = db.prepare("SELECT :a, $b");
const told = (value) => (typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? [...value] : value);

db.exec("CREATE TABLE numbers(n UNIQUE); INSERT INTO numbers VALUES (1), (2)");
const changed = db.prepare("UPDATE numbers SET n = n + 10").run();
const exported = db.export();
const copy = await Database.open(exported);
const wal = exported.slice();
wal.fill(2, 18, 20);
const rows = async (file) => (await Database.open(file)).prepare("SELECT n FROM numbers ORDER BY n").all();
const damaged = await Database.open(new Uint8Array(4096).fill(7)).catch((error) => error.message);
const noFile = await Database.open("feed.db").catch((error) => error.message);

const said = {
  early,
  given: [7, -0, 2.5, 2 ** 53, 9007199254740993n, "it's", "", true, null, new Float32Array([1, -2]), new Uint8Array([0, 255]), new Uint8Array([9, 8, 7]).subarray(1).buffer]
    .map((value) => typed.query([value]).rows[0].join(" ")),
  views: typed.query([new Float32Array([9, 0.5, 3]).subarray(1)]).rows[0][1],
  out: db.prepare("SELECT 1, -9007199254740991, 9007199254740992, 0.5, 'é', x'00ff', NULL").query().rows[0].map(told),
  named: [two.query({ a: 1, b: 2 }), two.query([1, 2])].map(({ rows }) => rows[0]),
  vector: [...fromVector(db.prepare("SELECT vec_parse('[0.5, 3]') AS v").get().v)],
  nothing: db.prepare("SELECT 1 WHERE 0").get() === undefined,
  columns: db.prepare("SELECT 1 AS a, 2 AS b WHERE 0").query(),
  changed,
  copies: [await rows(exported), await rows(exported.buffer), await rows(wal), copy.prepare("SELECT count(*) AS n FROM numbers").all()],
  damaged,
  noFile,
  refused: [
    () => two.query({ a: 1 }),
    () => two.query([1]),
    () => two.query(),
    () => two.query(7),
    () => typed.query(new Float32Array([1])),
    () => typed.query([undefined]),
    () => typed.query([new Date(0)]),
    () => typed.query([2n ** 63n]),
    () => db.prepare("SELECT 1; SELECT 2"),
    () => db.prepare("SELEC 1"),
    () => db.exec("SELECT * FROM nowhere"),
    () => db.exec("INSERT INTO numbers VALUES (12)"),
    () => db.prepare("SELECT load_extension('x')").get(),
    () => fromVector([1]),
    () => fromVector(new Uint8Array(3)),
    () => new Database(),
    () => (db.close(), db.close(), typed.query([1])),
    () => db.export(),
  ].map(refused),
};
console.log(JSON.stringify(said));
