//! What a live object shows of the fields that the release owns.
//!
//! The answer is the owned object wherever the cluster agrees by meaning, and the cluster's value where it does not, so
//! that a plan shows the drifted field and no default of the API server's.

use serde_json::{Map, Value as Json};

/// The owned fields of `live`. What is gone from it is missing in the answer.
pub(super) fn observed(owned: &Json, live: &Json) -> Json {
    field("", owned, Some(live)).unwrap_or(Json::Null)
}

fn field(name: &str, owned: &Json, live: Option<&Json>) -> Option<Json> {
    match (owned, live) {
        // The API server leaves out what is empty.
        (owned, None | Some(Json::Null)) => is_nothing(owned).then(|| owned.clone()),
        (Json::Object(owned), Some(Json::Object(live))) => Some(Json::Object(map(name, owned, live))),
        (Json::Array(owned), Some(Json::Array(live))) => Some(Json::Array(list(name, owned, live))),
        (owned, Some(live)) if is_same(name, owned, live) => Some(owned.clone()),
        (_, Some(live)) => Some(live.clone()),
    }
}

fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

fn map(name: &str, owned: &Map<String, Json>, live: &Map<String, Json>) -> Map<String, Json> {
    owned
        .iter()
        .filter_map(|(key, value)| {
            // Under these the keys are resources, and the values quantities.
            let below = if matches!(name, "limits" | "requests") { name } else { key };
            Some((key.clone(), field(below, value, live.get(key))?))
        })
        .collect()
}

/// The field by which the API server tells the items of a list apart; the other lists are one value.
fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        _ => None,
    }
}

fn list(name: &str, owned: &[Json], live: &[Json]) -> Vec<Json> {
    match merge_key(name) {
        Some(key) => owned
            .iter()
            .filter_map(|item| {
                let same = live.iter().find(|other| other.get(key) == item.get(key))?;
                field("", item, Some(same))
            })
            .collect(),
        None if owned.len() == live.len() => {
            owned.iter().zip(live).filter_map(|(owned, live)| field("", owned, Some(live))).collect()
        }
        None => live.to_vec(),
    }
}

fn is_same(name: &str, owned: &Json, live: &Json) -> bool {
    match (owned.as_str(), live.as_str()) {
        (Some(owned), Some(live)) if matches!(name, "limits" | "requests") => {
            owned == live || quantity(owned).is_some_and(|owned| Some(owned) == quantity(live))
        }
        _ => owned == live,
    }
}

/// A Kubernetes quantity in billionths, which is the finest that there is.
fn quantity(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let digits: i128 = format!("{}{fraction:0<9}", if whole.is_empty() { "0" } else { whole }).parse().ok()?;
    let power = |base: i128, exponent: u32| base.checked_pow(exponent);
    let (factor, divisor) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (power(1_000, 1)?, 1),
        "M" => (power(1_000, 2)?, 1),
        "G" => (power(1_000, 3)?, 1),
        "T" => (power(1_000, 4)?, 1),
        "P" => (power(1_000, 5)?, 1),
        "E" => (power(1_000, 6)?, 1),
        "Ki" => (power(1_024, 1)?, 1),
        "Mi" => (power(1_024, 2)?, 1),
        "Gi" => (power(1_024, 3)?, 1),
        "Ti" => (power(1_024, 4)?, 1),
        "Pi" => (power(1_024, 5)?, 1),
        "Ei" => (power(1_024, 6)?, 1),
        exponent => (power(10, exponent.strip_prefix(['e', 'E'])?.parse().ok()?)?, 1),
    };
    Some(digits.checked_mul(factor)? / divisor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_of_the_server_and_fields_of_others_are_not_seen() {
        let owned = json!({
            "metadata": { "name": "a", "labels": { "app": "x" } },
            "spec": { "containers": [{ "name": "c", "env": [{ "name": "E", "value": "" }], "image": "i" }], "securityContext": {} },
        });
        let live = json!({
            "metadata": { "name": "a", "labels": { "app": "x", "other": "y" }, "uid": "u", "generation": 3 },
            "spec": {
                "containers": [
                    { "name": "injected" },
                    { "name": "c", "env": [{ "name": "THEIRS", "value": "1" }, { "name": "E" }], "image": "i", "terminationMessagePath": "/x" },
                ],
                "dnsPolicy": "ClusterFirst",
            },
            "status": { "x": 1 },
        });
        assert_eq!(observed(&owned, &live), owned);
    }

    #[test]
    fn a_drifted_field_shows_the_clusters_value() {
        let owned = json!({ "spec": { "containers": [{ "name": "c", "image": "i:1", "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }] }], "tolerations": [{ "key": "a" }] } });
        let live = json!({ "spec": { "containers": [{ "name": "c", "image": "i:2", "env": [{ "name": "B", "value": "3" }] }], "tolerations": [{ "key": "a" }, { "key": "b" }] } });
        assert_eq!(
            observed(&owned, &live),
            json!({ "spec": { "containers": [{ "name": "c", "image": "i:2", "env": [{ "name": "B", "value": "3" }] }], "tolerations": [{ "key": "a" }, { "key": "b" }] } })
        );
    }

    #[test]
    fn a_field_that_was_taken_away_is_missing() {
        let owned = json!({ "spec": { "hostPID": true, "affinity": { "nodeAffinity": { "x": 1 } } } });
        assert_eq!(observed(&owned, &json!({ "spec": {} })), json!({ "spec": {} }));
    }

    #[test]
    fn quantities_are_compared_by_meaning() {
        let limits = |text: &str| json!({ "resources": { "limits": { "cpu": text } } });
        for (ours, theirs) in [("0.1", "100m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1e3", "1k"), ("1.5Gi", "1536Mi")] {
            assert_eq!(observed(&limits(ours), &limits(theirs)), limits(ours), "{ours} {theirs}");
        }
        assert_eq!(observed(&limits("1"), &limits("2")), limits("2"));
        assert_eq!(observed(&limits("1Gi"), &limits("1G")), limits("1G"));
    }
}
