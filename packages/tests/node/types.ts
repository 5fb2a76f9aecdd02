// Compiled, not run: what the types of vecrank take, and what they refuse.
import { DatabaseSync } from "node:sqlite";
import { fromVector, getLoadablePath, load, vector } from "vecrank";

const db = new DatabaseSync(":memory:", { allowExtension: true });
load(db);
load({ loadExtension: (path: string, done?: (error: Error | null) => void) => done?.(null) }, (error) => error?.message);
const path: string = getLoadablePath();
const blob: Buffer = vector([1, 2, 3]);
const numbers: Float32Array = fromVector(blob);
db.prepare("SELECT ?, ?").all(path, vector(numbers));
vector(new Float64Array(3));
// @ts-expect-error: not a connection
load({});
// @ts-expect-error: may be missing
vector(undefined as number[] | undefined);
// @ts-expect-error: bytes are bound as they are
vector(blob);
// @ts-expect-error: no numbers
vector(["1"]);
