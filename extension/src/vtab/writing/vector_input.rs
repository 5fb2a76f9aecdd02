//! Checks the values of SQL for vectors: those to be stored, and those to search with.

use std::borrow::Cow;

use crate::distance::{Element, check_vector, decode, encode};
use crate::error::{Error, Result};
use crate::functions::{MAYBE_F64, counted, json_in_blob, marked_element, parse_text};
use crate::hnsw::Params;
use crate::sqlite::{Content, Value};
use crate::vtab::declaration::schema::VectorRef;

/// The checks for values of a vector column, which messages name `articles.embedding`.
#[derive(Debug, Clone, Copy)]
pub struct VectorInput<'a> {
    pub table: &'a str,
    pub column: &'a str,
    pub params: &'a Params,
}

impl<'a> VectorInput<'a> {
    /// The checks of a column of `table`.
    pub fn new(table: &'a str, vector: VectorRef<'a>) -> VectorInput<'a> {
        VectorInput { table, column: &vector.column.name, params: vector.params }
    }

    /// Returns the bytes to store for a value, which is a BLOB of the column's element or JSON text; None for NULL.
    ///
    /// # Errors
    /// `Error::Invalid` for another type or length, NaN, infinity, a number that the element cannot hold, and under
    /// cosine a zero vector.
    pub fn stored<'v>(&self, value: Value<'v>) -> Result<Option<Cow<'v, [u8]>>> {
        let bytes = match value.content() {
            Content::Null => return Ok(None),
            Content::Blob(bytes) if bytes.len() == self.params.vector_bytes() => {
                self.check_mark(value)?;
                self.refuse_json(bytes, self.params.element)?;
                self.check(&decode(bytes, self.params.element))?;
                Cow::Borrowed(bytes)
            }
            Content::Blob(bytes) => {
                self.check_mark(value)?;
                return Err(self.wrong_length(bytes, self.params.element));
            }
            Content::Text(text) => {
                let components = self.json(text)?;
                let bytes = encode(&components, self.params.element).map_err(|error| self.error(error))?;
                // Finds a vector that rounding made zero.
                self.check(&decode(&bytes, self.params.element))?;
                Cow::Owned(bytes)
            }
            Content::Integer(_) | Content::Real(_) => return Err(self.no_vector(value)),
        };
        Ok(Some(bytes))
    }

    /// Refuses a vector that is marked as another element: its length may be right by chance. (SQLite drops the mark
    /// when it sorts.)
    fn check_mark(&self, value: Value<'_>) -> Result<()> {
        let (expected, marked) = (self.params.element, marked_element(value).map_err(|error| self.error(error))?);
        match marked.filter(|marked| *marked != expected) {
            None => Ok(()),
            Some(got) => {
                Err(self.invalid(&format!("expected a vector of {}, got one of {}", expected.name(), got.name())))
            }
        }
    }

    /// Returns the components of a query vector; None for NULL. A BLOB has the element that it is marked as, otherwise
    /// that of the column or f32, by its length. Errors as for `stored`.
    pub fn query(&self, value: Value<'_>) -> Result<Option<Vec<f32>>> {
        let components = match value.content() {
            Content::Null => return Ok(None),
            Content::Blob(bytes) => {
                let marked = marked_element(value).map_err(|error| self.error(error))?;
                let fits = |element: &Element| bytes.len() == element.bytes(self.params.dims);
                let own = self.params.element;
                let found = match marked {
                    Some(marked) => Some(marked).filter(fits),
                    None => [own, Element::F32].into_iter().find(fits),
                };
                let Some(element) = found else {
                    let is_either = marked.is_none() && own != Element::F32;
                    let known = marked.unwrap_or(own);
                    return Err(if is_either { self.fits_neither(bytes) } else { self.wrong_length(bytes, known) });
                };
                self.refuse_json(bytes, element)?;
                decode(bytes, element)
            }
            Content::Text(text) => self.json(text)?,
            Content::Integer(_) | Content::Real(_) => return Err(self.no_vector(value)),
        };
        self.check(&components)?;
        Ok(Some(components))
    }

    fn json(&self, text: &[u8]) -> Result<Vec<f32>> {
        let components = parse_text(text).map_err(|error| self.error(error))?;
        if components.len() != self.params.dims {
            return Err(self.invalid(&format!("expected {}, got {}", self.expected(), components.len())));
        }
        Ok(components)
    }

    fn check(&self, components: &[f32]) -> Result<()> {
        check_vector(components, self.params.metric).map_err(|error| self.error(error))
    }

    /// Refuses JSON text that is bound as a BLOB and has as many bytes as the vector. Short vectors are not checked:
    /// their bytes may look like JSON by chance.
    fn refuse_json(&self, bytes: &[u8], element: Element) -> Result<()> {
        let is_long = bytes.len() > 8 && element == Element::F32;
        json_in_blob(bytes).filter(|_| is_long).map_or(Ok(()), |error| Err(self.error(error)))
    }

    /// The error of a BLOB of the wrong length. `element` is the most likely meaning of the BLOB.
    fn wrong_length(&self, bytes: &[u8], element: Element) -> Error {
        if let Some(error) = json_in_blob(bytes) {
            return self.error(error);
        }
        let count = bytes.len();
        let got = element.dims(count).map_or_else(|| counted(count, "byte"), |dims| dims.to_string());
        let hint = match self.likely(count) {
            Some(hint) => format!(" ({}: {hint})", counted(count, "byte")),
            // The dimensions of packed bits are not the bytes of the BLOB, and not a fraction of them.
            None if element == Element::Bit => format!(" ({})", counted(count, "byte")),
            None => String::new(),
        };
        self.invalid(&format!("expected {}, got {got}{hint}", self.expected()))
    }

    /// The error of a query vector without a mark, which may be of the column's element or of f32: so only its bytes are known.
    fn fits_neither(&self, bytes: &[u8]) -> Error {
        if let Some(error) = json_in_blob(bytes) {
            return self.error(error);
        }
        let params = self.params;
        let bytes_of =
            |element: Element| format!("{} of {}", counted(element.bytes(params.dims), "byte"), element.name());
        let (dims, own, float) = (counted(params.dims, "dimension"), bytes_of(params.element), bytes_of(Element::F32));
        let (got, hint) = (counted(bytes.len(), "byte"), self.likely(bytes.len()));
        let hint = hint.map_or(String::new(), |hint| format!(": {hint}"));
        self.invalid(&format!("expected {dims} ({own}, or {float}), got {got}{hint}"))
    }

    /// A hint at the type of a BLOB with so many bytes, if it may be another one than the column's.
    fn likely(&self, count: usize) -> Option<String> {
        let Params { dims, element, .. } = *self.params;
        let convert = match element {
            Element::F16 => "vec_f16(vec_json(v)) converts them",
            Element::I8 => "vec_int8(vec_json(v)) converts them",
            Element::Bit => "vec_bit(v) takes their signs",
            Element::F32 => "",
        };
        match count {
            _ if count == 8 * dims => Some(MAYBE_F64.to_string()),
            _ if count == 4 * dims && !convert.is_empty() => Some(format!("are these 32-bit floats? {convert}")),
            _ if count == dims && element == Element::Bit => Some("a byte holds 8 bits".to_string()),
            _ => None,
        }
    }

    fn expected(&self) -> String {
        let params = self.params;
        let (dims, bytes) = (counted(params.dims, "dimension"), counted(params.vector_bytes(), "byte"));
        format!("{dims} ({bytes} of {})", params.element.name())
    }

    fn no_vector(&self, value: Value<'_>) -> Error {
        self.invalid(&format!("expected a vector (a BLOB, or JSON text), got {}", value.kind().name()))
    }

    fn invalid(&self, what: &str) -> Error {
        Error::invalid(format!("{}.{}: {what}", self.table, self.column))
    }

    fn error(&self, error: Error) -> Error {
        match error {
            Error::Invalid(message) => self.invalid(&message),
            error => error,
        }
    }
}
