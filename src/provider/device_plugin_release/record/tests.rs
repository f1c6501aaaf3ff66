use super::*;
use crate::device_plugin_release::{render, values::Values};

const NOW: u64 = 1_764_000_000;

fn record(values: &Json) -> (Record, Vec<Json>) {
    let chart = Chart::newest();
    let release = Release { name: "nvdp".into(), namespace: "gpu".into() };
    let objects = render(chart, &release, &Values::over_defaults(chart, values).unwrap());
    let record = Record::new(&Revision {
        chart,
        release: &release,
        number: 3,
        values,
        objects: &objects,
        first_deployed: Some("2025-01-01T00:00:00Z"),
        status: Status::PendingUpgrade,
        description: "Preparing upgrade",
        now: NOW,
    });
    (record, objects)
}

fn values() -> Json {
    json!({ "config": { "map": { "default": "version: v1\nsharing: {}\n" } }, "podAnnotations": { "a": "yes" } })
}

#[test]
fn a_record_reads_back_from_its_secret() {
    let (record, objects) = record(&values());
    let secret = record.secret(Stamp::Created, NOW).unwrap();
    assert_eq!(secret["metadata"]["name"], "sh.helm.release.v1.nvdp.v3");
    assert_eq!(secret["metadata"]["namespace"], "gpu");
    assert_eq!(secret["type"], "helm.sh/release.v1");
    assert_eq!(
        secret["metadata"]["labels"],
        json!({ "name": "nvdp", "owner": "helm", "status": "pending-upgrade", "version": "3", "createdAt": "1764000000" })
    );

    let read = Record::from_secret(&secret).unwrap();
    assert_eq!(read, record);
    assert_eq!((read.name(), read.namespace(), read.number()), ("nvdp", "gpu", 3));
    assert_eq!((read.chart_name(), read.chart_version()), ("nvidia-device-plugin", "0.20.0"));
    assert_eq!(read.first_deployed(), "2025-01-01T00:00:00Z");
    assert_eq!(read.values(), values());
    assert_eq!(read.status(), Status::PendingUpgrade);
    assert_eq!(Json::Array(read.objects().unwrap()).to_string(), Json::Array(objects).to_string());
}

/// Helm panics without `info` and `chart`, renders `--reuse-values` with the chart's values, and goes on server-side
/// only if the record says so.
#[test]
fn a_record_has_what_helm_reads() {
    let (record, _) = record(&values());
    for pointer in
        ["/info/first_deployed", "/info/last_deployed", "/chart/metadata/apiVersion", "/chart/metadata/appVersion"]
    {
        assert!(!record.text(pointer).is_empty(), "{pointer}");
    }
    assert_eq!(record.text("/apply_method"), "ssa");
    for key in ["securityContext", "podSecurityContext", "podAnnotations", "cdi", "gfd", "mps", "devicePlugin", "image"]
    {
        assert!(record.0["chart"]["values"][key].is_object(), "{key}");
    }
}

#[test]
fn a_new_revision_keeps_the_labels_that_the_user_gave_and_no_label_of_helms() {
    let (record, _) = record(&json!({}));
    let before = json!({ "metadata": { "labels": { "name": "nvdp", "owner": "helm", "status": "superseded", "version": "2",
        "createdAt": "1", "modifiedAt": "2", "team": "gpu", "on-call": "b" } } });
    let secret = record.new_secret(labels_of_user(&before), NOW).unwrap();
    assert_eq!(
        secret["metadata"]["labels"],
        json!({ "name": "nvdp", "owner": "helm", "status": "pending-upgrade", "version": "3", "createdAt": "1764000000",
            "team": "gpu", "on-call": "b" })
    );
    assert_eq!(labels_of_user(&json!({})), Map::new());
}

#[test]
fn a_record_has_every_field_that_helm_3_writes() {
    let (ours, _) = record(&values());
    let secret: Json = serde_json::from_str(include_str!("written_by_helm_3.json")).unwrap();
    let theirs = Record::from_secret(&secret).unwrap();
    for part in ["", "/info", "/chart", "/chart/metadata"] {
        for name in theirs.0.pointer(part).unwrap().as_object().unwrap().keys() {
            assert!(ours.0.pointer(part).unwrap().get(name).is_some(), "{part}/{name}");
        }
    }
    assert_eq!(labels_of_user(&secret), Map::from_iter([("team".to_owned(), json!("gpu"))]));
}

