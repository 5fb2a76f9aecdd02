//! Thrift's compact protocol, as far as it takes to change a value in a footer and write it back.
//!
//! Layout: a struct is fields, each a byte (step to the field's number << 4 | kind) and a value, and a zero byte; numbers
//! are zigzag varints; bytes have their length in front; a list has a byte (length << 4 | kind), with a varint behind it
//! where the length is 15 or more.

/// Structs in structs that are followed; Parquet's footers have eight.
const DEEPEST: usize = 32;

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
pub const I32: u8 = 5;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
pub const STRUCT: u8 = 12;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// In a field the kind says it all.
    Bool(u8),
    Byte(u8),
    Number(i64),
    Double([u8; 8]),
    Binary(Vec<u8>),
    List(u8, Vec<Value>),
    Struct(Vec<Field>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub number: i64,
    pub kind: u8,
    pub value: Value,
}

/// The struct that the bytes begin with. None if they are none.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    value(&mut rest, STRUCT, 0)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (&first, tail) = rest.split_first()?;
    *rest = tail;
    Some(first)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let next = byte(rest)?;
        number |= u64::from(next & 0x7f) << shift;
        if next < 0x80 {
            return Some(number);
        }
    }
    None
}

fn zigzag(rest: &mut &[u8]) -> Option<i64> {
    let number = varint(rest)?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

fn value(rest: &mut &[u8], kind: u8, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    Some(match kind {
        TRUE | FALSE => Value::Bool(kind),
        BYTE => Value::Byte(byte(rest)?),
        4..=6 => Value::Number(zigzag(rest)?),
        DOUBLE => Value::Double(take(rest, 8)?.try_into().ok()?),
        BINARY => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Binary(take(rest, length)?.to_vec())
        }
        LIST | SET => {
            let head = byte(rest)?;
            let length = if head >> 4 == 15 { usize::try_from(varint(rest)?).ok()? } else { usize::from(head >> 4) };
            let kind = head & 15;
            // Each item takes a byte at least.
            if length > rest.len() {
                return None;
            }
            let item = |_| match kind {
                TRUE | FALSE => Some(Value::Bool(byte(rest)?)),
                _ => value(rest, kind, depth + 1),
            };
            Value::List(kind, (0..length).map(item).collect::<Option<_>>()?)
        }
        STRUCT => {
            let mut fields = Vec::new();
            let mut number = 0;
            loop {
                let head = byte(rest)?;
                if head == 0 {
                    break Value::Struct(fields);
                }
                number = if head >> 4 == 0 { zigzag(rest)? } else { number + i64::from(head >> 4) };
                let kind = head & 15;
                fields.push(Field { number, kind, value: value(rest, kind, depth + 1)? });
            }
        }
        _ => return None,
    })
}

pub fn write(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, value);
    out
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_zigzag(out: &mut Vec<u8>, number: i64) {
    put_varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(byte) | Value::Byte(byte) => out.push(*byte),
        Value::Number(number) => put_zigzag(out, *number),
        Value::Double(bytes) => out.extend(bytes),
        Value::Binary(bytes) => {
            put_varint(out, bytes.len() as u64);
            out.extend(bytes);
        }
        Value::List(kind, items) => {
            match items.len() {
                length @ ..15 => out.push((length as u8) << 4 | kind),
                length => {
                    out.push(0xf0 | kind);
                    put_varint(out, length as u64);
                }
            }
            items.iter().for_each(|item| put(out, item));
        }
        Value::Struct(fields) => {
            let mut number = 0;
            for field in fields {
                match field.number - number {
                    step @ 1..=15 => out.push((step as u8) << 4 | field.kind),
                    _ => {
                        out.push(field.kind);
                        put_zigzag(out, field.number);
                    }
                }
                number = field.number;
                if !matches!(field.value, Value::Bool(_)) {
                    put(out, &field.value);
                }
            }
            out.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_back() {
        let field = |number, kind, value| Field { number, kind, value };
        let many = (0..20).map(|number| Value::Number(number * 1000 - 9)).collect();
        let all = Value::Struct(vec![
            field(1, TRUE, Value::Bool(TRUE)),
            field(2, FALSE, Value::Bool(FALSE)),
            field(30, I32, Value::Number(i64::MIN)),
            field(31, BYTE, Value::Byte(7)),
            field(29, DOUBLE, Value::Double([1; 8])),
            field(300, BINARY, Value::Binary(vec![5; 200])),
            field(301, LIST, Value::List(I32, many)),
            field(302, LIST, Value::List(TRUE, vec![Value::Bool(TRUE), Value::Bool(FALSE)])),
            field(303, STRUCT, Value::Struct(Vec::new())),
        ]);
        let bytes = write(&all);
        assert_eq!(read(&bytes), Some(all));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn what_claims_more_than_there_is_is_refused() {
        // A list of 2^63 structs, and structs without an end.
        assert_eq!(read(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), None);
        assert_eq!(read(&[0x1c; 100]), None);
    }
}
