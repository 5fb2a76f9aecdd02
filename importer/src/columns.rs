//! The columns that an import can take from a file: its own, renamed by --rename, and those that are made from several
//! columns, from a struct's field, or from the file's path.

use crate::batches::viewed;
use crate::cells::{Fault, exact_cast};
use crate::failure::{Failure, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{
    Array, ArrayRef, Decimal128Array, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, RecordBatch,
    RecordBatchOptions, StringArray, StructArray, make_array, new_null_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};
use std::sync::Arc;

/// The Arrow type for 128-bit integers, which are stored as TEXT.
pub const INT128: DataType = DataType::Decimal128(38, 0);

/// The arguments that change a file's columns.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// --rename: old name, new name.
    pub renames: Vec<(String, String)>,
    /// --embedding, as typed.
    pub embedding: Vec<String>,
    /// --hive.
    pub hive: bool,
}

/// A top-level column of a file: its type, or why it cannot be read.
#[derive(Debug, Clone)]
pub struct FileColumn {
    pub name: String,
    pub data_type: std::result::Result<DataType, String>,
}

/// A column that an import can take.
#[derive(Debug, Clone)]
struct Offer {
    name: String,
    data_type: DataType,
    origin: Origin,
}

/// Where a column's values come from. A root is an index into the readable columns of the file.
#[derive(Debug, Clone)]
enum Origin {
    Column(usize),
    /// --embedding 'vector=emb_*': one component each.
    Spread(Vec<usize>),
    /// A field within structs: its position in each.
    Member {
        root: usize,
        path: Vec<usize>,
    },
    /// The struct, of which `whole` is the type in the file, without those fields.
    Rest {
        root: usize,
        whole: DataType,
        paths: Vec<Vec<usize>>,
    },
    /// From the file's path.
    Path(Option<String>),
    /// Only other files of the import have it.
    Missing,
    Unreadable(String),
}

#[derive(Debug, Clone)]
pub struct Columns {
    schema: SchemaRef,
    offers: Vec<Offer>,
    /// Names of the vector columns that were asked for.
    embedding: Vec<String>,
    /// The old names of columns that have new ones.
    renamed: Vec<String>,
}

