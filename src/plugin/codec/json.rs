//! The stored state of a resource, as Terraform's state file holds it, for upgrades.
//!
//! A state may come from an older schema: what the type has and the JSON lacks is null, and what only the JSON has is
//! dropped. Numbers keep all their digits (serde_json with `arbitrary_precision`).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::{
    codec::{CodecError, Fault},
    path::Step,
    value::{Number, Type, Value, nfc, without_repetition},
};

/// Reads JSON bytes as a value of type `ty`.
///
/// # Errors
/// When the bytes are no JSON, or say another type.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
    from_json(&parse(bytes)?, ty)
}

/// Reads JSON bytes, for code that changes them before they are a value. The depth is bounded (128 levels).
///
/// # Errors
/// When the bytes are no JSON.
pub fn parse(bytes: &[u8]) -> Result<Json, CodecError> {
    serde_json::from_slice(bytes).map_err(|error| Fault::Json(error.to_string()).into())
}

/// Reads JSON as a value of type `ty`.
///
/// # Errors
/// When the JSON says another type. Booleans and numbers may stand in strings and the other way round, as for Terraform.
pub fn from_json(json: &Json, ty: &Type) -> Result<Value, CodecError> {
    match (ty, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Type::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (Type::Bool, Json::String(text)) => match text.as_str() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(unlike(ty, json)),
        },
        (Type::Number, Json::Number(number)) => number_from(&number.to_string(), ty, json),
        (Type::Number, Json::String(text)) => number_from(text, ty, json),
        (Type::String, Json::String(text)) => Ok(Value::String(nfc(text).into_owned())),
        (Type::String, Json::Number(number)) => Ok(Value::String(number.to_string())),
        (Type::String, Json::Bool(value)) => Ok(Value::String(value.to_string())),
        (Type::Dynamic, Json::Object(pair)) => dynamic(pair, ty, json),
        (Type::List(of), Json::Array(items)) => list(items, |_| Some(of)).map(Value::List),
        (Type::Set(of), Json::Array(items)) => {
            let items = items.iter().map(|item| from_json(item, of)).collect::<Result<_, _>>()?;
            Ok(Value::Set(without_repetition(items)))
        }
        (Type::Tuple(types), Json::Array(items)) if items.len() == types.len() => {
            list(items, |index| types.get(index)).map(Value::Tuple)
        }
        (Type::Tuple(types), Json::Array(items)) => {
            Err(Fault::Length { wanted: types.len(), given: items.len() }.into())
        }
        (Type::Map(of), Json::Object(entries)) => map(entries, of),
        (Type::Object(types), Json::Object(attributes)) => object(attributes, types),
        _ => Err(unlike(ty, json)),
    }
}

fn unlike(ty: &Type, json: &Json) -> CodecError {
    let given = match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    };
    Fault::Wanted { wanted: ty.name(), given }.into()
}

fn number_from(text: &str, ty: &Type, json: &Json) -> Result<Value, CodecError> {
    Number::parse(text).map(Value::Number).map_err(|_| unlike(ty, json))
}

fn dynamic(pair: &Map<String, Json>, ty: &Type, json: &Json) -> Result<Value, CodecError> {
    let (Some(value), Some(inner)) = (pair.get("value"), pair.get("type")) else {
        return Err(unlike(ty, json));
    };
    let inner = Type::from_json(inner.to_string().as_bytes()).map_err(Fault::Type)?;
    let value = from_json(value, &inner)?;
    Ok(if inner == Type::Dynamic { value } else { Value::Dynamic(Box::new(inner), Box::new(value)) })
}

fn list<'a>(items: &[Json], ty: impl Fn(usize) -> Option<&'a Type>) -> Result<Vec<Value>, CodecError> {
    let item = |(index, item)| match ty(index) {
        Some(ty) => from_json(item, ty).map_err(|error| error.under(|| step(index))),
        None => Err(Fault::Length { wanted: index, given: items.len() }.into()),
    };
    items.iter().enumerate().map(item).collect()
}

fn step(index: usize) -> Step {
    Step::Index(i64::try_from(index).unwrap_or(i64::MAX))
}

