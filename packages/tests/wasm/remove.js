// Removes the kept file.
import { Database } from "./vecrank-wasm/index.js";

postMessage(await Database.removeKept("feed.db"));
