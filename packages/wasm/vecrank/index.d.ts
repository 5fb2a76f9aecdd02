/** A value to bind. Whole numbers become INTEGER, other numbers REAL; a Float32Array becomes the BLOB of a vector. */
export type Value = number | bigint | string | boolean | null | Float32Array | Uint8Array | ArrayBuffer;

/** The values of a statement: in the order of its parameters, or by their names without the colon. */
export type Values = readonly Value[] | Readonly<Record<string, Value>>;

/** A value of a row. An integer beyond 2^53 is a bigint; a BLOB is a copy. */
export type Column = number | bigint | string | null | Uint8Array;

export type Row = Record<string, Column>;

export interface Answer {
  columns: string[];
  rows: Column[][];
}

/** What SQLite refuses. `code` is its extended result code, if it said one. */
export interface DatabaseError extends Error {
  code?: number;
}

/** The module: its bytes, its address, a response, or compiled. */
export type Source = BufferSource | WebAssembly.Module | Response | Promise<Response> | URL | string;

/**
 * Compiles the module, once; the functions that open a database call it. Node.js fetches no files: give it the bytes of
 * `vecrank-wasm/module.wasm`.
 */
export function load(source?: Source): Promise<unknown>;

/** A database in this thread. */
export class Database {
  private constructor();

  /** Opens a database in memory: a copy of the file whose bytes are given, or an empty one. */
  static open(file?: ArrayBuffer | Uint8Array): Promise<Database>;

  /**
   * Opens a file that the browser keeps (in the origin private file system). If it is not there yet, it begins as `file`,
   * or empty. In a worker only; one worker at a time.
   */
  static openKept(name: string, file?: ArrayBuffer | Uint8Array): Promise<Database>;

  /** Removes such a file, which must be closed. Returns whether it was there. */
  static removeKept(name: string): Promise<boolean>;

  /** Runs a script: statements without values. */
  exec(sql: string): void;

  /** Prepares one statement; fails if it is wrong. */
  prepare(sql: string): Statement;

  /** The bytes of the file. */
  export(): Uint8Array;

  close(): void;
}

/** A prepared statement. */
export interface Statement {
  /** All rows, as objects. */
  all(values?: Values): Row[];
  /** The first row. */
  get(values?: Values): Row | undefined;
  /** Runs it, and tells how many rows it changed. */
  run(values?: Values): { changes: number };
  /** All rows as arrays, and the names of the columns. */
  query(values?: Values): Answer;
}

/** The numbers of a vector that was read from a table, in memory of their own. */
export function fromVector(blob: Uint8Array): Float32Array;

/** A database in a worker. */
export interface WorkerDatabase {
  exec(sql: string): Promise<void>;
  all(sql: string, values?: Values): Promise<Row[]>;
  get(sql: string, values?: Values): Promise<Row | undefined>;
  run(sql: string, values?: Values): Promise<{ changes: number }>;
  query(sql: string, values?: Values): Promise<Answer>;
  export(): Promise<Uint8Array>;
  /** Closes the database and ends the worker. */
  close(): Promise<void>;
  /** Ends the worker at once, also in the middle of a statement. What runs or waits is rejected. */
  terminate(): void;
}

export interface WorkerOptions {
  /** The bytes that the database begins as. They may come later: the worker loads the module meanwhile. */
  file?: ArrayBuffer | Uint8Array | Promise<ArrayBuffer | Uint8Array>;
  /** The name of a file that the browser keeps; without it the database is in memory. */
  kept?: string;
  /** Where the module is, if not beside this package's files. */
  source?: BufferSource | WebAssembly.Module | string;
}

/** Opens a database in a worker of its own, so that no query holds up the page. */
export function openWorker(options?: WorkerOptions): Promise<WorkerDatabase>;
