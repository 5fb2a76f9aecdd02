/// <reference types="node" />

/** An open connection of better-sqlite3, node:sqlite (Node.js, Deno), libsql or bun:sqlite. */
export interface Connection {
  loadExtension(path: string): unknown;
}

/** An open connection of the npm package sqlite3, which loads in the background. */
export interface CallbackConnection {
  loadExtension(path: string, callback?: (error: Error | null) => void): unknown;
}

/**
 * Loads vecrank into an open connection; each connection needs it. node:sqlite must be opened with `allowExtension: true`.
 * With the npm package sqlite3 the load is queued before later statements, and its error goes to the callback.
 */
export function load(db: Connection): void;
export function load(db: CallbackConnection, callback: (error: Error | null) => void): void;

/** The path of the extension: what a driver's `loadExtension` or the shell's `.load` takes. */
export function getLoadablePath(): string;

/**
 * The BLOB to bind for a vector: little-endian 32-bit floats. Takes an array or a typed array of numbers; refuses bytes,
 * an empty array, and components that are missing, NaN, infinite or beyond a 32-bit float.
 */
export function vector(components: readonly number[] | NumberArray): Buffer;

export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** The numbers of a vector that was read from a table, in memory of their own. */
export function fromVector(blob: Uint8Array | ArrayBuffer): Float32Array;
