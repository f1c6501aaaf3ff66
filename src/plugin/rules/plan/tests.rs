//! Tables over [`propose`] and [`replacements`].

use super::*;
use crate::{
    path::Path,
    rules::samples::{child, object, schema},
};

/// What Terraform proposes: the configuration where it says something, else the prior value of what is computed.
fn proposed(schema: &Schema, config: &Value, prior: Option<&Value>) -> Value {
    let mut proposed = config.clone();
    for attribute in &schema.attributes {
        if config.get(attribute.name).is_null() && attribute.is_computed() {
            proposed.set(attribute.name, prior.unwrap_or(&Value::Null).get(attribute.name).clone());
        }
    }
    proposed
}

fn plan(config: &Value, prior: Option<&Value>) -> Value {
    propose(&schema(), config, prior, proposed(&schema(), config, prior))
}

fn config() -> Value {
    object([("name", "n".into()), ("once", "secret".into()), ("list", Value::List(vec![child([("key", "k".into())])]))])
}

/// What an apply of [`config`] leaves.
fn stored() -> Value {
    object([
        ("name", "n".into()),
        ("mode", "fast".into()),
        ("chosen", "by us".into()),
        ("id", "1".into()),
        ("list", Value::List(vec![child([("key", "k".into()), ("size", 3.into()), ("out", "o".into())])])),
    ])
}

#[test]
fn a_create_has_its_defaults_and_the_rest_unknown() {
    let expect = object([
        ("name", "n".into()),
        ("mode", "fast".into()),
        ("chosen", Value::unknown()),
        ("id", Value::unknown()),
        ("list", Value::List(vec![child([("key", "k".into()), ("size", 3.into()), ("out", Value::unknown())])])),
    ]);
    assert_eq!(plan(&config(), None), expect);
}

#[test]
fn nothing_becomes_unknown_when_nothing_differs() {
    let prior = stored();
    let mut proposal = proposed(&schema(), &config(), Some(&prior));
    // Terraform merges the prior values into nested objects too.
    proposal.set("list", prior.get("list").clone());
    assert_eq!(propose(&schema(), &config(), Some(&prior), proposal), prior);
}

#[test]
fn one_difference_makes_all_that_is_computed_unknown() {
    let prior = stored();
    let mut changed = config();
    changed.set("note", "a".into());
    let planned = plan(&changed, Some(&prior));
    assert_eq!(planned.get("note"), &"a".into());
    assert_eq!(planned.get("mode"), &"fast".into());
    assert!(planned.get("id").is_unknown() && planned.get("chosen").is_unknown());
}

#[test]
fn a_default_that_drifted_is_planned_back() {
    let mut drifted = stored();
    drifted.set("mode", "slow".into());
    assert_eq!(plan(&config(), Some(&drifted)).get("mode"), &"fast".into());
}

#[test]
fn a_set_that_says_the_same_in_another_order_is_no_difference() {
    let tags = |items: [&str; 2]| Value::Set(items.map(Value::from).to_vec());
    let given = object([("name", "n".into()), ("tags", tags(["a", "b"]))]);
    let prior = object([
        ("name", "n".into()),
        ("mode", "fast".into()),
        ("chosen", "c".into()),
        ("id", "1".into()),
        ("tags", tags(["b", "a"])),
    ]);
    assert!(plan(&given, Some(&prior)).same(&prior));
}

#[test]
fn unknown_configuration_is_a_difference_and_takes_no_default() {
    let mut given = config();
    given.set("mode", Value::unknown());
    let planned = plan(&given, Some(&stored()));
    assert!(planned.get("mode").is_unknown() && planned.get("id").is_unknown());
    given.set("list", Value::unknown());
    assert!(plan(&given, None).get("list").is_unknown());
}

#[test]
fn every_nesting_gets_the_defaults_of_its_elements() {
    let given = || child([("key", "k".into())]);
    let expect = || child([("key", "k".into()), ("size", 3.into()), ("out", Value::unknown())]);
    for (name, config, planned) in [
        ("one", given(), expect()),
        ("list", Value::List(vec![given()]), Value::List(vec![expect()])),
        ("set", Value::Set(vec![given()]), Value::Set(vec![expect()])),
        ("map", Value::map([("m", given())]), Value::map([("m", expect())])),
        ("list", Value::List(vec![Value::Null, Value::unknown()]), Value::List(vec![Value::Null, Value::unknown()])),
    ] {
        assert_eq!(plan(&object([("name", "n".into()), (name, config)]), None).get(name), &planned, "{name}");
    }
}

#[test]
fn elements_of_a_set_are_found_again_by_what_is_configured() {
    let given = Value::Set(vec![child([("key", "a".into())]), child([("key", "a".into()), ("size", 9.into())])]);
    let stored = Value::Set(vec![
        child([("key", "a".into()), ("size", 9.into()), ("out", "nine".into())]),
        child([("key", "a".into()), ("size", 3.into()), ("out", "three".into())]),
    ]);
    let schema = schema();
    let config = object([("name", "n".into()), ("set", given)]);
    let mut prior = super::tests::stored();
    prior.set("list", Value::Null);
    prior.set("set", stored.clone());
    let mut proposal = proposed(&schema, &config, Some(&prior));
    proposal.set("set", stored);
    assert!(propose(&schema, &config, Some(&prior), proposal).same(&prior));
}

