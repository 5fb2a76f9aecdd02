// The worker of openWorker(): it answers one call after another.
import { Database, load } from "./index.js";

let database;
let last = Promise.resolve();

const CALLS = {
  load: async (source) => void (await load(source)),
  open: async (file, kept) => {
    database = kept === undefined ? await Database.open(file) : await Database.openKept(kept, file);
  },
  exec: (sql) => database.exec(sql),
  query: (sql, values) => database.prepare(sql).query(values),
  all: (sql, values) => database.prepare(sql).all(values),
  get: (sql, values) => database.prepare(sql).get(values),
  run: (sql, values) => database.prepare(sql).run(values),
  export: () => database.export(),
  close: () => database.close(),
};

async function answer({ call, name, values }) {
  try {
    postMessage({ call, result: await CALLS[name](...values) });
  } catch (error) {
    postMessage({ call, error: { message: error.message, code: error.code } });
  }
}

onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};
