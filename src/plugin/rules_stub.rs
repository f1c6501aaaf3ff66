//! Stands in for `rules` until it is there.
use crate::{diagnostics::Diagnostics, path::Path, provider::Planned, schema::*, value::*};

pub(crate) fn ty(attributes: &[Attribute]) -> Type {
    Type::object(attributes.iter().map(|a| {
        let t = match &a.kind {
            Kind::Plain(t) => t.clone(),
            Kind::Nested(Nesting::Single, of) => ty(of),
            Kind::Nested(Nesting::List, of) => Type::list(ty(of)),
            Kind::Nested(Nesting::Set, of) => Type::set(ty(of)),
            Kind::Nested(Nesting::Map, of) => Type::map(ty(of)),
        };
        (a.name, t)
    }))
}

pub(crate) mod check {
    use super::*;
    pub(crate) fn read(_: &Schema, _: &Value, _: &mut Diagnostics) {}
    pub(crate) fn upgraded(_: &Schema, _: &Value, _: &mut Diagnostics) {}
    pub(crate) fn imported(_: &Schema, _: &Value, _: &mut Diagnostics) {}
    pub(crate) fn plan(_: &Schema, _: Option<&Value>, _: &Value, _: &Planned, _: &mut Diagnostics) {}
    pub(crate) fn applied(_: &Schema, _: Option<&Value>, _: &Value, _: &mut Diagnostics) {}
    pub(crate) fn data_source(_: &Schema, _: &Value, _: Option<&Value>, _: &mut Diagnostics) {}
}

pub(crate) mod plan {
    use super::*;
    pub(crate) fn start(schema: &Schema, prior: Option<&Value>, config: &Value, proposed: Value) -> Value {
        let mut start = proposed;
        for a in &schema.attributes {
            if config.get(a.name).is_null()
                && let Some(d) = &a.default
            {
                start.set(a.name, d.clone());
            }
        }
        if prior != Some(&start) {
            for a in &schema.attributes {
                if config.get(a.name).is_null()
                    && a.default.is_none()
                    && matches!(a.mode, Mode::Computed | Mode::OptionalComputed)
                {
                    start.set(a.name, Value::unknown());
                }
            }
        }
        start
    }
    pub(crate) fn replace(schema: &Schema, prior: Option<&Value>, answer: &Planned) -> Vec<Path> {
        let mut paths = answer.replace.clone();
        if let Some(prior) = prior {
            for a in &schema.attributes {
                if a.replaces && prior.get(a.name) != answer.state.get(a.name) {
                    paths.push(Path::attribute(a.name));
                }
            }
        }
        paths
    }
    pub(crate) fn unknowns_to_null(value: Value) -> Value {
        match value {
            Value::Unknown(_) => Value::Null,
            Value::Object(m) => Value::Object(m.into_iter().map(|(k, v)| (k, unknowns_to_null(v))).collect()),
            Value::Map(m) => Value::Map(m.into_iter().map(|(k, v)| (k, unknowns_to_null(v))).collect()),
            Value::List(m) => Value::List(m.into_iter().map(unknowns_to_null).collect()),
            other => other,
        }
    }
    pub(crate) fn complete(schema: &Schema, mut state: Value) -> Value {
        for a in &schema.attributes {
            let v = state.get(a.name).clone();
            state.set(a.name, v);
        }
        state
    }
}

pub(crate) mod validate {
    use super::*;
    pub(crate) fn config(_: &Schema, _: &Value, _: &crate::context::Context, _: &mut Diagnostics) {}
}
