//! What calls answer: states after success, failure and panic.

use plugin::Value;

use crate::{
    client::{Session, apply, create, decoded, encoded, place, plan, read, summaries, thing},
    wire::{
        self, apply_resource_change, call_function, configure_provider, get_provider_schema,
        get_resource_identity_schemas, import_resource_state, move_resource_state, open_ephemeral_resource,
        read_data_source, upgrade_resource_state, validate_provider_config, validate_resource_config,
    },
};

fn name() -> (&'static str, Value) {
    ("name", "n".into())
}

fn with(fault: &str) -> [(&'static str, Value); 2] {
    [name(), ("fault", fault.into())]
}

async fn applied(session: &Session, request: apply_resource_change::Request) -> apply_resource_change::Response {
    session.provider().apply_resource_change(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn the_schema_names_everything_and_says_what_the_server_can_do() {
    let session = Session::start().await;
    let schema = session.provider().get_provider_schema(get_provider_schema::Request {}).await.unwrap().into_inner();
    let capabilities = schema.server_capabilities.unwrap();
    assert!(capabilities.plan_destroy && capabilities.get_provider_schema_optional);
    assert!(!capabilities.move_resource_state);
    assert!(schema.provider.is_some());
    assert_eq!(schema.data_source_schemas.keys().collect::<Vec<_>>(), ["faulty_lookup"]);
    let thing = schema.resource_schemas["faulty_thing"].clone();
    assert_eq!(thing.version, 2);
    let attributes = thing.block.unwrap().attributes;
    let find = |name: &str| attributes.iter().find(|attribute| attribute.name == name).unwrap();
    assert!(find("name").required && !find("name").optional);
    assert!(find("mode").optional && find("mode").computed);
    assert!(find("secret").write_only && find("old").deprecated);
    assert_eq!(find("tags").r#type, br#"["map","string"]"#);
    assert!(find("parts").r#type.is_empty() && find("parts").nested_type.is_some());
}

#[tokio::test]
async fn a_create_that_made_nothing_stores_nothing() {
    let session = Session::start().await;
    let answer = applied(&session, create(with("create fails"))).await;
    assert_eq!(summaries(&answer.diagnostics), ["Cannot create"]);
    assert_eq!(place(&answer.diagnostics[0]), "name");
    assert!(decoded(answer.new_state.as_ref()).is_null());
}

#[tokio::test]
async fn a_create_that_made_half_stores_the_known_half() {
    let session = Session::start().await;
    let answer = applied(&session, create(with("create half"))).await;
    let state = decoded(answer.new_state.as_ref());
    assert_eq!((state.get("name"), state.get("out")), (&"n".into(), &Value::Null));
    assert_eq!(answer.private, br#"{"made":true}"#);
}

#[tokio::test]
async fn a_create_with_a_warning_is_a_create() {
    let session = Session::start().await;
    let answer = applied(&session, create(with("create warns"))).await;
    assert_eq!(answer.diagnostics[0].severity(), wire::diagnostic::Severity::Warning);
    assert_eq!(decoded(answer.new_state.as_ref()).get("out"), &"made".into());
}

#[tokio::test]
async fn an_update_that_failed_stores_what_the_resource_returned() {
    let session = Session::start().await;
    let prior = thing([name(), ("size", 1.into()), ("out", "made".into()), ("mode", "plain".into())]);
    let config = thing([name(), ("size", 2.into()), ("fault", "update fails".into())]);
    let answer = applied(&session, apply(prior.clone(), config.clone(), config)).await;
    assert_eq!(summaries(&answer.diagnostics), ["Cannot update"]);
    assert_eq!(answer.new_state, prior);
    assert_eq!(answer.private, b"planned");
}

#[tokio::test]
async fn a_delete_that_failed_keeps_the_object() {
    let session = Session::start().await;
    let prior = thing(with("delete fails"));
    let answer = applied(&session, apply(prior.clone(), None, None)).await;
    assert_eq!(summaries(&answer.diagnostics), ["Cannot delete"]);
    assert_eq!((answer.new_state, answer.private.as_slice()), (prior, &b"planned"[..]));

    let gone = applied(&session, apply(thing([name()]), None, None)).await;
    assert!(gone.diagnostics.is_empty() && decoded(gone.new_state.as_ref()).is_null());
}

#[tokio::test]
async fn a_refresh_that_failed_keeps_the_object() {
    let session = Session::start().await;
    for fault in ["read fails", "read panics", "read: unknown"] {
        let request = read(with(fault));
        let answer = session.provider().read_resource(request.clone()).await.unwrap().into_inner();
        assert_eq!(answer.diagnostics.len(), 1, "{fault}");
        assert_eq!((answer.new_state, answer.private), (request.current_state, request.private), "{fault}");
    }
    let gone = session.provider().read_resource(read(with("read: gone"))).await.unwrap().into_inner();
    assert!(gone.diagnostics.is_empty() && decoded(gone.new_state.as_ref()).is_null());
}

#[tokio::test]
async fn a_panic_is_a_diagnostic_and_the_process_goes_on() {
    let session = Session::start().await;
    let crashed = |messages: &[wire::Diagnostic]| {
        assert_eq!(summaries(messages), ["Bug in the provider: a call crashed"]);
        assert!(messages[0].detail.contains("thing.rs:"), "{}", messages[0].detail);
    };
    let planned = session.provider().plan_resource_change(plan(None, thing(with("plan panics")))).await.unwrap();
    crashed(&planned.into_inner().diagnostics);

    let config = thing(with("validate panics"));
    let request =
        validate_resource_config::Request { type_name: "faulty_thing".to_owned(), config, ..Default::default() };
    crashed(&session.provider().validate_resource_config(request).await.unwrap().into_inner().diagnostics);

    // Nobody knows what a create had done: the object is kept, tainted, and not lost.
    let created = applied(&session, create(with("create panics"))).await;
    crashed(&created.diagnostics);
    assert_eq!(decoded(created.new_state.as_ref()).get("name"), &"n".into());
    assert_eq!(decoded(created.new_state.as_ref()).get("out"), &Value::Null);

    let prior = thing([name(), ("size", 1.into())]);
    let config = thing([name(), ("size", 2.into()), ("fault", "update panics".into())]);
    let updated = applied(&session, apply(prior.clone(), config.clone(), config)).await;
    crashed(&updated.diagnostics);
    assert_eq!(updated.new_state, prior);

    let prior = thing(with("delete panics"));
    let deleted = applied(&session, apply(prior.clone(), None, None)).await;
    crashed(&deleted.diagnostics);
    assert_eq!(deleted.new_state, prior);

    let fine = applied(&session, create([name()])).await;
    assert!(fine.diagnostics.is_empty());
    session.shut_down().await;
}

#[tokio::test]
async fn a_state_of_many_megabytes_goes_both_ways() {
    let session = Session::start().await;
    let size = 6 << 20;
    let made = applied(&session, create([name(), ("blob_size", size.into())])).await;
    assert!(made.diagnostics.is_empty());
    let state = made.new_state.unwrap();
    assert!(state.msgpack.len() > 6 << 20);
    let request = wire::read_resource::Request { current_state: Some(state.clone()), ..read([name()]) };
    let answer = session.provider().read_resource(request).await.unwrap().into_inner();
    assert_eq!(answer.new_state, Some(state));
}

#[tokio::test]
async fn an_import_fills_what_the_resource_left_out() {
    let session = Session::start().await;
    let import = |id: &str| import_resource_state::Request {
        type_name: "faulty_thing".to_owned(),
        id: id.to_owned(),
        ..Default::default()
    };
    let answer = session.provider().import_resource_state(import("x")).await.unwrap().into_inner();
    let [imported] = answer.imported_resources.try_into().unwrap();
    assert_eq!(imported.type_name, "faulty_thing");
    assert_eq!(imported.private, br#"{"imported":true}"#);
    let state = decoded(imported.state.as_ref());
    assert_eq!((state.get("name"), state.get("size")), (&"x".into(), &Value::Null));

    for (id, summary) in
        [("bad", "Not an id"), ("nothing", "Cannot import"), ("unknown", "Bug in terraform-provider-faulty")]
    {
        let answer = session.provider().import_resource_state(import(id)).await.unwrap().into_inner();
        assert_eq!(summaries(&answer.diagnostics), [summary], "{id}");
        assert!(answer.imported_resources.is_empty());
    }
}

#[tokio::test]
async fn a_stored_object_is_read_by_the_current_schema() {
    let session = Session::start().await;
    let upgrade = |version: i64, json: &str| upgrade_resource_state::Request {
        type_name: "faulty_thing".to_owned(),
        version,
        raw_state: Some(wire::RawState { json: json.as_bytes().to_vec(), ..Default::default() }),
    };
    for (version, json, name) in
        [(2, r#"{"name":"n","gone":1}"#, "n"), (1, r#"{"title":"t","size":12345678901234567890}"#, "t")]
    {
        let answer = session.provider().upgrade_resource_state(upgrade(version, json)).await.unwrap().into_inner();
        assert!(answer.diagnostics.is_empty(), "{:?}", answer.diagnostics);
        assert_eq!(decoded(answer.upgraded_state.as_ref()).get("name"), &name.into());
    }
    for (version, json, why) in [
        (0, "{}", "never released"),
        (3, "{}", "up to version 2"),
        (2, "", "older than 0.12"),
        (2, "{", "not JSON"),
        (2, r#"{"name":[]}"#, "name: string is required"),
    ] {
        let answer = session.provider().upgrade_resource_state(upgrade(version, json)).await.unwrap().into_inner();
        assert!(answer.diagnostics[0].detail.contains(why), "{why}: {:?}", answer.diagnostics);
        assert!(answer.upgraded_state.is_none());
    }
}

#[tokio::test]
async fn the_schema_is_kept_by_the_server() {
    let session = Session::start().await;
    let config = thing([("out", "mine".into()), ("secret", "s".into()), ("old", "o".into())]);
    let request =
        validate_resource_config::Request { type_name: "faulty_thing".to_owned(), config, ..Default::default() };
    let answer = session.provider().validate_resource_config(request.clone()).await.unwrap().into_inner();
    let mut places: Vec<_> = answer.diagnostics.iter().map(place).collect();
    places.sort();
    assert_eq!(places, ["name", "old", "out", "secret"], "{:?}", answer.diagnostics);

    let client_capabilities =
        Some(wire::ClientCapabilities { write_only_attributes_allowed: true, ..Default::default() });
    let request = validate_resource_config::Request { client_capabilities, ..request };
    let answer = session.provider().validate_resource_config(request).await.unwrap().into_inner();
    assert!(answer.diagnostics.iter().all(|message| place(message) != "secret"));
}

#[tokio::test]
async fn the_provider_block_is_validated_and_taken() {
    let session = Session::start().await;
    let config = |endpoint: Value, fault: Value| encoded(&Value::object([("endpoint", endpoint), ("fault", fault)]));
    let request = validate_provider_config::Request { config: config(Value::unknown(), Value::Null) };
    let answer = session.provider().validate_provider_config(request).await.unwrap().into_inner();
    assert!(answer.diagnostics.is_empty());
    for (fault, expected) in [
        (Value::Null, &[][..]),
        ("configure fails".into(), &["No such endpoint"]),
        ("configure panics".into(), &["Bug in the provider: a call crashed"]),
    ] {
        let request = configure_provider::Request { config: config("e".into(), fault), ..Default::default() };
        let answer = session.provider().configure_provider(request).await.unwrap().into_inner();
        assert_eq!(summaries(&answer.diagnostics), expected);
    }
}

#[tokio::test]
async fn names_that_are_not_served_are_diagnostics() {
    let session = Session::start().await;
    let answer =
        applied(&session, apply_resource_change::Request { type_name: "x_y".to_owned(), ..create([name()]) }).await;
    assert_eq!(summaries(&answer.diagnostics), ["Unknown resource type"]);
    assert!(answer.diagnostics[0].detail.contains("faulty_thing"));

    let request = read_data_source::Request { type_name: "x_y".to_owned(), ..Default::default() };
    let answer = session.provider().read_data_source(request).await.unwrap().into_inner();
    assert_eq!(summaries(&answer.diagnostics), ["Unknown data source type"]);

    let request = call_function::Request { name: "f".to_owned(), arguments: Vec::new() };
    let answer = session.provider().call_function(request).await.unwrap().into_inner();
    assert!(answer.error.unwrap().text.contains("no function \"f\""));

    let request = move_resource_state::Request { target_type_name: "faulty_thing".to_owned(), ..Default::default() };
    let answer = session.provider().move_resource_state(request).await.unwrap().into_inner();
    assert_eq!(answer.diagnostics.len(), 1);
}

#[tokio::test]
async fn bytes_that_are_no_value_are_a_diagnostic() {
    let session = Session::start().await;
    let planned_state = Some(wire::DynamicValue { msgpack: vec![0xc1, 0xff], json: Vec::new() });
    let answer = applied(&session, apply_resource_change::Request { planned_state, ..create([name()]) }).await;
    assert_eq!(summaries(&answer.diagnostics), ["A value from Terraform cannot be read"]);
    assert!(decoded(answer.new_state.as_ref()).is_null());
}

#[tokio::test]
async fn identities_are_none_and_other_kinds_are_unimplemented() {
    let session = Session::start().await;
    let mut provider = session.provider();
    let answer = provider.get_resource_identity_schemas(get_resource_identity_schemas::Request {}).await.unwrap();
    assert!(answer.into_inner().identity_schemas.is_empty());
    let refused = provider.open_ephemeral_resource(open_ephemeral_resource::Request::default()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
    let refused = provider.get_states(wire::Unserved {}).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
}
