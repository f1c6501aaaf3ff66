//! A schema, as Terraform reads it.

use super::tfplugin6::{Schema as WireSchema, StringKind, schema as wire};
use crate::schema::{Attribute, Kind, Mode, Nesting, Schema};

/// The wire form of a schema.
pub(crate) fn schema(schema: &Schema) -> WireSchema {
    WireSchema {
        version: schema.version,
        block: Some(wire::Block {
            version: schema.version,
            attributes: schema.attributes.iter().map(attribute).collect(),
            description: schema.description.clone(),
            description_kind: StringKind::Markdown.into(),
            ..Default::default()
        }),
    }
}

fn attribute(attribute: &Attribute) -> wire::Attribute {
    let (r#type, nested_type) = match &attribute.kind {
        Kind::Plain(ty) => (ty.to_json(), None),
        Kind::Nested(nesting, attributes) => (Vec::new(), Some(object(*nesting, attributes))),
    };
    wire::Attribute {
        name: attribute.name.to_owned(),
        r#type,
        nested_type,
        description: attribute.description.clone(),
        description_kind: StringKind::Markdown.into(),
        required: attribute.mode == Mode::Required,
        optional: matches!(attribute.mode, Mode::Optional | Mode::OptionalComputed),
        computed: matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed),
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.unwrap_or_default().to_owned(),
    }
}

fn object(nesting: Nesting, attributes: &[Attribute]) -> wire::Object {
    use wire::object::NestingMode;
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    wire::Object { attributes: attributes.iter().map(attribute).collect(), nesting: nesting.into() }
}
