//! Each rule, broken by one answer.

use super::*;
use crate::{
    rules::samples::{child, object, schema},
    value::{Number, Refinement, Type},
};

fn lines(found: &[Violation]) -> Vec<String> {
    found.iter().map(|violation| format!("{}: {}", violation.path, violation.what)).collect()
}

fn config() -> Value {
    object([
        ("name", "n".into()),
        ("secret", "hunter2".into()),
        ("once", "write".into()),
        ("list", Value::List(vec![child([("key", "k".into())])])),
    ])
}

/// A plan of [`config`] that keeps every rule.
fn planned() -> Value {
    object([
        ("name", "n".into()),
        ("mode", "fast".into()),
        ("chosen", Value::unknown()),
        ("id", Value::unknown()),
        ("secret", "hunter2".into()),
        ("list", Value::List(vec![child([("key", "k".into()), ("size", 3.into()), ("out", Value::unknown())])])),
    ])
}

/// The result of an apply of [`planned`] that keeps every rule.
fn applied() -> Value {
    let mut result = planned();
    result.set("chosen", "c".into());
    result.set("id", "1".into());
    result.set_at(&Path::attribute("list").index(0).then("out"), "o".into());
    result
}

fn changed(value: Value, name: &str, to: impl Into<Value>) -> Value {
    let mut value = value;
    value.set(name, to.into());
    value
}

/// Configuration, prior object and plan that are alike but for one attribute.
fn plan_of(attribute: &str, config_value: Value, prior_value: Option<Value>, planned_value: Value) -> Vec<String> {
    let config = changed(config(), attribute, config_value);
    let prior = prior_value.map(|value| changed(applied(), attribute, value));
    lines(&plan(&schema(), &config, prior.as_ref(), &changed(planned(), attribute, planned_value), &[]))
}

#[test]
fn a_plan_that_keeps_every_rule_passes() {
    assert_eq!(plan(&schema(), &config(), None, &planned(), &[]), []);
    assert_eq!(plan(&schema(), &config(), Some(&applied()), &planned(), &[Path::attribute("name")]), []);
    // The prior value stands for a configured one that means the same.
    assert_eq!(plan_of("note", "A".into(), Some("a".into()), "a".into()), Vec::<String>::new());
    let set = |note: Value| Value::Set(vec![child([("key", "k".into()), ("note", note)])]);
    assert_eq!(plan_of("set", set(Value::Null), None, set("trusted".into())), Vec::<String>::new());
    let some = |elements: &[Value]| Value::Set(elements.to_vec());
    let part = || child([("key", Value::unknown())]);
    assert_eq!(plan_of("set", some(&[part(), part(), part()]), None, some(&[part(), part()])), Vec::<String>::new());
    // A value that stands in the configuration of a computed attribute is no matter of the plan.
    assert_eq!(plan_of("id", "given".into(), None, "made".into()), Vec::<String>::new());
    let unknown = Value::Unknown(Refinement { not_null: true, prefix: None });
    assert_eq!(plan_of("note", unknown, None, Value::unknown()), Vec::<String>::new());
}

