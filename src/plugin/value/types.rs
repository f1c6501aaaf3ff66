//! Types as the protocol writes them: cty's JSON (`"string"`, `["list","string"]`, `["object",{"a":"string"}]`).

use std::{collections::BTreeMap, fmt};

use serde_json::Value as Json;

use crate::{
    path::{Path, Step},
    value::Type,
};

/// The bytes are not the JSON of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a type: {0}")]
pub struct NotAType(String);

impl Type {
    /// A list of this type.
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// A set of this type.
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// A map of this type.
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// An object of these attributes.
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(attributes.into_iter().map(|(name, ty)| (name.into(), ty)).collect())
    }

    /// The bytes of the protocol.
    pub fn to_json(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// Reads the bytes of the protocol. The depth is bounded by the JSON reader (128 levels).
    ///
    /// # Errors
    /// When the bytes are no JSON or say no type.
    pub fn from_json(bytes: &[u8]) -> Result<Self, NotAType> {
        let json = serde_json::from_slice(bytes).map_err(|error| NotAType(error.to_string()))?;
        Self::read(&json)
    }

    fn read(json: &Json) -> Result<Self, NotAType> {
        match json {
            Json::String(name) => match name.as_str() {
                "bool" => Ok(Self::Bool),
                "number" => Ok(Self::Number),
                "string" => Ok(Self::String),
                "dynamic" => Ok(Self::Dynamic),
                other => Err(NotAType(format!("unknown name {other:?}"))),
            },
            Json::Array(parts) => match parts.as_slice() {
                [Json::String(kind), of] => Self::read_compound(kind, of),
                // The third part names optional attributes: a matter of configurations, not of values.
                [Json::String(kind), of, Json::Array(_)] if kind == "object" => Self::read_compound(kind, of),
                _ => Err(NotAType("an array that is no pair of a kind and what it holds".to_owned())),
            },
            _ => Err(NotAType("neither a name nor a pair".to_owned())),
        }
    }

    fn read_compound(kind: &str, of: &Json) -> Result<Self, NotAType> {
        match (kind, of) {
            ("list", of) => Self::read(of).map(Self::list),
            ("set", of) => Self::read(of).map(Self::set),
            ("map", of) => Self::read(of).map(Self::map),
            ("object", Json::Object(attributes)) => attributes
                .iter()
                .map(|(name, ty)| Ok((name.clone(), Self::read(ty)?)))
                .collect::<Result<_, _>>()
                .map(Self::Object),
            ("tuple", Json::Array(items)) => items.iter().map(Self::read).collect::<Result<_, _>>().map(Self::Tuple),
            // Go writes the nothing in an empty tuple or object as null when it was never allocated.
            ("object", Json::Null) => Ok(Self::Object(BTreeMap::new())),
            ("tuple", Json::Null) => Ok(Self::Tuple(Vec::new())),
            (other, _) => Err(NotAType(format!("unknown kind {other:?}"))),
        }
    }

    /// Whether a value of any type may stand somewhere in a value of this one.
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Bool | Self::Number | Self::String => false,
            Self::Dynamic => true,
            Self::List(of) | Self::Set(of) | Self::Map(of) => of.has_dynamic(),
            Self::Object(attributes) => attributes.values().any(Self::has_dynamic),
            Self::Tuple(items) => items.iter().any(Self::has_dynamic),
        }
    }

    /// What a message calls it: "list of string", "object".
    pub fn name(&self) -> String {
        match self {
            Self::Bool => "bool".to_owned(),
            Self::Number => "number".to_owned(),
            Self::String => "string".to_owned(),
            Self::Dynamic => "any type".to_owned(),
            Self::List(of) => format!("list of {}", of.name()),
            Self::Set(of) => format!("set of {}", of.name()),
            Self::Map(of) => format!("map of {}", of.name()),
            Self::Object(_) => "object".to_owned(),
            Self::Tuple(_) => "tuple".to_owned(),
        }
    }
}

/// The type at `path` in a value of type `ty`; `None` where the type has no such place.
pub fn path_type<'a>(ty: &'a Type, path: &Path) -> Option<&'a Type> {
    path.0.iter().try_fold(ty, |ty, step| match (ty, step) {
        (Type::Object(attributes), Step::Attribute(name)) => attributes.get(name),
        (Type::List(of), Step::Index(_)) | (Type::Map(of), Step::Key(_)) => Some(of.as_ref()),
        (Type::Tuple(items), Step::Index(index)) => items.get(usize::try_from(*index).ok()?),
        _ => None,
    })
}

/// The JSON of the protocol.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("\"bool\""),
            Self::Number => f.write_str("\"number\""),
            Self::String => f.write_str("\"string\""),
            Self::Dynamic => f.write_str("\"dynamic\""),
            Self::List(of) => write!(f, "[\"list\",{of}]"),
            Self::Set(of) => write!(f, "[\"set\",{of}]"),
            Self::Map(of) => write!(f, "[\"map\",{of}]"),
            Self::Object(attributes) => {
                f.write_str("[\"object\",{")?;
                for (position, (name, ty)) in attributes.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    // A JSON string is the JSON text of its own display.
                    write!(f, "{comma}{}:{ty}", Json::from(name.as_str()))?;
                }
                f.write_str("}]")
            }
            Self::Tuple(items) => {
                f.write_str("[\"tuple\",[")?;
                for (position, ty) in items.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma}{ty}")?;
                }
                f.write_str("]]")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_its_json() -> Result<(), NotAType> {
        for json in [
            r#""string""#,
            r#""number""#,
            r#""bool""#,
            r#""dynamic""#,
            r#"["list","string"]"#,
            r#"["set",["map","number"]]"#,
            r#"["object",{}]"#,
            r#"["object",{"a":"string","b \"quoted\"":["list","bool"]}]"#,
            r#"["tuple",["string",["tuple",[]]]]"#,
        ] {
            let ty = Type::from_json(json.as_bytes())?;
            assert_eq!(ty.to_json(), json.as_bytes(), "{json}");
        }
        Ok(())
    }

    #[test]
    fn optional_attributes_of_an_object_type_are_read_over() -> Result<(), NotAType> {
        let ty = Type::from_json(br#"["object",{"a":"string"},["a"]]"#)?;
        assert_eq!(ty, Type::object([("a", Type::String)]));
        Ok(())
    }

    #[test]
    fn an_empty_type_may_hold_null_as_go_writes_it() {
        assert_eq!(Type::from_json(br#"["tuple",null]"#), Ok(Type::Tuple(vec![])));
        assert_eq!(Type::from_json(br#"["object",null]"#), Ok(Type::Object(BTreeMap::new())));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        let deep = format!("{}\"string\"{}", "[\"list\",".repeat(500), "]".repeat(500));
        for json in
            ["", "{", "1", "null", "\"text\"", "[]", r#"["list"]"#, r#"["box","string"]"#, r#"["object",[]]"#, &deep]
        {
            assert!(Type::from_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn a_path_finds_its_type() {
        let ty = Type::object([("a", Type::list(Type::object([("b", Type::map(Type::Number))])))]);
        let path = Path::attribute("a").index(3).then("b");
        assert_eq!(path_type(&ty, &path.key("k")), Some(&Type::Number));
        assert_eq!(path_type(&ty, &path.index(0)), None);
        assert_eq!(path_type(&ty, &Path::root()), Some(&ty));
    }
}
