// What vector() and fromVector() give and refuse, as JSON. A CommonJS program.
const { fromVector, getLoadablePath, load, vector } = require("vecrank");

const refused = (call) => {
  try {
    call();
  } catch (error) {
    return error.message;
  }
};
const sparse = [1, 2];
sparse[3] = 4;
console.log(
  JSON.stringify({
    path: getLoadablePath(),
    given: [[1, -2], new Float32Array([1, -2]), new Float64Array([1, -2]), new Int8Array([1, -2]), new BigInt64Array([1n, -2n])].map(
      (numbers) => vector(numbers).toString("hex"),
    ),
    read: [vector([0.5, 3]), new Uint8Array([9, ...vector([0.5, 3])]).subarray(1), vector([0.5, 3]).buffer.slice(0, 8)].map(
      (blob) => Array.from(fromVector(blob)),
    ),
    refused: [
      ...[undefined, null, "[1]", new DataView(new ArrayBuffer(4)), vector([1]), [], new Float32Array(0)],
      ...[[1, null], [1, "2"], sparse, [NaN], new Float32Array([1, Infinity]), [1e39]],
    ].map((value) => refused(() => vector(value))),
    unread: [null, "text", [1], vector([1, 2]).subarray(1), Buffer.alloc(0)].map((value) => refused(() => fromVector(value))),
    unloaded: [undefined, {}, "feed.db"].map((value) => refused(() => load(value))),
  }),
);