#[test]
fn a_change_of_status_keeps_what_only_helm_knows() {
    let (mut record, _) = record(&json!({}));
    record.0["chart"]["templates"] = json!([{ "name": "templates/x.yml", "data": "eA==" }]);
    let changed = record.clone().with_status(Status::Superseded, "Superseded by 4");
    let secret = changed.secret(Stamp::Modified, NOW).unwrap();
    assert_eq!(secret["metadata"]["labels"]["status"], "superseded");
    assert_eq!(secret["metadata"]["labels"]["modifiedAt"], "1764000000");
    let read = Record::from_secret(&secret).unwrap();
    assert_eq!(read.status(), Status::Superseded);
    assert_eq!(read.description(), "Superseded by 4");
    assert_eq!(read.0["chart"], record.0["chart"]);
}

#[test]
fn the_manifest_names_the_template_of_each_object() {
    let (record, _) = record(&values());
    let text = record.text("/manifest");
    let sources: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# Source: nvidia-device-plugin/templates/")).collect();
    assert_eq!(
        sources,
        [
            "service-account.yml",
            "configmap.yml",
            "role.yml",
            "role-binding.yml",
            "daemonset-device-plugin.yml",
            "daemonset-mps-control-daemon.yml"
        ]
    );
    assert!(text.contains("        a: \"yes\"\n"), "{text}");
}

#[test]
fn a_record_that_was_never_packed_is_read_too() {
    let text = json!({ "name": "old", "version": 1, "info": { "status": "deployed" } }).to_string();
    let data = STANDARD.encode(STANDARD.encode(text));
    let read = Record::from_secret(&json!({ "data": { "release": data } })).unwrap();
    assert_eq!((read.name(), read.status(), read.values()), ("old", Status::Deployed, json!({})));
}

#[test]
fn another_secret_is_no_record() {
    let of = |data: Json| Record::from_secret(&json!({ "data": { "release": data } })).unwrap_err().to_string();
    assert_eq!(Record::from_secret(&json!({})).unwrap_err().to_string(), NotARecord::NoData.to_string());
    assert!(of(json!("!")).contains("base64"));
    assert!(of(json!(STANDARD.encode(STANDARD.encode("no json")))).contains("JSON"));
    assert!(of(json!(STANDARD.encode(STANDARD.encode([0x1f, 0x8b, 0x08, 0, 1])))).contains("unpacked"));
}

#[test]
fn the_data_unpack_twice_from_base64_to_gzip() {
    let (record, _) = record(&json!({}));
    let secret = record.secret(Stamp::Created, NOW).unwrap();
    let once = STANDARD.decode(secret["data"]["release"].as_str().unwrap()).unwrap();
    let twice = STANDARD.decode(&once).unwrap();
    assert!(once.is_ascii());
    assert_eq!(&twice[..3], [0x1f, 0x8b, 0x08]);
}

/// Written by helm 4.3.1 and 3.22.0 from a chart of ours with one object, on a real API server.
#[test]
fn a_record_that_helm_wrote_is_read() {
    for text in [include_str!("written_by_helm_4.json"), include_str!("written_by_helm_3.json")] {
        let secret: Json = serde_json::from_str(text).unwrap();
        expect_as_helm_wrote_it(&secret);
    }
}

fn expect_as_helm_wrote_it(secret: &Json) {
    let read = Record::from_secret(secret).unwrap();
    assert_eq!((read.name(), read.namespace(), read.number()), ("by-helm", "gpu", 1));
    assert_eq!((read.chart_name(), read.chart_version()), (CHART_NAME, "0.17.4"));
    assert_eq!((read.status(), read.description()), (Status::Deployed, "Install complete"));
    assert_eq!(read.values(), json!({ "image": { "tag": "1.10" }, "runtimeClassName": "nvidia" }));
    let objects = read.objects().unwrap();
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["metadata"]["annotations"], json!({ "on": "yes" }));
    assert_eq!(read.secret_name(), secret["metadata"]["name"]);
    let again = Record::from_secret(&read.secret(Stamp::Modified, NOW).unwrap()).unwrap();
    assert_eq!(again, read);
}
