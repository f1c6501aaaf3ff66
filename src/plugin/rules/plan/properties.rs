//! What holds for every configuration: the plan keeps Terraform's rules, and once applied nothing is left to do.

use proptest::prelude::*;

use super::*;
use crate::{
    rules::{
        check,
        samples::{child, object, schema},
    },
    schema::Mode,
};

/// Terraform's own merge of configuration and prior object, as far as this room's schemas need it.
fn proposed(attributes: &[Attribute], config: &Value, prior: &Value) -> Value {
    let Value::Object(_) = config else { return config.clone() };
    Value::object(attributes.iter().map(|attribute| {
        let (given, before) = (config.get(attribute.name), prior.get(attribute.name));
        let value = match &attribute.kind {
            _ if given.is_null() && attribute.is_computed() => before.clone(),
            Kind::Nested(nesting, children) if !given.is_null() => proposed_nested(*nesting, children, given, before),
            _ => given.clone(),
        };
        (attribute.name, value)
    }))
}

fn proposed_nested(nesting: Nesting, children: &[Attribute], given: &Value, before: &Value) -> Value {
    match (nesting, given) {
        (Nesting::Single, given) => proposed(children, given, before),
        (Nesting::List, Value::List(items)) => {
            let before = before.items().known().unwrap_or_default();
            let item = |(index, item)| proposed(children, item, before.get(index).unwrap_or(&Value::Null));
            Value::List(items.iter().enumerate().map(item).collect())
        }
        (Nesting::Map, Value::Map(entries)) => {
            Value::map(entries.iter().map(|(key, item)| (key, proposed(children, item, before.get(key)))))
        }
        (Nesting::Set, Value::Set(items)) => {
            let mut left: Vec<&Value> = before.items().known().unwrap_or_default().iter().collect();
            let item = |item: &Value| {
                let same = left.iter().position(|before| of_user(children, before).same(&of_user(children, item)));
                proposed(children, item, same.map_or(&Value::Null, |place| left.remove(place)))
            };
            Value::set_of(items.iter().map(item).collect::<Vec<_>>())
        }
        _ => given.clone(),
    }
}

/// What of an element the user alone decides: by that Terraform finds elements of a set again.
fn of_user(children: &[Attribute], element: &Value) -> Value {
    let own = children.iter().filter(|child| matches!(child.mode, Mode::Required | Mode::Optional));
    Value::object(own.map(|child| (child.name, element.get(child.name).clone())))
}

/// What a provider makes of a plan: something known for all that is unknown.
fn applied(planned: &Value) -> Value {
    match planned {
        Value::Unknown(_) => "made".into(),
        Value::List(items) => Value::List(items.iter().map(applied).collect()),
        Value::Set(items) => Value::Set(items.iter().map(applied).collect()),
        Value::Map(entries) => Value::map(entries.iter().map(|(key, value)| (key, applied(value)))),
        Value::Object(attributes) => Value::object(attributes.iter().map(|(name, value)| (name, applied(value)))),
        known => known.clone(),
    }
}

fn given<T: Into<Value> + Clone + std::fmt::Debug + 'static>(value: T) -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), Just(value.into())]
}

fn any_child(key: impl Strategy<Value = String>) -> impl Strategy<Value = Value> {
    (key, given("note"), given(7))
        .prop_map(|(key, note, size)| child([("key", key.into()), ("note", note), ("size", size)]))
}

prop_compose! {
    fn any_config()(
        name in "[a-z]{1,3}",
        note in given("a"),
        mode in given("slow"),
        chosen in given("mine"),
        tags in prop_oneof![Just(Value::Null), prop::collection::vec("[a-c]", 0..4)
            .prop_map(|tags| Value::set_of(tags.into_iter().map(Value::from)))],
        once in given("secret"),
        one in prop_oneof![Just(Value::Null), any_child("[a-c]".prop_map(String::from))],
        list in prop::collection::vec(any_child("[a-c]".prop_map(String::from)), 0..4),
        // Elements of a set that default to the same are one element, which no provider can plan for.
        keys in prop::collection::btree_set("[a-f]", 0..4),
        set_rest in any_child(Just(String::new())),
        map in prop::collection::btree_map("[a-d]", any_child("[a-c]".prop_map(String::from)), 0..4),
    ) -> Value {
        let element = |key: String| {
            let mut element = set_rest.clone();
            element.set("key", key.into());
            element
        };
        object([
            ("name", name.into()),
            ("note", note),
            ("mode", mode),
            ("chosen", chosen),
            ("tags", tags),
            ("once", once),
            ("one", one),
            ("list", Value::List(list)),
            ("set", Value::Set(keys.into_iter().map(element).collect())),
            ("map", Value::Map(map)),
        ])
    }
}

fn plan(config: &Value, prior: Option<&Value>) -> Value {
    let schema = schema();
    let proposal = proposed(&schema.attributes, config, prior.unwrap_or(&Value::Null));
    propose(&schema, config, prior, proposal)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_create_keeps_the_rules_and_leaves_nothing_to_do(config in any_config()) {
        let planned = plan(&config, None);
        prop_assert_eq!(check::plan(&schema(), &config, None, &planned, &[]), []);
        let stored = applied(&planned);
        prop_assert_eq!(check::apply(&schema(), &planned, Some(&stored), false), []);
        let again = plan(&config, Some(&stored));
        prop_assert!(again.same(&stored), "{} became {}", stored, again);
        prop_assert_eq!(replacements(&schema(), &stored, &again, &[]), []);
    }

    #[test]
    fn an_update_keeps_the_rules_and_leaves_nothing_to_do(before in any_config(), config in any_config()) {
        let prior = applied(&plan(&before, None));
        let planned = plan(&config, Some(&prior));
        prop_assert_eq!(check::plan(&schema(), &config, Some(&prior), &planned, &[]), []);
        let stored = applied(&planned);
        prop_assert_eq!(check::apply(&schema(), &planned, Some(&stored), false), []);
        let again = plan(&config, Some(&stored));
        prop_assert!(again.same(&stored), "{} became {}", stored, again);
    }
}
