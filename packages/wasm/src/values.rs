//! Values from JavaScript to SQLite and back.

use js_sys::{Array, ArrayBuffer, BigInt, Float32Array, Number, Reflect, Uint8Array};
use rusqlite::Statement;
use rusqlite::types::{Value, ValueRef};
use wasm_bindgen::{JsCast, JsValue};

use crate::error::{Result, failure};

/// A value of a row. An integer that a number can't hold is a BigInt, a BLOB is a copy.
pub fn to_js(value: ValueRef<'_>) -> JsValue {
    match value {
        ValueRef::Null => JsValue::NULL,
        ValueRef::Integer(integer) if (integer as f64).abs() <= Number::MAX_SAFE_INTEGER => (integer as f64).into(),
        ValueRef::Integer(integer) => integer.into(),
        ValueRef::Real(real) => real.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).as_ref().into(),
        ValueRef::Blob(blob) => Uint8Array::from(blob).into(),
    }
}

/// Binds an array of values, or the properties of an object by the names of the parameters.
pub fn bind(statement: &mut Statement<'_>, values: &JsValue) -> Result<()> {
    let wanted = statement.parameter_count();
    if let Some(values) = values.dyn_ref::<Array>() {
        let given = values.length() as usize;
        if given != wanted {
            return Err(failure(format!("expected {wanted} values, got {given}")));
        }
        for (at, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, to_sql(&value, &format!("value {}", at + 1))?)?;
        }
    } else if values.is_undefined() {
        if wanted > 0 {
            return Err(failure(format!("expected {wanted} values, got none")));
        }
    } else if values.is_object() && !ArrayBuffer::is_view(values) && !values.is_instance_of::<ArrayBuffer>() {
        for at in 1..=wanted {
            let name = statement.parameter_name(at).unwrap_or("?").to_owned();
            let property = name.get(1..).filter(|property| !property.is_empty());
            let value = property.and_then(|property| Reflect::get(values, &property.into()).ok());
            statement.raw_bind_parameter(at, to_sql(&value.unwrap_or(JsValue::UNDEFINED), &name)?)?;
        }
    } else {
        let kind = kind_of(values);
        return Err(failure(format!("expected an array or an object of values, got {kind}: write [value] for one")));
    }
    Ok(())
}

fn to_sql(value: &JsValue, name: &str) -> Result<Value> {
    if let Some(number) = value.as_f64() {
        // -0 stays a REAL.
        let is_integer = Number::is_safe_integer(value) && !(number == 0.0 && number.is_sign_negative());
        return Ok(if is_integer { Value::Integer(number as i64) } else { Value::Real(number) });
    }
    if let Some(text) = value.as_string() {
        return Ok(Value::Text(text));
    }
    if let Some(truth) = value.as_bool() {
        return Ok(Value::Integer(truth.into()));
    }
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let Some(integer) = value.dyn_ref::<BigInt>() {
        let integer = i64::try_from(integer.clone());
        return integer.map(Value::Integer).map_err(|_| failure(format!("{name}: expected a BigInt of 64 bits")));
    }
    // Memory of WebAssembly is little-endian, as vectors are.
    if let Some(floats) = value.dyn_ref::<Float32Array>() {
        return Ok(Value::Blob(
            Uint8Array::new_with_byte_offset_and_length(&floats.buffer(), floats.byte_offset(), 4 * floats.length())
                .to_vec(),
        ));
    }
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        return Ok(Value::Blob(bytes.to_vec()));
    }
    if value.is_instance_of::<ArrayBuffer>() {
        return Ok(Value::Blob(Uint8Array::new(value).to_vec()));
    }
    let cure = "a number, BigInt, string, boolean, null, Float32Array, Uint8Array or ArrayBuffer";
    Err(failure(format!("{name}: expected {cure}, got {}", kind_of(value))))
}

fn kind_of(value: &JsValue) -> String {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let class = if value.is_object() {
        property(value, "constructor").and_then(|class| property(&class, "name"))
    } else {
        None
    };
    class.unwrap_or_else(|| value.js_typeof()).as_string().unwrap_or_default()
}