#[test]
fn each_rule_of_a_plan_that_is_broken_is_named() {
    let key = |key: &str| child([("key", key.into())]);
    let list = |items: &[Value]| Value::List(items.to_vec());
    for (attribute, config, prior, planned, expect) in [
        ("note", "a".into(), None, "b".into(), "note: planned value \"b\" does not match config value \"a\""),
        (
            "note",
            "a".into(),
            Some("c".into()),
            "b".into(),
            "note: planned value \"b\" does not match config value \"a\" nor prior value \"c\"",
        ),
        ("note", Value::Null, None, "b".into(), "note: planned value \"b\" for a non-computed attribute"),
        (
            "note",
            Value::Null,
            None,
            Value::unknown(),
            "note: planned value (known after apply) for a non-computed attribute",
        ),
        ("note", "a".into(), None, Value::Null, "note: planned value null does not match config value \"a\""),
        (
            "secret",
            "hunter2".into(),
            Some("hunter3".into()),
            "hunter4".into(),
            "secret: planned value (sensitive value) does not match config value (sensitive value) nor prior value \
             (sensitive value)",
        ),
        ("once", "write".into(), None, "write".into(), "once: a write-only value is not null"),
        ("one", key("k"), None, Value::Null, "one: planned for absence, but the configuration wants existence"),
        (
            "one",
            Value::Null,
            None,
            key("k"),
            "one: planned value {key = \"k\", note = null, out = null, size = null} for a non-computed attribute",
        ),
        ("one", key("k"), None, Value::unknown(), "one: planned unknown for a configured value"),
        ("one", Value::unknown(), None, key("k"), "one: planned a known value while the configuration is unknown"),
        ("one", key("k"), None, key("l"), "one.key: planned value \"l\" does not match config value \"k\""),
        ("list", list(&[key("k")]), None, list(&[]), "list: count in plan (0) disagrees with count in config (1)"),
        (
            "list",
            list(&[key("k")]),
            None,
            list(&[key("l")]),
            "list[0].key: planned value \"l\" does not match config value \"k\"",
        ),
        (
            "list",
            list(&[key("k")]),
            None,
            list(&[Value::unknown()]),
            "list[0]: planned an unknown value, but configured is an object",
        ),
        (
            "map",
            Value::map([("m", key("k"))]),
            None,
            Value::map([("m", key("l"))]),
            "map[\"m\"].key: planned value \"l\" does not match config value \"k\"",
        ),
        (
            "set",
            Value::Set(vec![key("k")]),
            None,
            Value::Set(vec![]),
            "set: count in plan (0) disagrees with count in config (1)",
        ),
    ] {
        assert_eq!(plan_of(attribute, config, prior, planned), [expect], "{attribute}");
    }
    let (one, two) = (vec![child([("key", Value::unknown())])], vec![key("k"), key("l")]);
    let fewer = plan_of("set", Value::Set(two), None, Value::Set(one));
    assert_eq!(fewer, ["set: count in plan (1) disagrees with count in config (2)"]);
    let keys = plan_of("map", Value::map([("m", key("k"))]), None, Value::map([("o", key("k"))]));
    assert_eq!(
        keys,
        [
            "map[\"m\"]: the key is in the configuration, but not in the plan",
            "map[\"o\"]: the key is in the plan, but not in the configuration",
        ]
    );
}

#[test]
fn the_object_as_a_whole_is_planned_as_it_is_wanted() {
    let absent = lines(&plan(&schema(), &config(), None, &Value::Null, &[]));
    assert_eq!(absent, [": planned for absence, but the configuration wants existence"]);
    let present = lines(&plan(&schema(), &Value::Null, Some(&applied()), &planned(), &[]));
    assert_eq!(present, [": planned for existence, but the configuration wants absence"]);
    let unknown = lines(&plan(&schema(), &config(), None, &Value::unknown(), &[]));
    assert_eq!(unknown, [": the planned object is unknown as a whole"]);
    assert_eq!(lines(&destroy_plan(&planned())), [": a planned destroy is null, but there is an object"]);
    assert_eq!(destroy_plan(&Value::Null), []);
}

#[test]
fn a_replacement_by_a_path_that_does_not_exist_is_named() {
    let path = Path::attribute("list").index(7).then("key");
    let found = plan(&schema(), &config(), Some(&applied()), &planned(), &[path]);
    assert_eq!(lines(&found), ["list[7].key: it is to force a replacement, but there is no such attribute"]);
}

