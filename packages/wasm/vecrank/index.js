// SQLite with vecrank: in this thread (Database), or in a worker of its own (openWorker).
import init, { Connected } from "./vecrank_wasm.js";

let loading;

/** Compiles the module, once. Without a source it is the file beside this one. */
export function load(source) {
  loading ??= init(source === undefined ? undefined : { module_or_path: source }).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

export class Database {
  #connected;

  constructor(connected) {
    if (!(connected instanceof Connected)) throw new TypeError("Database: call Database.open() or Database.openKept()");
    this.#connected = connected;
  }

  static async open(file) {
    await load();
    return new Database(new Connected(bytes(file)));
  }

  static async openKept(name, file) {
    await load();
    return new Database(await Connected.openKept(name, bytes(file)));
  }

  static async removeKept(name) {
    await load();
    return Connected.removeKept(name);
  }

  exec(sql) {
    this.#connected.exec(sql);
  }

  prepare(sql) {
    this.#connected.prepare(sql);
    return new Statement(this.#connected, sql);
  }

  export() {
    return this.#connected.export();
  }

  close() {
    this.#connected.close();
  }
}

// The connection keeps prepared statements by their text.
class Statement {
  #connected;
  #sql;

  constructor(connected, sql) {
    this.#connected = connected;
    this.#sql = sql;
  }

  query(values) {
    const [columns, rows] = this.#connected.query(this.#sql, values);
    return { columns, rows };
  }

  all(values) {
    const [columns, rows] = this.#connected.query(this.#sql, values);
    return rows.map((row) => named(columns, row));
  }

  get(values) {
    const [columns, rows] = this.#connected.query(this.#sql, values, 1);
    return rows.length ? named(columns, rows[0]) : undefined;
  }

  run(values) {
    this.#connected.query(this.#sql, values);
    return { changes: this.#connected.changes() };
  }
}

function named(columns, row) {
  return Object.fromEntries(columns.map((column, at) => [column, row[at]]));
}

function bytes(file) {
  if (file === undefined || file instanceof Uint8Array) return file;
  if (file instanceof ArrayBuffer) return new Uint8Array(file);
  throw new TypeError(`expected the file as an ArrayBuffer or Uint8Array, got ${file?.constructor?.name ?? file}`);
}

/** The numbers of a vector that was read from a table, in memory of their own. */
export function fromVector(blob) {
  if (!(blob instanceof Uint8Array)) {
    throw new TypeError(`fromVector: expected the BLOB of a vector, got ${blob?.constructor?.name ?? blob}`);
  }
  if (blob.length === 0 || blob.length % Float32Array.BYTES_PER_ELEMENT !== 0) {
    throw new RangeError(`fromVector: expected 4 bytes for each number, got ${blob.length} bytes`);
  }
  return new Float32Array(blob.slice().buffer);
}

const CALLS = ["exec", "query", "all", "get", "run", "export"];

/** Opens a database in a worker of its own. */
export async function openWorker({ file, kept, source } = {}) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "vecrank" });
  const waiting = new Map();
  let calls = 0;
  let lost;

  worker.onmessage = ({ data: { call, result, error } }) => {
    const { resolve, reject } = waiting.get(call);
    waiting.delete(call);
    if (error) reject(Object.assign(new Error(error.message), error));
    else resolve(result);
  };
  const end = (reason) => {
    lost ??= new Error(reason);
    worker.terminate();
    waiting.forEach(({ reject }) => reject(lost));
    waiting.clear();
  };
  worker.onerror = (event) => end(`the worker failed: ${event.message ?? "it could not be loaded"}`);

  const call = (name, ...values) =>
    new Promise((resolve, reject) => {
      if (lost) return reject(lost);
      waiting.set(++calls, { resolve, reject });
      worker.postMessage({ call: calls, name, values });
    });

  try {
    const loaded = call("load", source);
    loaded.catch(() => {}); // the file may be late; the failure is told below
    await Promise.all([loaded, call("open", bytes(await file), kept)]);
  } catch (error) {
    end("the database could not be opened");
    throw error;
  }
  const database = Object.fromEntries(CALLS.map((name) => [name, (...values) => call(name, ...values)]));
  database.close = async () => {
    if (lost) return;
    await call("close");
    end("the database is closed");
  };
  database.terminate = () => end("the worker was stopped");
  return database;
}
