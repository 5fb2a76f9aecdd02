//! Chooses the vector columns and their dimensions, and checks the columns that the arguments name.

use crate::failure::{Failure, Result};
use crate::names::check_name;
use crate::options::Options;
use crate::parquet::Input;
use crate::vectors::{Lengths, Unusable, VectorLikelihood, Vectors, check_dims, fixed_dims, likelihood, sparse};
use arrow_schema::{DataType, Schema};
use std::collections::HashMap;
use vecrank::internals::distance::Element;
use vecrank::internals::vtab::HIDDEN_COLUMNS;

/// Rows read to find the dimensions if the type does not fix them.
const SAMPLE_ROWS: usize = 1000;

/// The names given with --embedding, or the one column that looks like vectors.
pub fn choose_vectors(schema: &Schema, options: &Options) -> Result<Vec<String>> {
    if !options.embedding.is_empty() {
        for name in &options.embedding {
            let field = schema.field_with_name(name).map_err(|_| no_column(name, schema))?;
            let kind = field.data_type();
            if let Some(why) = sparse(kind) {
                return Err(Failure::new(format!(
                    "--embedding {name}: expected all components of a vector, got {why}"
                )));
            }
            if likelihood(kind, options.element) == VectorLikelihood::No {
                return Err(Failure::new(format!(
                    "--embedding {name}: expected lists of numbers, JSON arrays or binary of float32, got {kind}"
                )));
            }
        }
        return Ok(options.embedding.clone());
    }
    let candidates = |wanted: VectorLikelihood| -> Vec<String> {
        let fields = schema.fields().iter().filter(|field| !options.exclude.contains(field.name()));
        fields
            .filter(|field| likelihood(field.data_type(), options.element) == wanted)
            .map(|field| field.name().clone())
            .collect()
    };
    let found = [VectorLikelihood::Floats, VectorLikelihood::Binary, VectorLikelihood::Nested].map(candidates);
    let found = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    match found.as_slice() {
        [_] => Ok(found),
        [] => Err(no_vectors(schema, options)),
        _ => Err(Failure::new(format!(
            "several columns may be vectors: {}; choose with --embedding, or --exclude the others",
            found.join(", ")
        ))),
    }
}

/// The error for files without a vector column. It names columns of binary and of integers, which may hold vectors;
/// columns of text may too, but rarely do.
fn no_vectors(schema: &Schema, options: &Options) -> Failure {
    let fields = schema.fields().iter().filter(|field| !options.exclude.contains(field.name()));
    let possible = fields.filter(|field| {
        let kind = field.data_type();
        likelihood(kind, options.element) == VectorLikelihood::Named && !kind.is_null() && !text(kind)
    });
    let possible: Vec<String> = possible.map(|field| format!("\"{}\" ({})", field.name(), field.data_type())).collect();
    let possible = match possible.is_empty() {
        true => String::new(),
        false => format!("; these may have some, and are taken for vectors only by name: {}", possible.join(", ")),
    };
    Failure::new(format!(
        "no column has lists of floating-point numbers; name the column with the vectors: --embedding COLUMN{possible}"
    ))
}

/// Text, or a dictionary of it.
fn text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => value.is_string(),
        kind => kind.is_string(),
    }
}

/// Checks that the names in the arguments exist in one of the files, and that the table can have the names in the
/// files.
pub fn check_column_names(inputs: &[Input], options: &Options) -> Result<()> {
    let Some(first) = inputs.first() else { return Ok(()) };
    let typed = options.types.iter().map(|(name, _)| name);
    let by = options.shards.as_ref().map(|division| &division.by);
    let named = options.embedding.iter().chain(&options.key).chain(by).chain(&options.index).chain(typed);
    for name in named.chain(&options.columns).chain(&options.exclude) {
        if !inputs.iter().any(|input| input.schema().field_with_name(name).is_ok()) {
            return Err(no_column(name, first.schema()).at(&first.name));
        }
    }
    check_renames(inputs, first, &options.shape.renames)?;
    let left_out = |name: &&String| !options.wants(name);
    let typed = options.types.iter().map(|(name, _)| name);
    if let Some(name) = options.key.iter().chain(by).chain(&options.index).chain(typed).find(left_out) {
        return Err(Failure::new(format!(
            "column \"{name}\" is both needed (--key, --shard-by, --index or --type) and left out"
        )));
    }
    if let Some(name) = options.embedding.iter().find(|name| options.exclude.contains(name)) {
        return Err(Failure::new(format!("column \"{name}\" is both needed (--embedding) and left out")));
    }
    inputs.iter().try_for_each(|input| check_names(input.schema(), options).map_err(|failure| failure.at(&input.name)))
}

