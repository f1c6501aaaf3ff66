//! The log, as Terraform reads it.

use serde_json::Value as Json;

use crate::client::{Session, create};

async fn log(environment: &[(&str, &str)]) -> Vec<Json> {
    let session = Session::with(environment).await;
    let request = create([("name", "canary-name".into()), ("fault", "create panics".into())]);
    session.provider().apply_resource_change(request).await.unwrap();
    let (_, log) = session.shut_down().await;
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[tokio::test]
async fn every_call_is_one_line_that_terraform_can_read() {
    let lines = log(&[("TF_LOG", "DEBUG")]).await;
    let call = lines.iter().find(|line| line["@message"] == "call served").unwrap();
    assert_eq!(call["@level"], "debug");
    assert_eq!(call["@module"], "plugin.server");
    assert_eq!(call["tf_rpc"], "ApplyResourceChange");
    assert_eq!(call["tf_type"], "faulty_thing");
    assert!(call["duration_ms"].is_number());
    for line in &lines {
        assert!(line["@message"].is_string() && line["@level"].is_string(), "{line}");
        let moment = line["@timestamp"].as_str().unwrap();
        let pattern: String = moment.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(pattern, "0000-00-00T00:00:00.000000Z", "{line}");
        assert!(!line.to_string().contains("canary-name"), "{line}");
    }
    let panic = lines.iter().find(|line| line["@level"] == "error").unwrap();
    assert!(panic["place"].as_str().unwrap().contains("thing.rs"), "{panic}");
}

#[tokio::test]
async fn the_level_is_that_of_the_nearest_variable() {
    let level = |lines: Vec<Json>| lines.iter().filter(|line| line["@level"] == "debug").count();
    assert_ne!(level(log(&[("TF_LOG", "error"), ("TF_LOG_PROVIDER_FAULTY", "debug")]).await), 0);
    assert_eq!(level(log(&[("TF_LOG", "trace"), ("TF_LOG_PROVIDER", "error")]).await), 0);
    assert_ne!(level(log(&[("TF_LOG", "JSON")]).await), 0);
    assert!(log(&[("TF_LOG", "off")]).await.is_empty());
}

#[tokio::test]
async fn other_crates_are_not_logged() {
    let lines = log(&[("TF_LOG", "TRACE")]).await;
    let foreign = lines.iter().filter(|line| {
        let module = line["@module"].as_str().unwrap_or_default();
        !module.starts_with("plugin") && !module.starts_with("terraform_provider_faulty")
    });
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&Json>::new());
}
