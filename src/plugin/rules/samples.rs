//! One schema with every kind of attribute, for the tests of the rules.

use crate::{
    schema::{Attribute, Mode, Nesting, Schema},
    validators,
    value::{Type, Value},
};

fn children() -> Vec<Attribute> {
    vec![
        Attribute::required("key", Type::String),
        Attribute::optional("note", Type::String),
        Attribute::optional("size", Type::Number).default_to(3),
        Attribute::computed("out", Type::String),
    ]
}

/// The schema.
pub(crate) fn schema() -> Schema {
    let nested = |name, nesting| Attribute::nested(name, Mode::Optional, nesting, children());
    let attributes = vec![
        Attribute::required("name", Type::String).replaces(),
        Attribute::optional("note", Type::String).validate(validators::one_of(&["a", "b"])),
        Attribute::optional("mode", Type::String).default_to("fast"),
        Attribute::optional_computed("chosen", Type::String),
        Attribute::computed("id", Type::String),
        Attribute::optional("tags", Type::set(Type::String)),
        Attribute::optional("secret", Type::String).sensitive(),
        Attribute::optional("once", Type::String).write_only(),
        Attribute::optional("old", Type::String).deprecated("Use `note` instead."),
        Attribute::optional("any", Type::Dynamic),
        nested("one", Nesting::Single),
        nested("list", Nesting::List),
        nested("set", Nesting::Set),
        nested("map", Nesting::Map),
    ];
    Schema { attributes, ..Schema::default() }
}

/// An object of the schema: `values`, and null for what they do not name.
pub(crate) fn object<const N: usize>(values: [(&str, Value); N]) -> Value {
    with(values, &schema().attributes)
}

/// A nested object: `values`, and null for what they do not name.
pub(crate) fn child<const N: usize>(values: [(&str, Value); N]) -> Value {
    with(values, &children())
}

fn with<const N: usize>(values: [(&str, Value); N], attributes: &[Attribute]) -> Value {
    let mut object = Value::object(attributes.iter().map(|attribute| (attribute.name, Value::Null)));
    for (name, value) in values {
        object.set(name, value);
    }
    object
}