/// Checks that each --rename has a column of its own. If two columns have the same name, the first --rename of that
/// name takes the first column, the second --rename the second.
fn check_renames(inputs: &[Input], first: &Input, renames: &[(String, String)]) -> Result<()> {
    for (at, (old, new)) in renames.iter().enumerate() {
        let count = |input: &Input| input.renamed().iter().filter(|renamed| *renamed == old).count();
        let found = inputs.iter().map(count).max().unwrap_or(0);
        let before: Vec<_> = renames[..at].iter().filter(|(other, _)| other == old).collect();
        match before.last() {
            None if found == 0 => return Err(no_column(old, first.schema()).at(&first.name)),
            Some((_, other)) if before.len() >= found => {
                return Err(Failure::new(format!(
                    "--rename {old}={new}: the column is renamed already, by --rename {old}={other}"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

pub fn check_names(schema: &Schema, options: &Options) -> Result<()> {
    // SQLite compares names without regard to ASCII case.
    let mut seen: HashMap<String, &String> = HashMap::new();
    for name in schema.fields().iter().map(|field| field.name()).filter(|name| options.wants(name)) {
        check_name("column", name)?;
        let folded = name.to_ascii_lowercase();
        let is_table = folded == options.table.to_ascii_lowercase();
        if HIDDEN_COLUMNS.contains(&folded.as_str()) || is_table {
            return Err(Failure::new(format!(
                "column \"{name}\": the name is reserved in a vecrank table; give it another by --rename '{name}=...' or \
                 leave it out with --exclude{}",
                if is_table { ", or choose another --table" } else { "" }
            )));
        }
        if let Some(other) = seen.insert(folded, name) {
            let cure = match other == name {
                true => format!("; --rename '{name}=...' gives the first of them another, --exclude leaves both out"),
                false => " for SQLite; give one another by --rename, or leave one out with --exclude".to_owned(),
            };
            return Err(Failure::new(format!("columns \"{other}\" and \"{name}\" have the same name{cure}")));
        }
    }
    Ok(())
}

pub fn no_column(name: &str, schema: &Schema) -> Failure {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    Failure::new(format!("no column \"{name}\"; the columns are {}", names.join(", ")))
}

/// The dimensions of a column: from --dims, else from the type, else the most frequent length of the first vectors. The
/// inner error says why they are unknown.
pub fn find_dims(column: &str, inputs: &[Input], options: &Options) -> Result<std::result::Result<usize, Failure>> {
    let (mut unknown, element) = (None, options.element);
    let mut found = options.dims.map(|dims| (dims, "as --dims says".to_owned()));
    for input in inputs {
        let in_column = |failure: Failure| failure.at(format_args!("{}: column \"{column}\"", input.name));
        let Ok(position) = input.schema().index_of(column) else { continue };
        let dims = match fixed_dims(input.schema().field(position).data_type(), element) {
            None if found.is_some() => continue,
            None => sample(input, position, element, &mut unknown)?,
            fixed => fixed,
        };
        match (dims, &found) {
            (Some(dims), Some((known, source))) if dims != *known => {
                return Err(in_column(Failure::new(format!("expected {known} dimensions, {source}, got {dims}"))));
            }
            (Some(dims), _) => {
                check_dims(dims, element).map_err(in_column)?;
                found = Some((dims, format!("as in {}", input.name)));
            }
            (None, _) => {}
        }
    }
    let none = || {
        Failure::new(format!(
            "column \"{column}\": no row has a vector, so its dimensions are unknown; --dims N gives them"
        ))
    };
    Ok(found.map(|(dims, _)| dims).ok_or_else(|| unknown.unwrap_or_else(none)))
}

/// The most frequent length of the first vectors. `unknown` gets the error of the first value that is neither NULL nor
/// a vector.
fn sample(input: &Input, position: usize, element: Element, unknown: &mut Option<Failure>) -> Result<Option<usize>> {
    let mut lengths = Lengths::default();
    let mut rows = 0;
    for batch in input.batches(&[position])? {
        let batch = batch?;
        let schema = batch.schema();
        let in_column = |failure: Failure| failure.at(format_args!("column \"{}\"", schema.field(0).name()));
        let vectors = Vectors::new(batch.column(0), element).map_err(|failure| in_column(failure).at(&input.name))?;
        lengths.add(&vectors, batch.num_rows());
        let bad = (0..batch.num_rows()).find_map(|row| match vectors.length(row) {
            Ok(_) | Err(Unusable::Null) => None,
            Err(why) => Some((rows + row + 1, why)),
        });
        if let (Some((row, why)), None) = (bad, &unknown) {
            let failure = in_column(Failure::new(why.to_string()));
            *unknown = Some(Failure::new(format!("{}: row {row}, {failure}", input.name)));
        }
        rows += batch.num_rows();
        if rows >= SAMPLE_ROWS && !lengths.is_empty() {
            break;
        }
    }
    Ok(lengths.most_frequent())
}