#[test]
fn an_element_of_a_set_does_not_take_the_place_of_one_with_more_in_it() {
    let given = Value::Set(vec![
        child([("key", "a".into()), ("size", 5.into())]),
        child([("key", "a".into()), ("note", "x".into())]),
    ]);
    let proposal = Value::Set(vec![
        child([("key", "a".into()), ("note", "x".into()), ("size", 5.into()), ("out", "with note".into())]),
        child([("key", "a".into()), ("size", 5.into()), ("out", "without".into())]),
    ]);
    let config = object([("name", "n".into()), ("set", given)]);
    let mut prior = stored();
    prior.set("list", Value::Null);
    prior.set("set", proposal.clone());
    let planned = propose(&schema(), &config, Some(&prior), {
        let mut proposed = proposed(&schema(), &config, Some(&prior));
        proposed.set("set", proposal);
        proposed
    });
    let element = |note: Value, size: i64| {
        child([("key", "a".into()), ("note", note), ("size", size.into()), ("out", Value::unknown())])
    };
    assert_eq!(planned.get("set"), &Value::Set(vec![element(Value::Null, 5), element("x".into(), 3)]));
}

#[test]
fn an_object_that_the_provider_chose_stays() {
    let mode = crate::Mode::OptionalComputed;
    let children = vec![Attribute::optional("a", crate::Type::String)];
    let schema =
        Schema { attributes: vec![Attribute::nested("chosen", mode, Nesting::Single, children)], ..Schema::default() };
    let prior = Value::object([("chosen", Value::object([("a", Value::from("x"))]))]);
    let config = Value::object([("chosen", Value::Null)]);
    assert_eq!(propose(&schema, &config, Some(&prior), config.clone()), prior);
    assert!(propose(&schema, &config, None, config.clone()).get("chosen").is_unknown());
}

#[test]
fn a_destroy_stays_null() {
    assert_eq!(propose(&schema(), &Value::Null, Some(&stored()), Value::Null), Value::Null);
}

fn replacing_schema() -> Schema {
    let children = || {
        vec![
            Attribute::required("key", crate::Type::String).replaces(),
            Attribute::optional("note", crate::Type::String),
        ]
    };
    let nested = |name, nesting| Attribute::nested(name, crate::Mode::Optional, nesting, children());
    Schema {
        attributes: vec![
            Attribute::required("name", crate::Type::String).replaces(),
            Attribute::optional("note", crate::Type::String),
            nested("one", Nesting::Single),
            nested("list", Nesting::List),
            nested("map", Nesting::Map),
            nested("set", Nesting::Set),
        ],
        ..Schema::default()
    }
}

#[test]
fn a_change_of_what_replaces_is_found_where_it_stands() {
    let child = |key: &str, note: &str| Value::object([("key", Value::from(key)), ("note", Value::from(note))]);
    let list = |items: &[Value]| Value::List(items.to_vec());
    let name = Path::attribute("name");
    for (attribute, prior, planned, expect) in [
        ("name", Value::from("a"), Value::from("b"), vec![name.clone()]),
        ("name", Value::from("é"), Value::from("e\u{301}"), vec![]),
        ("name", Value::from("a"), Value::unknown(), vec![name]),
        ("note", Value::from("a"), Value::from("b"), vec![]),
        ("one", child("a", "x"), child("b", "x"), vec![Path::attribute("one").then("key")]),
        ("one", child("a", "x"), child("a", "y"), vec![]),
        ("one", child("a", "x"), Value::Null, vec![Path::attribute("one").then("key")]),
        (
            "list",
            list(&[child("a", "x")]),
            list(&[child("a", "y"), child("b", "x")]),
            vec![Path::attribute("list").index(1).then("key")],
        ),
        (
            "map",
            Value::map([("k", child("a", "x"))]),
            Value::map([("k", child("b", "x")), ("l", child("b", "x"))]),
            vec![Path::attribute("map").key("k").then("key"), Path::attribute("map").key("l").then("key")],
        ),
        ("set", Value::Set(vec![child("a", "x")]), Value::Set(vec![child("a", "y")]), vec![]),
        ("set", Value::Set(vec![child("a", "x")]), Value::Set(vec![child("b", "x")]), vec![Path::attribute("set")]),
    ] {
        let (prior, planned) = (Value::object([(attribute, prior)]), Value::object([(attribute, planned)]));
        assert_eq!(replacements(&replacing_schema(), &prior, &planned, &[]), expect, "{prior} -> {planned}");
    }
}

#[test]
fn replacements_that_were_asked_for_are_sorted_in_and_have_to_exist() {
    let (prior, planned) = (
        Value::object([("name", Value::from("a")), ("note", Value::Null)]),
        Value::object([("name", Value::from("b")), ("note", Value::Null)]),
    );
    let asked = [Path::attribute("note"), Path::attribute("name"), Path::attribute("none"), Path::root()];
    assert_eq!(
        replacements(&replacing_schema(), &prior, &planned, &asked),
        [Path::attribute("name"), Path::attribute("note")]
    );
}