#[test]
fn a_value_of_another_type_is_named_with_every_place() {
    let mut wrong = planned();
    wrong.set("name", 1.into());
    wrong.set("extra", Value::Null);
    wrong.set("tags", Value::List(vec![]));
    wrong.set("list", Value::List(vec![Value::object([("key", Value::from("k"))])]));
    wrong.set("set", Value::Set(vec![child([("key", 1.into())])]));
    let Value::Object(attributes) = &mut wrong else { return };
    attributes.remove("id");
    let expect = [
        "id: the attribute is missing in the object",
        "list[0].note: the attribute is missing in the object",
        "list[0].out: the attribute is missing in the object",
        "list[0].size: the attribute is missing in the object",
        "name: a string is required, but there is a number",
        "set: in an element of the set, at key: a string is required, but there is a number",
        "tags: a set of string is required, but there is a list",
        "extra: the schema has no such attribute",
    ];
    let schema = schema();
    assert_eq!(lines(&plan(&schema, &config(), None, &wrong, &[])), expect);
    // Terraform cannot store it, whatever else is reported.
    assert_eq!(lines(&apply(&schema, &planned(), Some(&wrong), true)), expect);
    assert_eq!(lines(&read(&schema, Some(&wrong))), expect);
}

#[test]
fn a_result_that_keeps_every_rule_passes() {
    assert_eq!(apply(&schema(), &planned(), Some(&applied()), false), []);
    let decimal = |text: &str| Value::Number(Number::Decimal(text.to_owned()));
    let size = Path::attribute("list").index(0).then("size");
    let (mut planned, mut result) = (planned(), applied());
    planned.set_at(&size, decimal("1.50"));
    result.set_at(&size, decimal("1.5"));
    planned.set("note", "é".into());
    result.set("note", "e\u{301}".into());
    planned.set("tags", Value::Set(vec!["b".into(), Value::unknown(), "a".into()]));
    // An element that was unknown may turn out to be one that was known.
    result.set("tags", Value::Set(vec!["a".into(), "b".into()]));
    assert_eq!(apply(&schema(), &planned, Some(&result), false), []);
}

#[test]
fn each_rule_of_an_apply_that_is_broken_is_named() {
    let any = |ty: Type, value: Value| Value::Dynamic(Box::new(ty), Box::new(value));
    let texts = |items: &[&str]| Value::Set(items.iter().map(|item| Value::from(*item)).collect());
    let list = |items: &[Value]| Value::List(items.to_vec());
    let full = || child([("key", "k".into()), ("size", 3.into()), ("out", "o".into())]);
    let promise =
        |prefix: Option<&str>| Value::Unknown(Refinement { not_null: true, prefix: prefix.map(str::to_owned) });
    for (attribute, planned_value, result_value, expect) in [
        ("note", "a".into(), "b".into(), "note: was \"a\" in the plan, but is now \"b\""),
        ("note", "a".into(), Value::Null, "note: was \"a\" in the plan, but is now null"),
        ("note", Value::Null, "b".into(), "note: was null in the plan, but is now \"b\""),
        ("id", Value::unknown(), Value::unknown(), "id: the value is still unknown"),
        ("id", promise(None), Value::Null, "id: is null, but the plan promised a value"),
        ("id", promise(Some("x-")), "y-1".into(), "id: is \"y-1\", but the plan promised that it begins with \"x-\""),
        (
            "secret",
            "hunter2".into(),
            "hunter3".into(),
            "secret: was (sensitive value) in the plan, but is now (sensitive value)",
        ),
        ("once", Value::unknown(), "write".into(), "once: a write-only value is not null"),
        ("list", list(&[full()]), list(&[]), "list: element 0 of the plan has vanished"),
        ("list", list(&[]), list(&[full()]), "list: a new element 0 has appeared"),
        (
            "list",
            list(&[full()]),
            list(&[child([("key", "l".into()), ("size", 3.into()), ("out", "o".into())])]),
            "list[0].key: was \"k\" in the plan, but is now \"l\"",
        ),
        ("map", Value::map([("m", full())]), Value::map::<&str>([]), "map: element \"m\" of the plan has vanished"),
        ("map", Value::map::<&str>([]), Value::map([("m", full())]), "map: a new element \"m\" has appeared"),
        ("tags", texts(&["a"]), texts(&["b"]), "tags: the planned element \"a\" is not in the set"),
        ("tags", texts(&["a"]), texts(&["a", "b"]), "tags: the set has an element that was not planned: \"b\""),
        (
            "tags",
            Value::Set(vec![Value::unknown()]),
            texts(&["a", "b"]),
            "tags: the set has 2 elements, but 1 were planned",
        ),
        (
            "any",
            any(Type::String, Value::unknown()),
            any(Type::Bool, true.into()),
            "any: was a string in the plan, but is now a bool",
        ),
        (
            "any",
            any(Type::Bool, true.into()),
            any(Type::Bool, false.into()),
            "any: was true in the plan, but is now false",
        ),
        (
            "tags",
            Value::unknown(),
            Value::Set(vec![Value::unknown()]),
            "tags: an element of the set is still unknown, in whole or in part",
        ),
    ] {
        let (planned, result) =
            (changed(planned(), attribute, planned_value), changed(applied(), attribute, result_value));
        assert_eq!(lines(&apply(&schema(), &planned, Some(&result), false)), [expect], "{attribute}");
        // The error that was reported explains what is not as planned.
        assert_eq!(apply(&schema(), &planned, Some(&result), true), [], "{attribute}");
    }
}

