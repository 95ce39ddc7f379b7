//! AMF3 values (Adobe, "Action Message Format -- AMF 3"), as far as commands and metadata need them.
//!
//! They are read into, and written from, the same [`Value`]s as AMF0. References to strings and traits are
//! followed, references to objects are refused; so are XML, vectors, dictionaries and externalizable objects.

use crate::AmfError;
use crate::amf0::{Budget, Properties, Value, text};
use bytes::{BufMut, BytesMut};
use headwater_media::Reader;

const UNDEFINED: u8 = 0x00;
const NULL: u8 = 0x01;
const FALSE: u8 = 0x02;
const TRUE: u8 = 0x03;
const INTEGER: u8 = 0x04;
const DOUBLE: u8 = 0x05;
const STRING: u8 = 0x06;
const DATE: u8 = 0x08;
const ARRAY: u8 = 0x09;
const OBJECT: u8 = 0x0a;
const BYTE_ARRAY: u8 = 0x0c;

/// Most bytes that references to strings may unfold to in one value.
const TABLE_BYTES_MAX: usize = 1 << 20;

/// Reads one value from the start of `data`; returns it and the bytes it took. Bounds are those of [`crate::amf0`].
pub fn decode(data: &[u8]) -> Result<(Value, usize), AmfError> {
    if data.len() > crate::amf0::BYTES_MAX {
        return Err(AmfError::TooLong { bytes: data.len() });
    }
    let mut input = Reader::new(data);
    let value = value(&mut input, &mut Budget::default(), &mut Tables::default())?;
    Ok((value, input.position()))
}

/// Appends `value` as AMF3: numbers as doubles, objects as anonymous dynamic ones, no references.
pub fn encode(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Number(n) => {
            out.put_u8(DOUBLE);
            out.put_f64(*n);
        }
        Value::Boolean(b) => out.put_u8(if *b { TRUE } else { FALSE }),
        Value::String(s) => {
            out.put_u8(STRING);
            write_string(s, out);
        }
        Value::Object(p) => {
            out.put_slice(&[OBJECT, 0x0b, 0x01]); // inline, dynamic, no sealed members; no class name
            write_pairs(p, out);
        }
        Value::Null => out.put_u8(NULL),
        Value::Undefined => out.put_u8(UNDEFINED),
        Value::EcmaArray(p) => {
            out.put_slice(&[ARRAY, 0x01]); // no dense part
            write_pairs(p, out);
        }
        Value::StrictArray(values) => {
            out.put_u8(ARRAY);
            write_u29((values.len() as u32) << 1 | 1, out);
            out.put_u8(0x01); // no named part
            values.iter().for_each(|v| encode(v, out));
        }
        Value::Date(ms) => {
            out.put_slice(&[DATE, 0x01]);
            out.put_f64(*ms);
        }
    }
}

fn write_pairs(properties: &[(String, Value)], out: &mut BytesMut) {
    for (name, value) in properties.iter().filter(|(name, _)| !name.is_empty()) {
        write_string(name, out);
        encode(value, out);
    }
    out.put_u8(0x01); // the empty name ends the pairs
}

fn write_string(s: &str, out: &mut BytesMut) {
    write_u29((s.len() as u32) << 1 | 1, out);
    out.put_slice(s.as_bytes());
}

/// 1.3.1: seven bits a byte, the fourth byte has eight.
fn write_u29(n: u32, out: &mut BytesMut) {
    let n = n & 0x1fff_ffff;
    let low = |shift: u32| (n >> shift) as u8 & 0x7f;
    match n {
        0..0x80 => out.put_u8(n as u8),
        0x80..0x4000 => out.put_slice(&[low(7) | 0x80, low(0)]),
        0x4000..0x20_0000 => out.put_slice(&[low(14) | 0x80, low(7) | 0x80, low(0)]),
        _ => out.put_slice(&[low(22) | 0x80, low(15) | 0x80, low(8) | 0x80, n as u8]),
    }
}

/// What references point to.
#[derive(Default)]
pub(crate) struct Tables {
    strings: Vec<String>,
    copied: usize,
    traits: Vec<Traits>,
}

impl Tables {
    /// A small message must not unfold to a huge value.
    fn copy(&mut self, bytes: usize) -> Result<(), AmfError> {
        self.copied += bytes;
        if self.copied > TABLE_BYTES_MAX { Err(AmfError::TooLong { bytes: self.copied }) } else { Ok(()) }
    }
}

#[derive(Clone)]
struct Traits {
    dynamic: bool,
    members: Vec<String>,
}

