import vecrank from "./index.js";

export const { fromVector, getLoadablePath, load, vector } = vecrank;
