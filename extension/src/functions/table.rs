//! The list of SQL functions. Registration and the test of the manual loop over it.

/// How SQL calls a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Scalar,
    /// An aggregate that is a window function too.
    Aggregate,
    /// A table-valued function.
    Table,
}

/// One SQL function.
#[derive(Debug, Clone, Copy)]
pub struct FunctionEntry {
    pub name: &'static str,
    /// As the manual writes them, optional ones in brackets: `v [, weight]`.
    pub arguments: &'static str,
    /// The result, in one line.
    pub what: &'static str,
    pub kind: Kind,
}

const fn entry(kind: Kind, name: &'static str, arguments: &'static str, what: &'static str) -> FunctionEntry {
    FunctionEntry { name, arguments, what, kind }
}

/// Every function that `register` registers. `hnsw_info` and `hnsw_stats` come with the virtual table.
pub const TABLE: &[FunctionEntry] = &[
    entry(Kind::Scalar, "vec_cosine", "a, b", "cosine distance, 0 to 2; NULL if either is a zero vector"),
    entry(Kind::Scalar, "vec_l2", "a, b", "Euclidean distance"),
    entry(Kind::Scalar, "vec_l1", "a, b", "Manhattan distance"),
    entry(Kind::Scalar, "vec_dot", "a, b", "inner product: larger is nearer"),
    entry(Kind::Scalar, "vec_hamming", "a, b", "how many bits differ: of two BIT vectors"),
    entry(Kind::Scalar, "vec_parse", "json", "the BLOB of a JSON vector"),
    entry(Kind::Scalar, "vec_f16", "v", "the vector as FLOAT16: of JSON, or of a BLOB that is one"),
    entry(Kind::Scalar, "vec_int8", "v", "the vector as INT8: of JSON, or of a BLOB that is one"),
    entry(Kind::Scalar, "vec_bit", "v", "the signs of a vector as packed bits, 1 where a component is greater than 0"),
    entry(Kind::Scalar, "vec_json", "v", "the JSON text of a vector, each component in its shortest exact form"),
    entry(Kind::Scalar, "vec_dims", "v", "the number of dimensions"),
    entry(Kind::Scalar, "vec_norm", "v", "Euclidean length"),
    entry(Kind::Scalar, "vec_unit", "v", "the vector scaled to length 1; NULL for a zero vector"),
    entry(Kind::Scalar, "vec_scale", "v, s", "the vector times a number"),
    entry(Kind::Scalar, "vec_add", "a, b", "component-wise sum"),
    entry(Kind::Scalar, "vec_sub", "a, b", "component-wise difference"),
    entry(Kind::Scalar, "vec_head", "v, n", "the first n dimensions, not scaled"),
    entry(Kind::Aggregate, "vec_avg", "v [, weight]", "weighted mean of vectors; NULL if the weights add up to zero"),
    entry(Kind::Aggregate, "vec_sum", "v [, weight]", "weighted sum of vectors"),
    entry(Kind::Table, "vec_each", "v", "a row for each component: i (from 0), value"),
    entry(Kind::Scalar, "vecrank_version", "", "version, commit, and the CPU features in use"),
];
