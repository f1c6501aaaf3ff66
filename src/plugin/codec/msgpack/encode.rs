//! From a value to the bytes of its type.

use std::collections::BTreeMap;

use rmp::encode::{self as wire, ByteBuf, RmpWrite};

use crate::{
    codec::{CodecError, DEEPEST, Fault},
    path::Step,
    value::{Number, Type, Value, nfc},
};

/// An unknown value of which nothing is told.
const UNKNOWN: [u8; 3] = [0xd4, 0, 0];

/// Writes `value` as a value of type `ty`.
///
/// # Errors
/// Where the value is not of that type.
pub fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, CodecError> {
    let mut out = ByteBuf::new();
    write(&mut out, value, ty, 0)?;
    Ok(out.into_vec())
}

fn write(out: &mut ByteBuf, value: &Value, ty: &Type, depth: usize) -> Result<(), CodecError> {
    let depth = depth + 1;
    if depth > DEEPEST {
        return Err(Fault::TooDeep.into());
    }
    match (ty, value) {
        (_, Value::Null) => sure(wire::write_nil(out)),
        (_, Value::Unknown(_)) => sure(out.write_bytes(&UNKNOWN)),
        (Type::Bool, Value::Bool(value)) => sure(wire::write_bool(out, *value)),
        (Type::Number, Value::Number(number)) => write_number(out, number)?,
        (Type::String, Value::String(text)) => write_text(out, &nfc(text))?,
        (Type::Dynamic, Value::Dynamic(ty, value)) => {
            let json = ty.to_json();
            sure(wire::write_array_len(out, 2));
            length(json.len())?;
            sure(wire::write_bin(out, &json));
            write(out, value, ty, depth)?;
        }
        (Type::List(of), Value::List(items)) => {
            sure(wire::write_array_len(out, length(items.len())?));
            for (index, item) in items.iter().enumerate() {
                write(out, item, of, depth).map_err(|error| error.under(|| step(index)))?;
            }
        }
        (Type::Set(of), Value::Set(items)) => {
            sure(wire::write_array_len(out, length(items.len())?));
            for item in items {
                write(out, item, of, depth)?;
            }
        }
        (Type::Tuple(types), Value::Tuple(items)) => write_tuple(out, items, types, depth)?,
        (Type::Map(of), Value::Map(entries)) => {
            sure(wire::write_map_len(out, length(entries.len())?));
            for (key, value) in entries {
                write_text(out, &nfc(key))?;
                write(out, value, of, depth).map_err(|error| error.under(|| Step::Key(key.clone())))?;
            }
        }
        (Type::Object(types), Value::Object(attributes)) => write_object(out, attributes, types, depth)?,
        _ => return Err(Fault::Wanted { wanted: ty.name(), given: value.kind() }.into()),
    }
    Ok(())
}

fn write_number(out: &mut ByteBuf, number: &Number) -> Result<(), CodecError> {
    let number = number.canonical();
    match (&number, number.exact_f64()) {
        (Number::Int(integer), _) => {
            sure(wire::write_sint(out, *integer));
            Ok(())
        }
        // Whole numbers that are no i64 go as text, as Terraform itself sends them, though many are exact floats.
        (Number::Decimal(_), Some(float)) if !number.is_whole() => {
            sure(wire::write_f64(out, float));
            Ok(())
        }
        (Number::Decimal(text), _) => write_text(out, text),
    }
}

fn write_text(out: &mut ByteBuf, text: &str) -> Result<(), CodecError> {
    length(text.len())?;
    sure(wire::write_str(out, text));
    Ok(())
}

fn write_tuple(out: &mut ByteBuf, items: &[Value], types: &[Type], depth: usize) -> Result<(), CodecError> {
    if items.len() != types.len() {
        return Err(Fault::Length { wanted: types.len(), given: items.len() }.into());
    }
    sure(wire::write_array_len(out, length(items.len())?));
    for (index, (item, ty)) in items.iter().zip(types).enumerate() {
        write(out, item, ty, depth).map_err(|error| error.under(|| step(index)))?;
    }
    Ok(())
}

fn write_object(
    out: &mut ByteBuf,
    attributes: &BTreeMap<String, Value>,
    types: &BTreeMap<String, Type>,
    depth: usize,
) -> Result<(), CodecError> {
    if let Some(unknown) = attributes.keys().find(|name| !types.contains_key(*name)) {
        return Err(Fault::UnknownAttribute(unknown.clone()).into());
    }
    sure(wire::write_map_len(out, length(types.len())?));
    for (name, ty) in types {
        let value = attributes.get(name).ok_or_else(|| Fault::MissingAttribute(name.clone()))?;
        write_text(out, name)?;
        write(out, value, ty, depth).map_err(|error| error.under(|| Step::Attribute(name.clone())))?;
    }
    Ok(())
}

fn step(index: usize) -> Step {
    Step::Index(i64::try_from(index).unwrap_or(i64::MAX))
}

/// msgpack counts in 32 bits.
fn length(length: usize) -> Result<u32, Fault> {
    u32::try_from(length).map_err(|_| Fault::CutShort)
}

/// Writing to memory does not fail: the error type of [`ByteBuf`] has no value, which `rmp` wraps in its own.
fn sure<T, E>(result: Result<T, E>) {
    debug_assert!(result.is_ok(), "writing to memory failed");
}