#[test]
fn the_object_is_there_after_an_apply_and_gone_after_a_delete() {
    let absent = [": the object was present in the plan, but is absent now"];
    assert_eq!(lines(&apply(&schema(), &planned(), None, false)), absent);
    assert_eq!(lines(&apply(&schema(), &planned(), Some(&Value::Null), false)), absent);
    assert_eq!(apply(&schema(), &planned(), None, true), []);
    let appeared = apply(&schema(), &Value::Null, Some(&applied()), false);
    assert_eq!(lines(&appeared), [": the object was absent in the plan, but is present now"]);
    assert_eq!(delete(&schema(), None, false), []);
    assert_eq!(delete(&schema(), Some(&applied()), true), []);
    let left = delete(&schema(), Some(&applied()), false);
    assert_eq!(lines(&left), [": the object is still present after a delete that reported no error"]);
}

#[test]
fn what_goes_to_the_state_is_wholly_known_and_holds_nothing_write_only() {
    type Check = fn(&Schema, Option<&Value>) -> Vec<Violation>;
    let upgraded: Check = |schema, result| upgrade(schema, result.unwrap_or(&Value::Null));
    for check in [read as Check, data_source, import, upgraded] {
        let schema = schema();
        assert_eq!(check(&schema, Some(&applied())), []);
        let unknown = lines(&check(&schema, Some(&planned())));
        assert_eq!(
            unknown,
            [
                "chosen: the value is still unknown",
                "id: the value is still unknown",
                "list[0].out: the value is still unknown",
            ]
        );
        let write_only = lines(&check(&schema, Some(&changed(applied(), "once", "write"))));
        assert_eq!(write_only, ["once: a write-only value is not null"]);
    }
}

#[test]
fn only_a_read_may_find_nothing() {
    assert_eq!(read(&schema(), None), []);
    assert_eq!(lines(&data_source(&schema(), None)), [": there is no data, and no error that says why"]);
    assert_eq!(lines(&import(&schema(), None)), [": nothing was imported, and no error says why"]);
    assert_eq!(lines(&upgrade(&schema(), &Value::Null)), [": the upgrade lost the object"]);
}

#[test]
fn no_message_shows_a_sensitive_value() {
    let mut result = applied();
    result.set("secret", "hunter3".into());
    let mut broken = apply(&schema(), &planned(), Some(&result), false);
    broken.extend(plan(&schema(), &changed(config(), "secret", Value::Null), None, &planned(), &[]));
    broken.extend(plan(&schema(), &changed(config(), "secret", "hunter5"), Some(&result), &planned(), &[]));
    assert_eq!(broken.len(), 3);
    for violation in broken {
        assert!(!violation.what.contains("hunter"), "{violation:?}");
    }
}

#[test]
fn a_failed_apply_stores_null_for_what_is_unknown() {
    let stored = planned().unknown_as_null();
    assert_eq!(stored.get("id"), &Value::Null);
    assert_eq!(stored.at(&Path::attribute("list").index(0).then("out")), Some(&Value::Null));
    assert_eq!(read(&schema(), Some(&stored)), []);
}