impl Columns {
    /// `partitions`: the columns that the file's path gives.
    pub fn new(file: &[FileColumn], partitions: Vec<(String, Option<String>)>, shape: &Shape) -> Result<Columns> {
        let mut offers = own_columns(file);
        let partitions = partitions.into_iter();
        offers.extend(partitions.map(|(name, value)| Offer {
            name,
            data_type: DataType::Utf8,
            origin: Origin::Path(value),
        }));
        let renamed = rename(&mut offers, &shape.renames);
        let mut embedding = Vec::new();
        for (at, asked) in shape.embedding.iter().enumerate() {
            if !shape.embedding[..at].contains(asked) {
                embedding.push(make_vector(&mut offers, asked)?);
            }
        }
        Ok(Columns { schema: schema_of(&offers), offers, embedding, renamed })
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn embedding(&self) -> &[String] {
        &self.embedding
    }

    pub fn renamed(&self) -> &[String] {
        &self.renamed
    }

    /// Why a column cannot be read.
    pub fn fault(&self, column: &str) -> Option<&str> {
        self.offers.iter().find_map(|offer| match &offer.origin {
            Origin::Unreadable(why) if offer.name == column => Some(why.as_str()),
            _ => None,
        })
    }

    /// The root of a column that is taken unchanged.
    pub fn root(&self, column: &str) -> Option<usize> {
        self.offers.iter().find_map(|offer| match offer.origin {
            Origin::Column(root) if offer.name == column => Some(root),
            _ => None,
        })
    }

    /// Puts these columns first, in this order, with NULL for those that the file lacks; values are cast to their
    /// types.
    pub fn conform(&mut self, fields: &[(String, DataType)]) {
        let mut rest = std::mem::take(&mut self.offers);
        for (name, data_type) in fields {
            let own = rest.iter().position(|offer| &offer.name == name).map(|position| rest.remove(position));
            let origin = own.map_or(Origin::Missing, |own| own.origin);
            self.offers.push(Offer { name: name.clone(), data_type: data_type.clone(), origin });
        }
        self.offers.append(&mut rest);
        self.schema = schema_of(&self.offers);
    }

    /// The roots to read for these columns, in the order of the file.
    pub fn roots(&self, columns: &[usize]) -> Vec<usize> {
        let origins = columns.iter().filter_map(|&column| Some(&self.offers.get(column)?.origin));
        let mut roots: Vec<usize> = origins
            .flat_map(|origin| match origin {
                Origin::Column(root) | Origin::Member { root, .. } | Origin::Rest { root, .. } => vec![*root],
                Origin::Spread(roots) => roots.clone(),
                Origin::Path(_) | Origin::Missing | Origin::Unreadable(_) => Vec::new(),
            })
            .collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// Makes a batch of these columns from a batch of `roots`. The error has the name of its column.
    pub fn assemble(
        &self,
        read: &RecordBatch,
        roots: &[usize],
        columns: &[usize],
    ) -> std::result::Result<RecordBatch, (String, Fault)> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for offer in columns.iter().filter_map(|&column| self.offers.get(column)) {
            let array = offer.values(read, roots).map_err(|fault| (offer.name.clone(), fault))?;
            // Text may be a view here.
            fields.push(Field::new(&offer.name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(read.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| (String::new(), Fault::from(error)))
    }
}

impl Offer {
    fn values(&self, read: &RecordBatch, roots: &[usize]) -> std::result::Result<ArrayRef, Fault> {
        let column = |root: &usize| -> std::result::Result<ArrayRef, Fault> {
            let position = roots.binary_search(root).ok();
            let array = position.filter(|&position| position < read.num_columns()).map(|it| read.column(it).clone());
            array.ok_or_else(|| Failure::new("is missing").into())
        };
        let array = match &self.origin {
            Origin::Column(root) => column(root)?,
            Origin::Spread(roots) => spread(&roots.iter().map(column).collect::<std::result::Result<Vec<_>, _>>()?)?,
            Origin::Member { root, path } => member(&column(root)?, path)?,
            Origin::Rest { root, paths, .. } => without(&column(root)?, &of_all(paths))?,
            Origin::Path(value) => Arc::new(StringArray::from(vec![value.as_deref(); read.num_rows()])),
            Origin::Missing => new_null_array(&self.data_type, read.num_rows()),
            Origin::Unreadable(why) => return Err(Failure::new(why.clone()).into()),
        };
        match array.as_fixed_size_binary_opt() {
            _ if array.data_type() == &self.data_type || array.data_type() == &viewed(&self.data_type) => Ok(array),
            Some(bytes) if bytes.value_length() == 16 && self.data_type == INT128 => Ok(int128(bytes)?),
            _ => exact_cast(&array, &self.data_type),
        }
    }
}

fn int128(bytes: &FixedSizeBinaryArray) -> std::result::Result<ArrayRef, ArrowError> {
    let number = |bytes: &[u8]| bytes.try_into().ok().map(i128::from_le_bytes);
    let numbers: Decimal128Array = bytes.iter().map(|bytes| bytes.and_then(number)).collect();
    Ok(Arc::new(numbers.with_data_type(INT128)))
}

fn own_columns(file: &[FileColumn]) -> Vec<Offer> {
    let mut root = 0;
    let mut offers = Vec::new();
    for FileColumn { name, data_type } in file {
        let (data_type, origin) = match data_type {
            Ok(data_type) => {
                root += 1;
                (data_type.clone(), Origin::Column(root - 1))
            }
            Err(why) => (DataType::Null, Origin::Unreadable(why.clone())),
        };
        offers.push(Offer { name: name.clone(), data_type, origin });
    }
    offers
}

fn schema_of(offers: &[Offer]) -> SchemaRef {
    let fields: Fields = offers.iter().map(|offer| Field::new(&offer.name, offer.data_type.clone(), true)).collect();
    Arc::new(Schema::new(fields))
}

/// Applies each --rename to one column: of two columns with the same name, first to the first one. Returns the old
/// names that this file has.
fn rename(offers: &mut [Offer], renames: &[(String, String)]) -> Vec<String> {
    let mut is_new = vec![false; offers.len()];
    let mut found = Vec::new();
    for (old, new) in renames {
        if let Some((offer, is_new)) =
            offers.iter_mut().zip(&mut is_new).find(|(offer, new)| !**new && &offer.name == old)
        {
            *is_new = true;
            offer.name.clone_from(new);
            found.push(old.clone());
        }
    }
    found
}

/// Finds or makes the column that an `--embedding` means, and returns its name.
fn make_vector(offers: &mut Vec<Offer>, asked: &str) -> Result<String> {
    if offers.iter().any(|offer| offer.name == asked) {
        return Ok(asked.to_owned());
    }
    let (name, from) = match asked.split_once('=') {
        Some((name, from)) => (Some(name), from),
        None => (None, asked),
    };
    if let Some((before, after)) = from.split_once('*') {
        let name = name.ok_or_else(|| {
            Failure::new(format!(
                "--embedding {asked}: the vector column needs a name, such as --embedding 'vector={asked}'"
            ))
        })?;
        collect_offers(offers, name, (before, after))
            .map_err(|failure| failure.at(format_args!("--embedding {asked}")))?;
        return Ok(name.to_owned());
    }
    let name = name.unwrap_or_else(|| from.rsplit('.').next().unwrap_or(from));
    if let Some(position) = offers.iter().position(|offer| offer.name == from) {
        offers[position].name = name.to_owned();
    } else if !take_member(offers, name, from) {
        return Ok(asked.to_owned());
    }
    if offers.iter().filter(|offer| offer.name == name).count() > 1 {
        let free = from.replace('.', "_");
        return Err(Failure::new(format!(
            "--embedding {asked}: there is another column \"{name}\"; give this one a name of its own, such as --embedding \
             '{free}={from}'"
        )));
    }
    Ok(name.to_owned())
}

/// Replaces the columns whose name is a number between the two parts of `around` by one vector column, at the first of
/// them.
fn collect_offers(offers: &mut Vec<Offer>, name: &str, around: (&str, &str)) -> Result<()> {
    let number = |offer: &Offer| -> Option<usize> {
        let digits = offer.name.strip_prefix(around.0)?.strip_suffix(around.1)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let mut parts: Vec<(usize, usize)> =
        offers.iter().enumerate().filter_map(|(at, offer)| Some((number(offer)?, at))).collect();
    parts.sort_unstable();
    let Some(first) = parts.iter().map(|(_, at)| *at).min() else {
        return Err(Failure::new("no column has such a name with a number in the place of the *"));
    };
    let mut roots = Vec::new();
    for (index, &(number, at)) in parts.iter().enumerate() {
        let offer = &offers[at];
        let expected = parts[0].0 + index;
        if number != expected {
            return Err(Failure::new(format!("expected the component {expected}, got column \"{}\"", offer.name)));
        }
        match offer.origin {
            Origin::Column(root) if offer.data_type.is_floating() || offer.data_type.is_integer() => roots.push(root),
            _ => {
                let (column, kind) = (&offer.name, &offer.data_type);
                return Err(Failure::new(format!("column \"{column}\": expected numbers, got {kind}")));
            }
        }
    }
    let size = i32::try_from(roots.len()).map_err(|_| Failure::new("too many columns"))?;
    let data_type = DataType::new_fixed_size_list(DataType::Float32, size, true);
    offers[first] = Offer { name: name.to_owned(), data_type, origin: Origin::Spread(roots) };
    let mut at = 0;
    offers.retain(|_| {
        at += 1;
        at - 1 == first || !parts.iter().any(|(_, part)| *part == at - 1)
    });
    Ok(())
}

/// `payload.vector`: the field becomes a column of its own, behind what is left of its struct. False if there is none.
fn take_member(offers: &mut Vec<Offer>, name: &str, from: &str) -> bool {
    let mut parts = from.split('.');
    let outer = parts.next().unwrap_or_default();
    let Some(position) = offers.iter().position(|offer| offer.name == outer) else { return false };
    let (root, whole, mut paths) = match &offers[position].origin {
        Origin::Column(root) => (*root, offers[position].data_type.clone(), Vec::new()),
        Origin::Rest { root, whole, paths } => (*root, whole.clone(), paths.clone()),
        _ => return false,
    };
    let mut path = Vec::new();
    let mut data_type = &whole;
    for part in parts {
        let DataType::Struct(fields) = data_type else { return false };
        let Some((index, field)) = fields.find(part) else { return false };
        path.push(index);
        data_type = field.data_type();
    }
    let vector = Offer {
        name: name.to_owned(),
        data_type: data_type.clone(),
        origin: Origin::Member { root, path: path.clone() },
    };
    offers.insert(position + 1, vector);
    paths.push(path);
    match type_without(&whole, &of_all(&paths)) {
        Some(rest) => {
            offers[position].data_type = rest;
            offers[position].origin = Origin::Rest { root, whole, paths };
        }
        None => {
            offers.remove(position);
        }
    }
    true
}

fn of_all(paths: &[Vec<usize>]) -> Vec<&[usize]> {
    paths.iter().map(Vec::as_slice).collect()
}

/// The paths that lead into the struct's field of that index, from there on; None if one of them ends at the field.
fn within<'a>(paths: &[&'a [usize]], field: usize) -> Option<Vec<&'a [usize]>> {
    let inner = paths.iter().filter_map(|path| path.split_first()).filter(|&(&first, _)| first == field);
    inner.map(|(_, rest)| (!rest.is_empty()).then_some(rest)).collect()
}

/// The struct's type without the fields of those paths; None if it has no other.
fn type_without(data_type: &DataType, paths: &[&[usize]]) -> Option<DataType> {
    let (DataType::Struct(fields), false) = (data_type, paths.is_empty()) else { return Some(data_type.clone()) };
    let kept = fields.iter().enumerate().filter_map(|(at, field)| {
        let inner = type_without(field.data_type(), &within(paths, at)?)?;
        Some(Arc::new(field.as_ref().clone().with_data_type(inner)))
    });
    let kept: Fields = kept.collect();
    (!kept.is_empty()).then_some(DataType::Struct(kept))
}

fn as_struct(array: &ArrayRef) -> std::result::Result<&StructArray, Fault> {
    array.as_struct_opt().ok_or_else(|| Failure::new("is no struct").into())
}

/// The field's values; NULL where a struct around it is.
fn member(array: &ArrayRef, path: &[usize]) -> std::result::Result<ArrayRef, Fault> {
    let Some((&index, path)) = path.split_first() else { return Ok(array.clone()) };
    let parent = as_struct(array)?;
    let field = parent.columns().get(index).ok_or_else(|| Failure::new("is missing"))?;
    let nulls = NullBuffer::union(field.nulls(), parent.nulls());
    member(&make_array(field.to_data().into_builder().nulls(nulls).build()?), path)
}

fn without(array: &ArrayRef, paths: &[&[usize]]) -> std::result::Result<ArrayRef, Fault> {
    if paths.is_empty() {
        return Ok(array.clone());
    }
    let parent = as_struct(array)?;
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (at, (field, column)) in parent.fields().iter().zip(parent.columns()).enumerate() {
        let Some(inner) = within(paths, at).filter(|inner| type_without(column.data_type(), inner).is_some()) else {
            continue;
        };
        let column = without(column, &inner)?;
        fields.push(Arc::new(field.as_ref().clone().with_data_type(column.data_type().clone())));
        columns.push(column);
    }
    Ok(Arc::new(StructArray::try_new(fields.into(), columns, parent.nulls().cloned())?))
}

/// One vector per row from one column per component. A row without any component has no vector.
fn spread(columns: &[ArrayRef]) -> std::result::Result<ArrayRef, Fault> {
    let columns =
        columns.iter().map(|column| cast(column, &DataType::Float32)).collect::<std::result::Result<Vec<_>, _>>()?;
    let columns: Vec<&Float32Array> = columns.iter().map(|column| column.as_primitive::<Float32Type>()).collect();
    let rows = columns.first().map_or(0, |column| column.len());
    let mut values = Vec::with_capacity(rows * columns.len());
    for row in 0..rows {
        values.extend(columns.iter().map(|column| column.is_valid(row).then(|| column.value(row))));
    }
    let present = BooleanBuffer::collect_bool(rows, |row| columns.iter().any(|column| column.is_valid(row)));
    let field = Arc::new(Field::new_list_field(DataType::Float32, true));
    let size = i32::try_from(columns.len()).map_err(|_| Failure::new("too many columns"))?;
    let lists = FixedSizeListArray::try_new(field, size, Arc::new(Float32Array::from(values)), Some(present.into()))?;
    Ok(Arc::new(lists))
}
