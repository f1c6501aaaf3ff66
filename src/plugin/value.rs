//! Values of Terraform's type system (cty), with the three cases known, null and unknown kept apart.

mod compare;
mod number;
mod place;
mod show;
mod types;

use std::collections::BTreeMap;

pub(crate) use compare::{nfc, without_repetition};
pub use number::{NotANumber, Number};
pub use types::{NotAType, path_type};

/// A type of Terraform's type system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// true or false
    Bool,
    /// A decimal number of any size.
    Number,
    /// Unicode text, normalised to NFC by Terraform.
    String,
    /// Any type, told beside the value.
    Dynamic,
    /// Values of one type, in order.
    List(Box<Type>),
    /// Values of one type, without order or repetition.
    Set(Box<Type>),
    /// Values of one type under string keys.
    Map(Box<Type>),
    /// Named attributes, all always present.
    Object(BTreeMap<String, Type>),
    /// Values of several types, in order.
    Tuple(Vec<Type>),
}

/// What is known of an unknown value. It is binding for who promised it; we only read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refinement {
    /// The value will not be null.
    pub not_null: bool,
    /// The string will start so.
    pub prefix: Option<String>,
}

/// A value, whole or in part null or unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// There is none.
    Null,
    /// There will be one after apply.
    Unknown(Refinement),
    /// true or false
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// In order.
    List(Vec<Value>),
    /// Without order: two sets are compared by content ([`Value::same`]).
    Set(Vec<Value>),
    /// By string key.
    Map(BTreeMap<String, Value>),
    /// Every attribute of the type is a key.
    Object(BTreeMap<String, Value>),
    /// In order, of several types.
    Tuple(Vec<Value>),
    /// A value of a `dynamic` attribute with its type.
    Dynamic(Box<Type>, Box<Value>),
}

/// One attribute as code wants to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field<T> {
    /// Not given.
    Null,
    /// Known only after apply: never to be taken for a default.
    Unknown,
    /// Given.
    Known(T),
}

impl<T> Field<T> {
    /// The known value.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// The same case with the known value changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Null => Field::Null,
            Self::Unknown => Field::Unknown,
            Self::Known(value) => Field::Known(change(value)),
        }
    }
}

static NULL: Value = Value::Null;

/// One by one: to collect them would sort them first, by a sort that is compiled for every caller, 8 KB each.
fn by_name<K: Into<String>>(values: impl IntoIterator<Item = (K, Value)>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in values {
        found.insert(name.into(), value);
    }
    found
}

impl Value {
    /// An unknown value of which nothing is promised.
    pub fn unknown() -> Self {
        Self::Unknown(Refinement::default())
    }

    /// An object of these attributes.
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Object(by_name(attributes))
    }

    /// A map of these entries.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(by_name(entries))
    }

    /// Whether this value as a whole is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null) || matches!(self, Self::Dynamic(_, v) if v.is_null())
    }

    /// Whether this value as a whole is unknown.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_)) || matches!(self, Self::Dynamic(_, v) if v.is_unknown())
    }

    /// What a message calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown(_) => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Tuple(_) => "a tuple",
            Self::Dynamic(..) => "a value of any type",
        }
    }

    /// Whether neither this value nor anything in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(entries) | Self::Object(entries) => entries.values().all(Self::is_wholly_known),
            Self::Dynamic(_, value) => value.is_wholly_known(),
        }
    }

    /// This value with null in place of all that is unknown: what can be stored of an apply that failed.
    #[must_use]
    pub fn unknown_as_null(self) -> Self {
        let all = |items: Vec<Self>| items.into_iter().map(Self::unknown_as_null).collect();
        let each = |entries: BTreeMap<String, Self>| {
            entries.into_iter().map(|(key, value)| (key, value.unknown_as_null())).collect()
        };
        match self {
            Self::Unknown(_) => Self::Null,
            Self::List(items) => Self::List(all(items)),
            Self::Tuple(items) => Self::Tuple(all(items)),
            Self::Set(items) => Self::Set(without_repetition(all(items))),
            Self::Map(entries) => Self::Map(each(entries)),
            Self::Object(attributes) => Self::Object(each(attributes)),
            Self::Dynamic(ty, value) => Self::Dynamic(ty, Box::new(value.unknown_as_null())),
            known => known,
        }
    }

    /// The attribute `name` of an object; null when this is no object or has no such attribute.
    pub fn get(&self, name: &str) -> &Value {
        match self {
            Self::Object(attributes) | Self::Map(attributes) => attributes.get(name).unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    /// Sets the attribute `name` of an object; nothing happens when this is no object.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Self::Object(attributes) = self {
            attributes.insert(name.to_owned(), value);
        }
    }

    /// This value as text.
    pub fn string(&self) -> Field<&str> {
        match self {
            Self::String(text) => Field::Known(text),
            Self::Unknown(_) => Field::Unknown,
            _ => Field::Null,
        }
    }

    /// This value as true or false.
    pub fn boolean(&self) -> Field<bool> {
        match self {
            Self::Bool(value) => Field::Known(*value),
            Self::Unknown(_) => Field::Unknown,
            _ => Field::Null,
        }
    }

    /// This value as a whole number.
    pub fn integer(&self) -> Field<i64> {
        match self {
            Self::Number(number) => number.as_i64().map_or(Field::Null, Field::Known),
            Self::Unknown(_) => Field::Unknown,
            _ => Field::Null,
        }
    }

    /// The items of a list, set or tuple.
    pub fn items(&self) -> Field<&[Value]> {
        match self {
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => Field::Known(items),
            Self::Unknown(_) => Field::Unknown,
            _ => Field::Null,
        }
    }

    /// The entries of a map or the attributes of an object.
    pub fn entries(&self) -> Field<&BTreeMap<String, Value>> {
        match self {
            Self::Map(entries) | Self::Object(entries) => Field::Known(entries),
            Self::Unknown(_) => Field::Unknown,
            _ => Field::Null,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(Number::from(value))
    }
}

/// `None` is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
