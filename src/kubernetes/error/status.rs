//! What the API server's answers mean. A refusal is a `Status` object with a reason; the reasons are coarse, so that some
//! cases can only be told by the text. This is the one place that knows those texts.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use super::{Call, Cause, Error, ErrorKind, FieldConflict, Place};

/// How RBAC refuses a role or a binding that gives more than its maker has.
const GRANTS: &str = "is attempting to grant RBAC permissions not currently held";

/// The longest part of the server's own words that a message quotes.
const QUOTED: usize = 1000;

/// Why the server answered with this status.
pub(crate) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], place: Place) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let answer = Answer { code: status.as_u16(), json: &json, place: &place };
    let kind = if json.get("kind").and_then(Value::as_str) == Some("Status") {
        answer.kind(retry_after(headers))
    } else {
        answer.kind_without_status(retry_after(headers), body)
    };
    Error::new(place, kind)
}

/// The number of seconds; dates are not sent by API servers.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

struct Answer<'a> {
    code: u16,
    json: &'a Value,
    place: &'a Place,
}

impl Answer<'_> {
    fn kind(&self, header: Option<Duration>) -> ErrorKind {
        let asked = self.json.pointer("/details/retryAfterSeconds").and_then(Value::as_u64).filter(|s| *s > 0);
        let retry_after = header.or_else(|| asked.map(Duration::from_secs));
        if let Some(by) = webhook(self.message()) {
            return ErrorKind::Admission { by: Some(format!("webhook {by}")), said: self.said() };
        }
        match self.reason() {
            "Unauthorized" => ErrorKind::Unauthorized,
            "Forbidden" => self.forbidden(),
            "NotFound" => self.not_found(),
            "AlreadyExists" => ErrorKind::AlreadyExists,
            "Conflict" => self.conflict(),
            // An apply for one object that met another one of its name.
            "Invalid" if self.each_cause().any(|cause| text(cause, "field") == "metadata.uid") => {
                ErrorKind::Changed(self.said())
            }
            "Invalid" | "BadRequest" => ErrorKind::Invalid(self.causes()),
            "Gone" | "Expired" => ErrorKind::Expired,
            "TooManyRequests" => ErrorKind::Busy { retry_after },
            "InternalError" | "ServerTimeout" | "Timeout" | "ServiceUnavailable" => {
                ErrorKind::Server { code: self.code, said: self.said() }
            }
            _ => self.by_code(retry_after),
        }
    }

    /// An answer of something in front of the API server, or of something else altogether.
    fn kind_without_status(&self, retry_after: Option<Duration>, body: &[u8]) -> ErrorKind {
        match self.code {
            401 => ErrorKind::Unauthorized,
            // So an API server answers for a group that it does not have.
            404 if body.starts_with(b"404 page not found") => ErrorKind::NoSuchKind(self.place.resource.clone()),
            429 | 500.. => self.by_code(retry_after),
            // An API server that is asked over plain HTTP says so.
            code => ErrorKind::NotKubernetes(format!("it answers with HTTP {code} and no Status")),
        }
    }

    fn by_code(&self, retry_after: Option<Duration>) -> ErrorKind {
        match self.code {
            429 => ErrorKind::Busy { retry_after },
            500.. => ErrorKind::Server { code: self.code, said: self.said() },
            code => ErrorKind::Other { code, reason: self.reason().to_owned(), said: self.said() },
        }
    }

    fn reason(&self) -> &str {
        self.json.get("reason").and_then(Value::as_str).unwrap_or_default()
    }

    fn message(&self) -> &str {
        self.json.get("message").and_then(Value::as_str).unwrap_or_default()
    }

    fn said(&self) -> String {
        if !self.place.quotes {
            return format!("{} (its words are not shown, since they quote a Secret)", self.reason());
        }
        match self.message() {
            "" => "it says no more".to_owned(),
            message => message.chars().take(QUOTED).collect(),
        }
    }

    /// RBAC's refusals say who may not do what; those of admission plugins have the same reason and say something else.
    fn forbidden(&self) -> ErrorKind {
        let message = self.message();
        if let Some((before, rights)) = message.split_once(GRANTS) {
            let user = before.split_once("user \"").and_then(|(_, rest)| rest.split('"').next());
            let said =
                rights.trim_matches([':', '\n', ' ']).chars().take(QUOTED).collect::<String>().replace('\n', ", ");
            return ErrorKind::Escalation { user: user.map(ToOwned::to_owned), said };
        }
        // For the right to create, which an apply needs for an object that is not there, older servers (seen with 1.30) refuse
        // without a word.
        if message.trim_end().ends_with(" is forbidden:") && self.place.call == Call::Apply {
            return ErrorKind::Forbidden {
                user: None,
                verb: Call::Create.verb().to_owned(),
                resource: self.place.resource.clone(),
                namespace: self.place.namespace.clone(),
            };
        }
        let anonymous = message.starts_with("forbidden: ") || message.contains(" is forbidden: User \"");
        if !anonymous && !message.contains(" cannot ") {
            return ErrorKind::Admission { by: admission(message), said: self.said() };
        }
        let after = |mark: &str| message.split_once(mark).and_then(|(_, rest)| rest.split('"').next());
        let verb = message.split_once(" cannot ").and_then(|(_, rest)| rest.split(' ').next());
        let resource = after("resource \"").map(|resource| match after("API group \"").unwrap_or_default() {
            "" => resource.to_owned(),
            group => format!("{resource}.{group}"),
        });
        ErrorKind::Forbidden {
            user: after("User \"").map(ToOwned::to_owned),
            verb: verb.unwrap_or(self.place.call.verb()).to_owned(),
            resource: resource.unwrap_or_else(|| self.place.resource.clone()),
            namespace: match after("in the namespace \"") {
                Some(namespace) => Some(namespace.to_owned()),
                None if message.contains("at the cluster scope") => None,
                None => self.place.namespace.clone(),
            },
        }
    }

    /// Only an answer that names the object is about the object; another one says that there is no such path.
    fn not_found(&self) -> ErrorKind {
        match self.json.pointer("/details/name").and_then(Value::as_str) {
            Some(name) if !name.is_empty() => ErrorKind::NotFound,
            _ => ErrorKind::NoSuchKind(self.place.resource.clone()),
        }
    }

    fn conflict(&self) -> ErrorKind {
        let conflicts: Vec<FieldConflict> = self
            .each_cause()
            .filter(|cause| cause.get("reason").and_then(Value::as_str) == Some("FieldManagerConflict"))
            .map(|cause| FieldConflict {
                // `conflict with "kubectl-edit" using node.k8s.io/v1`
                manager: text(cause, "message").split('"').nth(1).unwrap_or("unknown").to_owned(),
                field: text(cause, "field").to_owned(),
            })
            .collect();
        if conflicts.is_empty() { ErrorKind::Changed(self.said()) } else { ErrorKind::Conflict(conflicts) }
    }

    fn causes(&self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self
            .each_cause()
            .map(|cause| Cause {
                field: text(cause, "field").to_owned(),
                message: if self.place.quotes { text(cause, "message").to_owned() } else { "not accepted".to_owned() },
            })
            .collect();
        // The server repeats itself where a rule is checked twice.
        causes.dedup();
        if causes.is_empty() {
            causes.push(Cause { field: String::new(), message: self.said() });
        }
        causes
    }

    fn each_cause(&self) -> impl Iterator<Item = &Value> {
        self.json.pointer("/details/causes").and_then(Value::as_array).into_iter().flatten()
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The name in `admission webhook "NAME" denied the request: …`, which comes with whatever status the webhook chose.
fn webhook(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("admission webhook \"")?;
    let (name, rest) = rest.split_once('"')?;
    rest.contains("denied the request").then_some(name)
}

/// Which of the server's own admission plugins speaks so.
fn admission(message: &str) -> Option<String> {
    [
        ("violates PodSecurity", "pod security"),
        ("exceeded quota", "resource quota"),
        ("failed quota", "resource quota"),
        ("being terminated", "a namespace that is going"),
        ("ValidatingAdmissionPolicy", "a validating admission policy"),
    ]
    .iter()
    .find(|(mark, _)| message.contains(mark))
    .map(|(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place() -> Place {
        Place {
            server: "https://cluster".into(),
            call: Call::Apply,
            subject: "RuntimeClass nvidia".into(),
            resource: "runtimeclasses.node.k8s.io".into(),
            namespace: None,
            quotes: true,
            proxy: None,
        }
    }

    fn kind(code: u16, body: &Value) -> ErrorKind {
        let status = StatusCode::from_u16(code).unwrap();
        of_answer(status, &HeaderMap::new(), body.to_string().as_bytes(), place()).kind().clone()
    }

    fn status(reason: &str, message: &str, details: Value) -> Value {
        json!({"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details})
    }

    #[test]
    fn a_missing_right_is_said_with_user_verb_and_resource() {
        let message = "runtimeclasses.node.k8s.io \"nvidia\" is forbidden: User \"jane\" cannot create resource \"runtimeclasses\" in API group \"node.k8s.io\" at the cluster scope";
        let forbidden = |verb: &str, resource: &str, namespace: Option<&str>| ErrorKind::Forbidden {
            user: Some("jane".into()),
            verb: verb.into(),
            resource: resource.into(),
            namespace: namespace.map(Into::into),
        };
        assert_eq!(
            kind(403, &status("Forbidden", message, json!({}))),
            forbidden("create", "runtimeclasses.node.k8s.io", None)
        );
        let wordless = "runtimeclasses.node.k8s.io \"nvidia\" is forbidden: ";
        let ErrorKind::Forbidden { verb, resource, .. } = kind(403, &status("Forbidden", wordless, json!({}))) else {
            panic!()
        };
        assert_eq!((verb.as_str(), resource.as_str()), ("create", "runtimeclasses.node.k8s.io"));
        let message =
            "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"gpu\"";
        assert_eq!(kind(403, &status("Forbidden", message, json!({}))), forbidden("list", "pods", Some("gpu")));
    }

    #[test]
    fn rights_that_nobody_may_grant_are_named() {
        let message = "clusterroles.rbac.authorization.k8s.io \"a\" is forbidden: user \"jane\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}";
        let ErrorKind::Escalation { user, said } = kind(403, &status("Forbidden", message, json!({}))) else {
            panic!()
        };
        assert_eq!(user.as_deref(), Some("jane"));
        assert!(said.starts_with("{APIGroups") && said.contains("}, {") && said.ends_with('}'), "{said}");
    }

    #[test]
    fn admission_is_told_apart_from_rights() {
        let message = "pods \"a\" is forbidden: violates PodSecurity \"baseline:latest\": privileged";
        assert!(matches!(
            kind(403, &status("Forbidden", message, json!({}))),
            ErrorKind::Admission { by: Some(by), .. } if by == "pod security"
        ));
        let message = "admission webhook \"policy.example\" denied the request: no";
        assert!(matches!(
            kind(400, &status("BadRequest", message, json!({}))),
            ErrorKind::Admission { by: Some(by), .. } if by == "webhook policy.example"
        ));
    }

    #[test]
    fn only_an_answer_that_names_the_object_says_that_it_is_not_there() {
        assert_eq!(kind(404, &status("NotFound", "", json!({"name": "nvidia"}))), ErrorKind::NotFound);
        assert!(matches!(kind(404, &status("NotFound", "no such path", json!({}))), ErrorKind::NoSuchKind(_)));
        assert!(matches!(kind(404, &json!("<html>")), ErrorKind::NotKubernetes(_)));
        let absent = of_answer(StatusCode::NOT_FOUND, &HeaderMap::new(), b"404 page not found\n", place());
        assert!(matches!(absent.kind(), ErrorKind::NoSuchKind(_)));
    }

    #[test]
    fn conflicts_name_the_manager_and_the_field() {
        let cause = json!({"reason": "FieldManagerConflict", "field": ".metadata.labels.a",
            "message": "conflict with \"kubectl-edit\" using node.k8s.io/v1"});
        assert_eq!(
            kind(409, &status("Conflict", "Apply failed", json!({"causes": [cause]}))),
            ErrorKind::Conflict(vec![FieldConflict {
                manager: "kubectl-edit".into(),
                field: ".metadata.labels.a".into()
            }])
        );
        let immutable = json!({"causes": [{"field": "metadata.uid", "message": "field is immutable"}]});
        assert!(matches!(kind(422, &status("Invalid", "", immutable)), ErrorKind::Changed(_)));
        assert!(matches!(kind(409, &status("Conflict", "Precondition failed", json!({}))), ErrorKind::Changed(_)));
    }

    #[test]
    fn what_heals_is_told_by_type() {
        let heals = |code, body: Value| {
            let status = StatusCode::from_u16(code).unwrap();
            of_answer(status, &HeaderMap::new(), body.to_string().as_bytes(), place()).retriable()
        };
        assert!(heals(500, status("InternalError", "etcdserver: leader changed", json!({}))));
        assert!(heals(503, json!("upstream connect error")));
        assert!(heals(429, json!("")));
        assert!(heals(504, status("Timeout", "", json!({}))));
        for (code, reason) in
            [(401, "Unauthorized"), (403, "Forbidden"), (404, "NotFound"), (409, "Conflict"), (422, "Invalid")]
        {
            assert!(!heals(code, status(reason, "", json!({"name": "a"}))), "{reason}");
        }
    }

    #[test]
    fn the_time_to_wait_is_taken_from_the_header_or_the_status() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        let busy = |headers: &HeaderMap, body: Value| {
            of_answer(StatusCode::TOO_MANY_REQUESTS, headers, body.to_string().as_bytes(), place()).kind().clone()
        };
        let after = |seconds| ErrorKind::Busy { retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(busy(&headers, json!("")), after(7));
        let body = status("TooManyRequests", "", json!({"retryAfterSeconds": 3}));
        assert_eq!(busy(&HeaderMap::new(), body), after(3));
    }

    #[test]
    fn a_secret_is_never_quoted() {
        let cause = json!({"field": "data.a", "message": "Invalid value: \"s3cret\""});
        let body = status("Invalid", "Secret is invalid: s3cret", json!({"causes": [cause]}));
        let place = Place { quotes: false, ..place() };
        let error = of_answer(StatusCode::UNPROCESSABLE_ENTITY, &HeaderMap::new(), body.to_string().as_bytes(), place);
        assert_eq!(error.kind().to_string(), "the server refuses it: data.a: not accepted");
    }
}
