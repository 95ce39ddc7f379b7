//! AMF0 values (Adobe, "Action Message Format -- AMF 0"), within bounds: depth, number of values, bytes.
//!
//! AMF3 values behind the avmplus marker (0x11) are read as the AMF0 value they correspond to. References, XML and
//! movie clips are refused.

use crate::{AmfError, amf3};
use bytes::{BufMut, BytesMut};
use headwater_media::Reader;

/// Most levels of objects and arrays inside each other.
pub const DEPTH_MAX: usize = 32;
/// Most values in one message, those inside objects and arrays included.
pub const VALUES_MAX: usize = 16_384;
/// Longest message, in bytes.
pub const BYTES_MAX: usize = 1 << 20;

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const REFERENCE: u8 = 0x07;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0a;
const DATE: u8 = 0x0b;
const LONG_STRING: u8 = 0x0c;
const UNSUPPORTED: u8 = 0x0d;
const TYPED_OBJECT: u8 = 0x10;
const AVMPLUS: u8 = 0x11;

/// Named values, in the order of the wire. A name may repeat; the first counts.
pub type Properties = Vec<(String, Value)>;

/// One AMF value. Text that is not UTF-8 is read with replacement characters.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A double.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// Text; over 65,535 bytes it is a long string on the wire.
    String(String),
    /// An object; the class name of a typed one is dropped.
    Object(Properties),
    /// Null.
    Null,
    /// Undefined (and "unsupported").
    Undefined,
    /// An array with names for keys.
    EcmaArray(Properties),
    /// An array with numbers for keys.
    StrictArray(Vec<Value>),
    /// Milliseconds since 1970; the time zone field is not used.
    Date(f64),
}

impl Value {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The value of a number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The value of a boolean; a number counts as true when it is not 0.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(b) => Some(*b),
            Value::Number(n) => Some(*n != 0.0),
            _ => None,
        }
    }

    /// The properties of an object or an ECMA array.
    pub fn properties(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Object(p) | Value::EcmaArray(p) => Some(p),
            _ => None,
        }
    }

    /// The property `name` of an object or an ECMA array.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.properties()?.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Appends the value as AMF0.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Value::Number(n) => write_number(*n, out),
            Value::Boolean(b) => out.put_slice(&[BOOLEAN, u8::from(*b)]),
            Value::String(s) => write_string(s, out),
            Value::Object(p) => {
                out.put_u8(OBJECT);
                write_properties(p, out);
            }
            Value::Null => write_null(out),
            Value::Undefined => out.put_u8(UNDEFINED),
            Value::EcmaArray(p) => {
                out.put_u8(ECMA_ARRAY);
                out.put_u32(p.len() as u32);
                write_properties(p, out);
            }
            Value::StrictArray(values) => {
                out.put_u8(STRICT_ARRAY);
                out.put_u32(values.len() as u32);
                values.iter().for_each(|v| v.encode(out));
            }
            Value::Date(ms) => {
                out.put_u8(DATE);
                out.put_f64(*ms);
                out.put_i16(0);
            }
        }
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Value {
        Value::String(s.to_owned())
    }
}

impl From<f64> for Value {
    fn from(n: f64) -> Value {
        Value::Number(n)
    }
}

/// An object of the given properties.
pub fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
    Value::Object(properties.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
}

/// Appends a number.
pub fn write_number(n: f64, out: &mut BytesMut) {
    out.put_u8(NUMBER);
    out.put_f64(n);
}

/// Appends a string, as a long string when it has more than 65,535 bytes.
pub fn write_string(s: &str, out: &mut BytesMut) {
    match u16::try_from(s.len()) {
        Ok(len) => {
            out.put_u8(STRING);
            out.put_u16(len);
        }
        Err(_) => {
            out.put_u8(LONG_STRING);
            out.put_u32(s.len() as u32);
        }
    }
    out.put_slice(s.as_bytes());
}

/// Appends a null.
pub fn write_null(out: &mut BytesMut) {
    out.put_u8(NULL);
}

