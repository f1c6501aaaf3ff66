//! From bytes to a value of a type.

use std::collections::BTreeMap;

use rmp::{Marker, decode as wire};

use crate::{
    codec::{CodecError, DEEPEST, Fault, msgpack},
    path::Step,
    value::{Number, Type, Value, nfc, without_repetition},
};

/// Reads the encoded value of type `ty` that `bytes` hold, no more and no less.
///
/// # Errors
/// Where bytes and type do not fit together.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
    let mut decoder = Decoder { rest: bytes, depth: 0 };
    let value = decoder.value(ty)?;
    if decoder.rest.is_empty() { Ok(value) } else { Err(Fault::Trailing(decoder.rest.len()).into()) }
}

struct Decoder<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Decoder<'a> {
    fn value(&mut self, ty: &Type) -> Result<Value, CodecError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault::TooDeep.into());
        }
        let value = self.any(ty);
        self.depth -= 1;
        value
    }

    fn any(&mut self, ty: &Type) -> Result<Value, CodecError> {
        match self.peek()? {
            Marker::Null => {
                self.rest = &self.rest[1..];
                return Ok(Value::Null);
            }
            marker if is_extension(marker) => return Ok(self.unknown()?),
            _ => {}
        }
        match ty {
            Type::Bool => Ok(self.boolean().map(Value::Bool)?),
            Type::Number => Ok(self.number().map(Value::Number)?),
            Type::String => Ok(self.text("a string").map(|text| Value::String(nfc(text).into_owned()))?),
            Type::Dynamic => self.dynamic(),
            Type::List(of) => self.items("a list", |decoder, _| decoder.value(of), Place::Index).map(Value::List),
            Type::Set(of) => {
                let items = self.items("a set", |decoder, _| decoder.value(of), Place::None)?;
                Ok(Value::Set(without_repetition(items)))
            }
            Type::Tuple(types) => self.tuple(types),
            Type::Map(of) => self.map(of),
            Type::Object(attributes) => self.object(attributes),
        }
    }

    fn peek(&self) -> Result<Marker, Fault> {
        self.rest.first().map(|first| Marker::from_u8(*first)).ok_or(Fault::CutShort)
    }

    fn given(&self, wanted: &str) -> Fault {
        self.peek().map_or(Fault::CutShort, |marker| Fault::Wanted { wanted: wanted.to_owned(), given: name(marker) })
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::CutShort)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Fault::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }

    fn unknown(&mut self) -> Result<Value, Fault> {
        let extension = wire::read_ext_meta(&mut self.rest).map_err(|_| Fault::CutShort)?;
        let payload = self.take(extension.size)?;
        // A payload of one byte is only there because the shortest extension has one.
        if extension.typeid == msgpack::REFINED && payload.len() > 1 {
            msgpack::refinement::read(payload)
        } else {
            Ok(Value::unknown())
        }
    }

    fn boolean(&mut self) -> Result<bool, Fault> {
        match self.peek()? {
            Marker::True | Marker::False => wire::read_bool(&mut self.rest).map_err(|_| Fault::CutShort),
            _ => Err(self.given("a bool")),
        }
    }

    fn number(&mut self) -> Result<Number, Fault> {
        let wanted = self.given("a number");
        match self.peek()? {
            Marker::F32 => {
                let float = wire::read_f32(&mut self.rest).map_err(|_| Fault::CutShort)?;
                Number::from_f64(f64::from(float)).ok_or(wanted)
            }
            Marker::F64 => {
                let float = wire::read_f64(&mut self.rest).map_err(|_| Fault::CutShort)?;
                Number::from_f64(float).ok_or(wanted)
            }
            marker if is_text(marker) || is_bytes(marker) => Number::parse(self.text("a number")?).map_err(|_| wanted),
            marker if is_integer(marker) => {
                let integer: i128 = wire::read_int(&mut self.rest).map_err(|_| Fault::CutShort)?;
                i64::try_from(integer)
                    .map(Number::from)
                    .or_else(|_| u64::try_from(integer).map(Number::from))
                    .map_err(|_| wanted)
            }
            _ => Err(wanted),
        }
    }

    /// Text, which Go's reader also takes from bytes.
    fn text(&mut self, wanted: &str) -> Result<&'a str, Fault> {
        let given = self.given(wanted);
        let bytes = self.bytes(wanted)?;
        std::str::from_utf8(bytes).map_err(|_| given)
    }

    fn bytes(&mut self, wanted: &str) -> Result<&'a [u8], Fault> {
        let length = match self.peek()? {
            marker if is_text(marker) => wire::read_str_len(&mut self.rest).map_err(|_| Fault::CutShort)?,
            marker if is_bytes(marker) => wire::read_bin_len(&mut self.rest).map_err(|_| Fault::CutShort)?,
            _ => return Err(self.given(wanted)),
        };
        self.take(length)
    }

    /// The announced length of an array. Every item takes a byte at least, so a greater length is a lie.
    fn array_length(&mut self, wanted: &str) -> Result<usize, Fault> {
        match self.peek()? {
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let length = wire::read_array_len(&mut self.rest).map_err(|_| Fault::CutShort)?;
                self.plausible(length, 1)
            }
            _ => Err(self.given(wanted)),
        }
    }

    fn map_length(&mut self, wanted: &str) -> Result<usize, Fault> {
        match self.peek()? {
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let length = wire::read_map_len(&mut self.rest).map_err(|_| Fault::CutShort)?;
                self.plausible(length, 2)
            }
            _ => Err(self.given(wanted)),
        }
    }

    fn plausible(&self, length: u32, least: usize) -> Result<usize, Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::CutShort)?;
        if length > self.rest.len() / least { Err(Fault::CutShort) } else { Ok(length) }
    }

    fn items(
        &mut self,
        wanted: &str,
        mut item: impl FnMut(&mut Self, usize) -> Result<Value, CodecError>,
        place: Place,
    ) -> Result<Vec<Value>, CodecError> {
        let length = self.array_length(wanted)?;
        let mut items = Vec::new();
        for index in 0..length {
            items.push(item(self, index).map_err(|error| place.of(error, index))?);
        }
        Ok(items)
    }

    fn tuple(&mut self, types: &[Type]) -> Result<Value, CodecError> {
        let mut ahead = self.rest;
        let given = wire::read_array_len(&mut ahead).map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        if matches!(self.peek()?, Marker::FixArray(_) | Marker::Array16 | Marker::Array32) && given != types.len() {
            return Err(Fault::Length { wanted: types.len(), given }.into());
        }
        let item = |decoder: &mut Self, index: usize| match types.get(index) {
            Some(ty) => decoder.value(ty),
            None => Err(Fault::Length { wanted: types.len(), given: index + 1 }.into()),
        };
        self.items("a tuple", item, Place::Index).map(Value::Tuple)
    }

    fn map(&mut self, of: &Type) -> Result<Value, CodecError> {
        let length = self.map_length("a map")?;
        let mut entries = BTreeMap::new();
        for _ in 0..length {
            let key = nfc(self.text("a string as key")?).into_owned();
            let value = self.value(of).map_err(|error| error.under(|| Step::Key(key.clone())))?;
            if entries.insert(key.clone(), value).is_some() {
                return Err(Fault::TwiceGiven(key).into());
            }
        }
        Ok(Value::Map(entries))
    }

    fn object(&mut self, types: &BTreeMap<String, Type>) -> Result<Value, CodecError> {
        let length = self.map_length("an object")?;
        let mut attributes = BTreeMap::new();
        for _ in 0..length {
            let name = self.text("a string as attribute name")?;
            let ty = types.get(name).ok_or_else(|| Fault::UnknownAttribute(name.to_owned()))?;
            let value = self.value(ty).map_err(|error| error.under(|| Step::Attribute(name.to_owned())))?;
            if attributes.insert(name.to_owned(), value).is_some() {
                return Err(Fault::TwiceGiven(name.to_owned()).into());
            }
        }
        match types.keys().find(|name| !attributes.contains_key(*name)) {
            Some(missing) => Err(Fault::MissingAttribute(missing.clone()).into()),
            None => Ok(Value::Object(attributes)),
        }
    }

    fn dynamic(&mut self) -> Result<Value, CodecError> {
        let length = self.array_length("a pair of a type and a value")?;
        if length != 2 {
            return Err(Fault::Length { wanted: 2, given: length }.into());
        }
        let ty = Type::from_json(self.bytes("a type")?).map_err(Fault::Type)?;
        let value = self.value(&ty)?;
        // A dynamic value in a dynamic value is that value.
        Ok(if ty == Type::Dynamic { value } else { Value::Dynamic(Box::new(ty), Box::new(value)) })
    }
}

