"use strict";
// Finds the extension in the package of this platform, loads it into a connection, and converts vectors.

const { Buffer } = require("node:buffer");
const { readFileSync } = require("node:fs");

const LIBRARIES = { linux: "libvecrank.so", darwin: "libvecrank.dylib", win32: "vecrank.dll" };
const BYTES = Float32Array.BYTES_PER_ELEMENT;

function getLoadablePath() {
  const platform = `${process.platform}-${process.arch}${usesMusl() ? "-musl" : ""}`;
  const name = `@vecrank/${platform}`;
  try {
    return require.resolve(`${name}/${LIBRARIES[process.platform]}`);
  } catch (cause) {
    throw new Error(
      `vecrank has no library for ${platform}: expected the package ${name}, which npm leaves out with --omit=optional; install it`,
      { cause },
    );
  }
}

// The loader of musl is in the memory of every process that it started.
function usesMusl() {
  try {
    return process.platform === "linux" && readFileSync("/proc/self/maps", "utf8").includes("/ld-musl-");
  } catch {
    return false;
  }
}

function load(db, callback) {
  if (typeof db?.loadExtension !== "function") {
    const drivers = "better-sqlite3, node:sqlite, sqlite3, libsql or bun:sqlite";
    throw new TypeError(
      `vecrank.load: expected an open connection of a driver that loads extensions, got ${kindOf(db)}: use ${drivers}`,
    );
  }
  const path = getLoadablePath();
  if (callback !== undefined) {
    return void db.loadExtension(path, callback);
  }
  try {
    db.loadExtension(path);
  } catch (cause) {
    // Node.js: "extension loading is not allowed". Deno: "... when allowExtension is not enabled".
    if (!/extension loading is not allowed|allowExtension/.test(cause.message)) throw cause;
    const cure = "open with new DatabaseSync(file, { allowExtension: true })";
    throw new Error(`vecrank.load: node:sqlite forbids extensions here: ${cure}`, { cause });
  }
}

function vector(components) {
  if (components instanceof Uint8Array) {
    throw new TypeError(
      `vecrank.vector: expected an array of numbers, got ${kindOf(components)}, which is bytes: bind a stored vector as it is`,
    );
  }
  if (!Array.isArray(components) && (!ArrayBuffer.isView(components) || components instanceof DataView)) {
    throw new TypeError(`vecrank.vector: expected an array of numbers, got ${kindOf(components)}`);
  }
  if (components.length === 0) {
    throw new RangeError("vecrank.vector: expected at least one number, got an empty array");
  }
  const blob = Buffer.alloc(components.length * BYTES);
  for (let i = 0; i < components.length; i++) {
    blob.writeFloatLE(component(components[i], i), i * BYTES);
  }
  return blob;
}

function component(value, i) {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(Math.fround(number))) {
    const got = typeof number === "number" ? String(number) : kindOf(value);
    throw new TypeError(`vecrank.vector: expected a finite 32-bit float as component ${i}, got ${got}`);
  }
  return number;
}

function fromVector(blob) {
  const bytes = blob instanceof ArrayBuffer ? new Uint8Array(blob) : blob;
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`vecrank.fromVector: expected the BLOB of a vector, got ${kindOf(blob)}`);
  }
  if (bytes.length === 0 || bytes.length % BYTES !== 0) {
    throw new RangeError(`vecrank.fromVector: expected 4 bytes for each number, got ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / BYTES }, (_, i) => view.getFloat32(i * BYTES, true));
}

function kindOf(value) {
  if (value === null) return "null";
  return typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value;
}

module.exports = { fromVector, getLoadablePath, load, vector };
