//! Thrift's compact protocol. Page headers are read field by field; footers are read as a whole, changed and written
//! back.
//!
//! Layout: a struct is fields, each a byte (step to the field's number << 4 | kind) and a value, and a zero byte;
//! numbers are zigzag varints; bytes have their length in front; a list has a byte (length << 4 | kind), with a varint
//! behind it where the length is 15 or more.

use std::io::{self, Read};

/// Structs and lists within each other that are followed; Parquet's footers have eight.
const DEEPEST: usize = 32;

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
pub const I32: u8 = 5;
const INTEGERS: std::ops::RangeInclusive<u8> = 4..=6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
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

/// Reads the struct at the start of the bytes. None if there is none.
pub fn read(mut bytes: &[u8]) -> Option<Value> {
    value(&mut bytes, STRUCT, 0, true).ok()
}

/// Calls `visit` with the number and kind of each field of a struct. `visit` reads the field.
pub fn fields(
    input: &mut dyn Read,
    depth: usize,
    visit: &mut dyn FnMut(&mut dyn Read, i64, u8) -> io::Result<()>,
) -> io::Result<()> {
    check_depth(depth)?;
    let mut number = 0_i64;
    loop {
        let head = byte(input)?;
        if head == 0 {
            return Ok(());
        }
        number = if head >> 4 == 0 { zigzag(input)? } else { number.wrapping_add(i64::from(head >> 4)) };
        visit(input, number, head & 15)?;
    }
}

/// Skips a value without keeping it in memory.
pub fn skip(input: &mut dyn Read, kind: u8, depth: usize) -> io::Result<()> {
    value(input, kind, depth, false).map(drop)
}

/// Reads a signed integer of any size.
pub fn zigzag(input: &mut dyn Read) -> io::Result<i64> {
    let number = varint(input)?;
    Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

pub fn varint(input: &mut dyn Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let next = byte(input)?;
        number |= u64::from(next & 0x7f) << shift;
        if next < 0x80 {
            return Ok(number);
        }
    }
    Err(io::Error::other("a number in it has no end"))
}

fn byte(input: &mut dyn Read) -> io::Result<u8> {
    let mut byte = [0];
    input.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn check_depth(depth: usize) -> io::Result<()> {
    if depth > DEEPEST { Err(io::Error::other("its structs are too deep")) } else { Ok(()) }
}

/// Reads a value; without `keep` it comes back empty.
fn value(input: &mut dyn Read, kind: u8, depth: usize, keep: bool) -> io::Result<Value> {
    check_depth(depth)?;
    Ok(match kind {
        TRUE | FALSE => Value::Bool(kind),
        BYTE => Value::Byte(byte(input)?),
        kind if INTEGERS.contains(&kind) => Value::Number(zigzag(input)?),
        DOUBLE => {
            let mut bytes = [0; 8];
            input.read_exact(&mut bytes)?;
            Value::Double(bytes)
        }
        BINARY => {
            let length = varint(input)?;
            Value::Binary(binary(input, length, keep)?)
        }
        LIST | SET => {
            let head = byte(input)?;
            let length = if head >> 4 == 15 { varint(input)? } else { u64::from(head >> 4) };
            Value::List(head & 15, items(input, length, &[head & 15], (depth, keep))?)
        }
        // Parquet has none, so that none is written back.
        MAP if !keep => {
            let length = varint(input)?;
            let kinds = if length > 0 { byte(input)? } else { 0 };
            Value::List(MAP, items(input, length, &[kinds >> 4, kinds & 15], (depth, keep))?)
        }
        STRUCT => {
            let mut list = Vec::new();
            fields(input, depth, &mut |input, number, kind| {
                let value = value(input, kind, depth + 1, keep)?;
                if keep {
                    list.push(Field { number, kind, value });
                }
                Ok(())
            })?;
            Value::Struct(list)
        }
        _ => return Err(io::Error::other("it is damaged")),
    })
}

/// Reads `count` items, each of values of these kinds. Each value takes at least one byte, so a false count ends with
/// the input.
fn items(input: &mut dyn Read, count: u64, kinds: &[u8], (depth, keep): (usize, bool)) -> io::Result<Vec<Value>> {
    let mut items = Vec::new();
    for _ in 0..count {
        for &kind in kinds {
            let item = match kind {
                TRUE | FALSE => Value::Bool(byte(input)?),
                _ => value(input, kind, depth + 1, keep)?,
            };
            if keep {
                items.push(item);
            }
        }
    }
    Ok(items)
}

fn binary(input: &mut dyn Read, length: u64, keep: bool) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut input = input.take(length);
    let read = if keep { input.read_to_end(&mut bytes)? as u64 } else { io::copy(&mut input, &mut io::sink())? };
    if read == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

pub fn write(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, value);
    out
}

pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
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
