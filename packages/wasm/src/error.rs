//! Errors, as JavaScript gets them: an Error with a message and, if SQLite said one, its result code.

use std::fmt::Display;

use js_sys::Reflect;
use wasm_bindgen::JsValue;

pub type Result<T> = std::result::Result<T, Failure>;

pub struct Failure(JsValue);

/// A failure that has no result code.
pub fn failure(message: impl Display) -> Failure {
    Failure(js_sys::Error::new(&message.to_string()).into())
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        let (text, code) = match &error {
            // Its own text repeats the statement.
            rusqlite::Error::SqlInputError { error, msg, .. } => (msg.clone(), Some(error.extended_code)),
            rusqlite::Error::MultipleStatement => {
                ("expected one statement, got several: exec() runs a script".into(), None)
            }
            other => (other.to_string(), other.sqlite_extended_error_code()),
        };
        let failure = failure(text);
        if let Some(code) = code {
            // It fails for frozen objects only.
            let _ = Reflect::set(&failure.0, &"code".into(), &code.into());
        }
        failure
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> JsValue {
        failure.0
    }
}