/// What an item adds to the path of an error: elements of a set have no address.
#[derive(Clone, Copy)]
enum Place {
    Index,
    None,
}

impl Place {
    fn of(self, error: CodecError, index: usize) -> CodecError {
        match self {
            Self::Index => error.under(|| Step::Index(i64::try_from(index).unwrap_or(i64::MAX))),
            Self::None => error,
        }
    }
}

fn is_extension(marker: Marker) -> bool {
    use Marker::{Ext8, Ext16, Ext32, FixExt1, FixExt2, FixExt4, FixExt8, FixExt16};
    matches!(marker, FixExt1 | FixExt2 | FixExt4 | FixExt8 | FixExt16 | Ext8 | Ext16 | Ext32)
}

fn is_text(marker: Marker) -> bool {
    matches!(marker, Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32)
}

fn is_bytes(marker: Marker) -> bool {
    matches!(marker, Marker::Bin8 | Marker::Bin16 | Marker::Bin32)
}

fn is_integer(marker: Marker) -> bool {
    use Marker::{FixNeg, FixPos, I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(marker, FixPos(_) | FixNeg(_) | U8 | U16 | U32 | U64 | I8 | I16 | I32 | I64)
}

/// What a marker announces, in words.
fn name(marker: Marker) -> &'static str {
    match marker {
        Marker::Null => "null",
        Marker::True | Marker::False => "a bool",
        Marker::F32 | Marker::F64 => "a number",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "a list",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "a map",
        marker if is_bytes(marker) => "bytes",
        Marker::Reserved => "a byte that is not in use",
        marker if is_text(marker) => "a string",
        marker if is_integer(marker) => "a number",
        _ => "an unknown value",
    }
}