fn map(entries: &Map<String, Json>, of: &Type) -> Result<Value, CodecError> {
    let mut values = BTreeMap::new();
    for (key, json) in entries {
        let value = from_json(json, of).map_err(|error| error.under(|| Step::Key(key.clone())))?;
        values.insert(nfc(key).into_owned(), value);
    }
    Ok(Value::Map(values))
}

fn object(attributes: &Map<String, Json>, types: &BTreeMap<String, Type>) -> Result<Value, CodecError> {
    let mut values = BTreeMap::new();
    for (name, ty) in types {
        let json = attributes.get(name).unwrap_or(&Json::Null);
        let value = from_json(json, ty).map_err(|error| error.under(|| Step::Attribute(name.clone())))?;
        values.insert(name.clone(), value);
    }
    Ok(Value::Object(values))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{codec::samples::any_type, path::Path, rules::check::conform};

    fn read(json: &str, ty: &Type) -> Result<Value, CodecError> {
        decode(json.as_bytes(), ty)
    }

    #[test]
    fn an_old_state_is_read_by_the_new_type() -> Result<(), CodecError> {
        let ty = Type::object([
            ("name", Type::String),
            ("size", Type::Number),
            ("tags", Type::set(Type::String)),
            ("nested", Type::list(Type::object([("new", Type::Bool)]))),
            ("added", Type::map(Type::String)),
        ]);
        let json =
            r#"{"name":"e\u0301","size":12345678901234567890.10,"tags":["a","b","a"],"nested":[{"old":1}],"gone":{}}"#;
        let expect = Value::object([
            ("name", Value::from("é")),
            ("size", Value::Number(Number::Decimal("12345678901234567890.1".to_owned()))),
            ("tags", Value::Set(vec!["a".into(), "b".into()])),
            ("nested", Value::List(vec![Value::object([("new", Value::Null)])])),
            ("added", Value::Null),
        ]);
        assert_eq!(read(json, &ty)?, expect);
        Ok(())
    }

    #[test]
    fn primitives_stand_in_for_each_other_as_for_terraform() -> Result<(), CodecError> {
        for (json, ty, expect) in [
            (r#""true""#, Type::Bool, Value::Bool(true)),
            (r#""0.1""#, Type::Number, Value::Number(Number::Decimal("0.1".to_owned()))),
            ("1.50", Type::String, Value::from("1.50")),
            ("false", Type::String, Value::from("false")),
            (
                r#"{"value":["a"],"type":["list","string"]}"#,
                Type::Dynamic,
                Value::Dynamic(Box::new(Type::list(Type::String)), Box::new(Value::List(vec!["a".into()]))),
            ),
            (r#"{"value":null,"type":"dynamic"}"#, Type::Dynamic, Value::Null),
            (r#"["a",1]"#, Type::Tuple(vec![Type::String, Type::Number]), Value::Tuple(vec!["a".into(), 1.into()])),
        ] {
            assert_eq!(read(json, &ty)?, expect, "{json}");
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_path() {
        let ty = Type::object([("a", Type::list(Type::map(Type::Number)))]);
        let error = read(r#"{"a":[{},{"k":"x"}]}"#, &ty).err();
        assert_eq!(error.as_ref().map(|e| e.path.clone()), Some(Path::attribute("a").index(1).key("k")));
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some(r#"a[1]["k"]: number is required, but there is a string"#)
        );
        for (json, ty) in [
            ("", Type::String),
            ("{", Type::String),
            ("[1]", Type::Tuple(vec![])),
            ("{}", Type::Dynamic),
            ("[]", Type::map(Type::String)),
            ("{}", Type::set(Type::String)),
            (r#""yes""#, Type::Bool),
        ] {
            assert!(read(json, &ty).is_err(), "{json}");
        }
    }
    proptest! {
        #[test]
        fn any_json_is_read_or_refused(ty in any_type(), json in "[\\[\\]{}:,\"a-c0-9.eE+-]{0,40}|.{0,20}") {
            let _ = read(&json, &ty);
        }

        #[test]
        fn a_state_of_another_type_is_read_or_refused(one in any_type(), json in any_json()) {
            if let Ok(value) = from_json(&json, &one) {
                prop_assert_eq!(conform(&value, &one), []);
            }
        }
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            "true|0.1|[a-c]{0,3}".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::hash_map("[a-c_]|value|type", inner, 0..4)
                    .prop_map(|entries| Json::Object(entries.into_iter().collect())),
            ]
        })
    }
}
