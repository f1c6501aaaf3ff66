//! Each rule that Terraform holds a provider to, broken by the test resource: the server says so first, as a bug of the
//! provider, and on the attribute.

use plugin::Value;

use crate::{
    client::{Session, apply, create, encoded, place, plan, read, summaries, thing},
    wire::{Diagnostic, read_data_source},
};

fn is_our_bug(fault: &str, path: &str, messages: &[Diagnostic]) {
    assert!(!messages.is_empty(), "{fault}: nothing was said");
    for message in messages {
        assert_eq!(message.summary, "Bug in terraform-provider-faulty", "{fault}: {messages:?}");
        assert_eq!(place(message), path, "{fault}: {messages:?}");
        assert!(message.detail.contains("bug in the provider terraform-provider-faulty"), "{fault}: {messages:?}");
    }
}

#[tokio::test]
async fn a_plan_that_breaks_a_rule_is_reported_on_the_attribute() {
    let session = Session::start().await;
    for (fault, path) in [
        ("plan: other config", "name"),
        ("plan: not computed", "size"),
        ("plan: absent", ""),
        ("plan: attribute missing", "out"),
        ("plan: write-only", "secret"),
        ("plan: unknown for configured", "name"),
        ("plan: wrong type", "out"),
        ("plan: fewer parts", "parts"),
        ("plan: replace nowhere", "nowhere"),
    ] {
        let parts = Value::List(vec![Value::object([("label", "l".into()), ("serial", Value::Null)])]);
        let config = thing([("name", "n".into()), ("fault", fault.into()), ("parts", parts)]);
        let answer = session.provider().plan_resource_change(plan(None, config)).await.unwrap().into_inner();
        is_our_bug(fault, path, &answer.diagnostics);
        assert_eq!(answer.planned_state, None);
    }
}

#[tokio::test]
async fn an_apply_that_breaks_a_rule_is_reported_on_the_attribute() {
    let session = Session::start().await;
    for (fault, path) in [
        ("create: nothing", ""),
        ("create: other value", "name"),
        ("create: unknown", "out"),
        ("create: wrong type", "out"),
        ("create: write-only", "secret"),
    ] {
        let request = create([("name", "n".into()), ("fault", fault.into())]);
        let answer = session.provider().apply_resource_change(request).await.unwrap().into_inner();
        is_our_bug(fault, path, &answer.diagnostics);
    }
    let config = thing([("name", "n".into()), ("size", 1.into()), ("fault", "update: other value".into())]);
    let request = apply(config.clone(), config.clone(), config);
    let answer = session.provider().apply_resource_change(request).await.unwrap().into_inner();
    is_our_bug("update", "size", &answer.diagnostics);

    let prior = thing([("name", "n".into()), ("fault", "delete: left".into())]);
    let answer = session.provider().apply_resource_change(apply(prior, None, None)).await.unwrap().into_inner();
    is_our_bug("delete", "", &answer.diagnostics);
}

#[tokio::test]
async fn a_refresh_that_breaks_a_rule_is_reported_on_the_attribute() {
    let session = Session::start().await;
    for (fault, path) in [("read: unknown", "out"), ("read: wrong type", "out"), ("read: write-only", "secret")] {
        let request = read([("name", "n".into()), ("fault", fault.into())]);
        let answer = session.provider().read_resource(request).await.unwrap().into_inner();
        is_our_bug(fault, path, &answer.diagnostics);
    }
}

#[tokio::test]
async fn a_data_source_that_breaks_a_rule_is_reported_on_the_attribute() {
    let session = Session::start().await;
    let read = |fault: Value| read_data_source::Request {
        type_name: "faulty_lookup".to_owned(),
        config: encoded(&Value::object([("name", "n".into()), ("fault", fault), ("out", Value::Null)])),
        ..Default::default()
    };
    for (fault, path) in [("finds nothing", ""), ("unknown", "out"), ("wrong type", "out")] {
        let answer = session.provider().read_data_source(read(fault.into())).await.unwrap().into_inner();
        is_our_bug(fault, path, &answer.diagnostics);
        assert_eq!(answer.state, None);
    }
    let answer = session.provider().read_data_source(read("panics".into())).await.unwrap().into_inner();
    assert_eq!(summaries(&answer.diagnostics), ["Bug in the provider: a call crashed"]);
    let answer = session.provider().read_data_source(read(Value::Null)).await.unwrap().into_inner();
    assert!(answer.diagnostics.is_empty() && answer.state.is_some());
}