fn write_properties(properties: &[(String, Value)], out: &mut BytesMut) {
    for (name, value) in properties {
        let name = name.get(..name.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
        out.put_u16(name.len() as u16);
        out.put_slice(name.as_bytes());
        value.encode(out);
    }
    out.put_slice(&[0, 0, OBJECT_END]);
}

/// All values of a message.
pub fn decode_all(data: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Decoder::new(data)?;
    let mut values = Vec::new();
    while !decoder.is_empty() {
        values.push(decoder.value()?);
    }
    Ok(values)
}

/// Reads the values of one message, one after the other. The bounds are those of the whole message.
#[derive(Debug)]
pub struct Decoder<'a> {
    input: Reader<'a>,
    budget: Budget,
}

impl<'a> Decoder<'a> {
    /// Reads `data`, which must not be longer than [`BYTES_MAX`].
    pub fn new(data: &'a [u8]) -> Result<Self, AmfError> {
        if data.len() > BYTES_MAX {
            return Err(AmfError::TooLong { bytes: data.len() });
        }
        Ok(Decoder { input: Reader::new(data), budget: Budget::default() })
    }

    /// Whether every value has been read.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.input.position()
    }

    /// The next value.
    pub fn value(&mut self) -> Result<Value, AmfError> {
        value(&mut self.input, &mut self.budget)
    }
}

/// What a message may still hold.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    values: usize,
    depth: usize,
}

impl Budget {
    pub(crate) fn spend(&mut self, at: usize) -> Result<(), AmfError> {
        self.values += 1;
        if self.values > VALUES_MAX { Err(AmfError::TooMany { at }) } else { Ok(()) }
    }

    pub(crate) fn enter(&mut self, at: usize) -> Result<(), AmfError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(AmfError::TooDeep { at }) } else { Ok(()) }
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }
}

fn value(input: &mut Reader<'_>, budget: &mut Budget) -> Result<Value, AmfError> {
    let at = input.position();
    budget.spend(at)?;
    let marker = input.u8()?;
    Ok(match marker {
        NUMBER => Value::Number(input.f64()?),
        BOOLEAN => Value::Boolean(input.u8()? != 0),
        STRING => Value::String(short_string(input)?),
        LONG_STRING => {
            let len = input.u32()? as usize;
            Value::String(text(input.bytes(len)?))
        }
        NULL => Value::Null,
        UNDEFINED | UNSUPPORTED => Value::Undefined,
        DATE => {
            let ms = input.f64()?;
            input.skip(2)?; // time zone, "should not be filled in"
            Value::Date(ms)
        }
        OBJECT => Value::Object(properties(input, budget)?),
        TYPED_OBJECT => {
            short_string(input)?;
            Value::Object(properties(input, budget)?)
        }
        ECMA_ARRAY => {
            input.skip(4)?; // the count is a hint; the end marker rules
            Value::EcmaArray(properties(input, budget)?)
        }
        STRICT_ARRAY => Value::StrictArray(strict_array(input, budget)?),
        AVMPLUS => amf3::value(input, budget, &mut amf3::Tables::default())?,
        REFERENCE => return Err(AmfError::Reference { at }),
        marker => return Err(AmfError::Marker { marker, at }),
    })
}

fn properties(input: &mut Reader<'_>, budget: &mut Budget) -> Result<Properties, AmfError> {
    budget.enter(input.position())?;
    let mut out = Properties::new();
    loop {
        let name = short_string(input)?;
        if name.is_empty() && input.rest().first() == Some(&OBJECT_END) {
            input.skip(1)?;
            break;
        }
        out.push((name, value(input, budget)?));
    }
    budget.leave();
    Ok(out)
}

fn strict_array(input: &mut Reader<'_>, budget: &mut Budget) -> Result<Vec<Value>, AmfError> {
    budget.enter(input.position())?;
    let count = input.u32()?;
    let mut out = Vec::new(); // grows with what is there, not with what the count claims
    for _ in 0..count {
        out.push(value(input, budget)?);
    }
    budget.leave();
    Ok(out)
}

fn short_string(input: &mut Reader<'_>) -> Result<String, AmfError> {
    let len = input.u16()?;
    Ok(text(input.bytes(usize::from(len))?))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