pub(crate) fn value(
    input: &mut Reader<'_>,
    budget: &mut Budget,
    tables: &mut Tables,
) -> Result<Value, AmfError> {
    let at = input.position();
    budget.spend(at)?;
    let marker = input.u8()?;
    Ok(match marker {
        UNDEFINED => Value::Undefined,
        NULL => Value::Null,
        FALSE => Value::Boolean(false),
        TRUE => Value::Boolean(true),
        INTEGER => Value::Number(f64::from(((u29(input)? << 3) as i32) >> 3)),
        DOUBLE => Value::Number(input.f64()?),
        STRING => Value::String(string(input, tables)?),
        DATE => {
            inline(input, at)?;
            Value::Date(input.f64()?)
        }
        ARRAY => array(input, budget, tables)?,
        OBJECT => Value::Object(object(input, budget, tables)?),
        BYTE_ARRAY => {
            let len = inline(input, at)?;
            Value::String(text(input.bytes(len)?))
        }
        marker => return Err(AmfError::Marker { marker, at }),
    })
}

fn array(input: &mut Reader<'_>, budget: &mut Budget, tables: &mut Tables) -> Result<Value, AmfError> {
    let at = input.position();
    budget.enter(at)?;
    let dense = inline(input, at)?;
    let mut named = pairs(input, budget, tables)?;
    let mut values = Vec::new();
    for _ in 0..dense {
        values.push(value(input, budget, tables)?);
    }
    budget.leave();
    if named.is_empty() {
        return Ok(Value::StrictArray(values));
    }
    named.extend(values.into_iter().enumerate().map(|(i, v)| (i.to_string(), v)));
    Ok(Value::EcmaArray(named))
}

fn object(input: &mut Reader<'_>, budget: &mut Budget, tables: &mut Tables) -> Result<Properties, AmfError> {
    let at = input.position();
    budget.enter(at)?;
    let traits = traits(input, budget, tables)?;
    let mut out = Properties::new();
    for name in traits.members {
        out.push((name, value(input, budget, tables)?));
    }
    if traits.dynamic {
        out.extend(pairs(input, budget, tables)?);
    }
    budget.leave();
    Ok(out)
}

/// 3.12: bit 0 object is inline, bit 1 traits are inline, bit 2 externalizable, bit 3 dynamic, then the count.
fn traits(input: &mut Reader<'_>, budget: &mut Budget, tables: &mut Tables) -> Result<Traits, AmfError> {
    let at = input.position();
    let head = u29(input)?;
    match head & 0x07 {
        0x01 | 0x05 => {
            let found = tables.traits.get((head >> 2) as usize).ok_or(AmfError::Reference { at })?.clone();
            tables.copy(found.members.iter().map(String::len).sum())?;
            Ok(found)
        }
        0x03 => {
            string(input, tables)?; // class name
            let mut members = Vec::new();
            for _ in 0..head >> 4 {
                budget.spend(input.position())?;
                members.push(string(input, tables)?);
            }
            let traits = Traits { dynamic: head & 0x08 != 0, members };
            tables.traits.push(traits.clone());
            Ok(traits)
        }
        0x07 => Err(AmfError::Marker { marker: OBJECT, at }),
        _ => Err(AmfError::Reference { at }),
    }
}

fn pairs(input: &mut Reader<'_>, budget: &mut Budget, tables: &mut Tables) -> Result<Properties, AmfError> {
    let mut out = Properties::new();
    loop {
        let name = string(input, tables)?;
        if name.is_empty() {
            return Ok(out);
        }
        out.push((name, value(input, budget, tables)?));
    }
}

fn string(input: &mut Reader<'_>, tables: &mut Tables) -> Result<String, AmfError> {
    let at = input.position();
    let head = u29(input)?;
    if head & 1 == 0 {
        let found = tables.strings.get((head >> 1) as usize).ok_or(AmfError::Reference { at })?.clone();
        tables.copy(found.len())?;
        return Ok(found);
    }
    let s = text(input.bytes((head >> 1) as usize)?);
    if !s.is_empty() {
        tables.strings.push(s.clone());
    }
    Ok(s)
}

/// A header whose low bit says "the value follows"; returns its other bits.
fn inline(input: &mut Reader<'_>, at: usize) -> Result<usize, AmfError> {
    let head = u29(input)?;
    if head & 1 == 0 { Err(AmfError::Reference { at }) } else { Ok((head >> 1) as usize) }
}

fn u29(input: &mut Reader<'_>) -> Result<u32, AmfError> {
    let mut n = 0;
    for _ in 0..3 {
        let byte = input.u8()?;
        n = n << 7 | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(n);
        }
    }
    Ok(n << 8 | u32::from(input.u8()?))
}
