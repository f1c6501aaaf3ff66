//! The golden vectors of `acceptance-tests/cty-vectors`: what go-cty, the library inside Terraform and OpenTofu, writes
//! is read, and written back to the same bytes.

use serde::Deserialize;

use crate::{
    codec::{json, msgpack},
    value::{Type, Value},
};

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../acceptance-tests/cty-vectors/vectors.jsonl"));

#[derive(Deserialize)]
struct Vector {
    description: String,
    r#type: serde_json::Value,
    msgpack: String,
    // `null` is a value of its own here, unlike an absent field.
    #[serde(default, deserialize_with = "present")]
    json: Option<serde_json::Value>,
    canonical: bool,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

impl Vector {
    fn read(line: &str) -> Result<(Self, Type, Vec<u8>), String> {
        let vector: Self = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let ty = Type::from_json(vector.r#type.to_string().as_bytes()).map_err(|error| error.to_string())?;
        let bytes = (0..vector.msgpack.len())
            .step_by(2)
            .map(|place| u8::from_str_radix(&vector.msgpack[place..place + 2], 16))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        Ok((vector, ty, bytes))
    }
}

fn check(line: &str) -> Result<(), String> {
    let (vector, ty, bytes) = Vector::read(line)?;
    let wrong = |what: &str| format!("{}: {what}", vector.description);
    if ty.to_json() != vector.r#type.to_string().into_bytes() {
        return Err(wrong("the type is written otherwise"));
    }
    let value = msgpack::decode(&bytes, &ty).map_err(|error| wrong(&error.to_string()))?;
    let encoded = msgpack::encode(&value, &ty).map_err(|error| wrong(&error.to_string()))?;
    if vector.canonical && encoded != bytes {
        return Err(wrong(&format!("{value} is written otherwise: {encoded:02x?}")));
    }
    let back = msgpack::decode(&encoded, &ty).map_err(|error| wrong(&error.to_string()))?;
    if !back.same(&value) {
        return Err(wrong(&format!("{value} came back as {back}")));
    }
    if let Some(json) = &vector.json {
        let from_json = json::from_json(json, &ty).map_err(|error| wrong(&error.to_string()))?;
        if !from_json.same(&value) {
            return Err(wrong(&format!("{value} is {from_json} in JSON")));
        }
    }
    Ok(())
}

#[test]
fn every_golden_vector_is_read_and_written_back() {
    let broken: Vec<String> = VECTORS.lines().filter_map(|line| check(line).err()).collect();
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n"));
    assert!(VECTORS.lines().count() > 500, "vectors are missing");
}

#[test]
fn what_is_told_of_unknown_values_is_read() -> Result<(), String> {
    let find = |description: &str| -> Result<Value, String> {
        let line = VECTORS.lines().find(|line| line.contains(description)).ok_or("no such vector")?;
        let (_, ty, bytes) = Vector::read(line)?;
        msgpack::decode(&bytes, &ty).map_err(|error| error.to_string())
    };
    for (description, not_null, prefix) in [
        ("refined: not null object", true, None),
        ("refined: prefix", false, Some("https://")),
        ("refined: not null and a prefix", true, Some("pre-é-")),
        ("refined: both bounds, not null", true, None),
        ("refined: both lengths of a set, not null", true, None),
    ] {
        let Value::Unknown(refinement) = find(description)? else { return Err(description.to_owned()) };
        assert_eq!((refinement.not_null, refinement.prefix.as_deref()), (not_null, prefix), "{description}");
    }
    Ok(())
}
