//! Values, as bytes of the wire.

use super::tfplugin6::DynamicValue;
use crate::{
    codec::{CodecError, json, msgpack},
    value::{Type, Value},
};

/// Reads what the CLI sent. What it left out is null.
pub(crate) fn decode(value: Option<&DynamicValue>, ty: &Type) -> Result<Value, CodecError> {
    match value {
        Some(value) if !value.msgpack.is_empty() => msgpack::decode(&value.msgpack, ty),
        Some(value) if !value.json.is_empty() => json::decode(&value.json, ty),
        _ => Ok(Value::Null),
    }
}

/// Writes what goes to the CLI: always msgpack, which every CLI reads everywhere.
pub(crate) fn encode(value: &Value, ty: &Type) -> Result<DynamicValue, CodecError> {
    Ok(DynamicValue { msgpack: msgpack::encode(value, ty)?, json: Vec::new() })
}
