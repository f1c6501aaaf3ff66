use std::error::Error as _;

use tonic::{Code, Status};

use super::classify::classify;
use super::*;

fn place() -> Place {
    Place {
        node: "10.0.0.5".to_owned(),
        endpoint: Some("cp.example".parse().unwrap()),
        call: "Get",
        subject: "MachineConfigs.config.talos.dev v1alpha1".to_owned(),
    }
}

fn kind_of(code: Code, message: &str) -> ErrorKind {
    classify(&Status::new(code, message), Role::Admin, &["os:reader".to_owned()])
}

fn owned(text: &str) -> String {
    text.to_owned()
}

/// The texts are those of `talos-api.md`, K.2.
#[test]
fn talos_answers_are_told_apart() {
    let permission = ErrorKind::Permission { needed: Role::Admin, held: vec![owned("os:reader")] };
    for (code, message, kind) in [
        (Code::FailedPrecondition, "another apply configuration is already in progress", ErrorKind::Busy),
        (
            Code::FailedPrecondition,
            "configuration was already applied and node is rebooting, cannot apply more configuration changes until next reboot",
            ErrorKind::Rebooting,
        ),
        (
            Code::FailedPrecondition,
            "method is not supported in container mode",
            ErrorKind::Other {
                code: "FailedPrecondition",
                message: owned("method is not supported in container mode"),
            },
        ),
        (
            Code::Unknown,
            "resource MachineConfigs.config.talos.dev(config/v1alpha1@3) update conflict: expected version \"2\", actual version \"3\"",
            ErrorKind::UpdateConflict,
        ),
        (
            Code::InvalidArgument,
            "this config change can't be applied in immediate mode\ndiff:\n--- a\n+++ b\n@@ -1 +1 @@\n- token: s3cret",
            ErrorKind::NeedsReboot,
        ),
        (
            Code::InvalidArgument,
            "duplicate document v1alpha1/SysctlConfig/ is not allowed (line 204)",
            ErrorKind::Invalid(owned("duplicate document v1alpha1/SysctlConfig/ is not allowed (line 204)")),
        ),
        (
            Code::InvalidArgument,
            "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\nmachine:\n    kernel:\n        modulez: []\n",
            ErrorKind::Invalid(owned(
                "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\nmachine:\n    kernel:\n        modulez:",
            )),
        ),
        (
            Code::Unimplemented,
            "unknown service cosi.resource.State",
            ErrorKind::Unsupported(owned("unknown service cosi.resource.State")),
        ),
        (
            Code::PermissionDenied,
            "resource type \"KernelModuleStatuses.runtime.talos.dev\" is not supported",
            ErrorKind::Unsupported(owned("resource type \"KernelModuleStatuses.runtime.talos.dev\" is not supported")),
        ),
        (Code::PermissionDenied, "not authorized", permission.clone()),
        (Code::Unauthenticated, "who are you", permission),
        (Code::PermissionDenied, "no request forwarding", ErrorKind::NoForwarding),
        (Code::Internal, "invalid target \"127.0.0.1:50113\"", ErrorKind::InvalidTarget(owned("127.0.0.1:50113"))),
        (
            Code::NotFound,
            "resource MachineConfigs.config.talos.dev(config/persistent@undefined) doesn't exist",
            ErrorKind::NotFound(owned(
                "resource MachineConfigs.config.talos.dev(config/persistent@undefined) doesn't exist",
            )),
        ),
        (
            Code::Unavailable,
            "connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.9:50113: connect: connection refused\"",
            ErrorKind::Unreachable(Unreachable::Unavailable(owned(
                "connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.9:50113: connect: connection refused\"",
            ))),
        ),
        (Code::DeadlineExceeded, "context deadline exceeded", ErrorKind::DeadlineExceeded),
        (
            Code::ResourceExhausted,
            "grpc: received message larger than max",
            ErrorKind::TooLarge { what: "the request or its answer", limit: 32 << 20 },
        ),
        (
            Code::OutOfRange,
            "Error, decoded message length too large: found 40000000 bytes, the limit is: 33554432 bytes",
            ErrorKind::TooLarge { what: "the answer", limit: 32 << 20 },
        ),
        (
            Code::Unknown,
            "path must be a regular file",
            ErrorKind::Other { code: "Unknown", message: owned("path must be a regular file") },
        ),
    ] {
        assert_eq!(kind_of(code, message), kind, "{code:?} {message}");
    }
}

#[test]
fn an_error_says_where_and_its_source_says_why() {
    let error = Error::new(place(), ErrorKind::Busy);
    assert_eq!(
        error.to_string(),
        "Get MachineConfigs.config.talos.dev v1alpha1 of node 10.0.0.5 through endpoint cp.example:50000 failed"
    );
    assert_eq!(
        error.source().unwrap().to_string(),
        "another configuration is being applied to the node at this moment"
    );
    assert!(error.source().unwrap().source().is_none());
    assert_eq!((error.node(), error.call()), ("10.0.0.5", "Get"));
}

#[test]
fn what_a_retry_heals_and_what_is_a_failure_to_reach() {
    let expired = CertificateProblem::Expired { since: std::time::UNIX_EPOCH };
    let permission = ErrorKind::Permission { needed: Role::Admin, held: Vec::new() };
    for (kind, heals, unreachable) in [
        (ErrorKind::Unreachable(Unreachable::Lost(owned("reset"))), true, true),
        (ErrorKind::Unreachable(Unreachable::NotResolved(owned("no such host"))), true, true),
        (ErrorKind::Unreachable(Unreachable::NoAnswer(Duration::from_secs(5))), true, true),
        (ErrorKind::DeadlineExceeded, true, true),
        (ErrorKind::Busy, true, false),
        (ErrorKind::UpdateConflict, true, false),
        (ErrorKind::Rebooting, true, false),
        (ErrorKind::Certificate(CertificateProblem::MaintenanceMode), false, false),
        (ErrorKind::Certificate(expired), false, false),
        (permission, false, false),
        (ErrorKind::NoForwarding, false, false),
        (ErrorKind::NeedsReboot, false, false),
        (ErrorKind::Invalid(owned("x")), false, false),
        (ErrorKind::NotTalos(owned("x")), false, false),
        (ErrorKind::TooLarge { what: "the answer", limit: 1 }, false, false),
        (ErrorKind::Other { code: "Internal", message: owned("x") }, false, false),
    ] {
        let error = Error::new(place(), kind);
        assert_eq!((error.heals(), error.is_unreachable()), (heals, unreachable), "{:?}", error.kind());
        assert!(!error.next_step().is_empty() && !error.kind().to_string().is_empty());
        // Not everything that calls has one that a user can set.
        assert!(!error.next_step().contains("timeout"), "{}", error.next_step());
    }
}

#[test]
fn a_write_may_have_been_carried_out_only_after_it_was_sent_and_not_answered() {
    let lost = || ErrorKind::Unreachable(Unreachable::Lost(owned("reset")));
    assert!(!Error::new(place(), lost()).may_have_been_carried_out());
    assert!(Error::new(place(), lost()).after_sending().may_have_been_carried_out());
    assert!(!Error::new(place(), ErrorKind::Busy).after_sending().may_have_been_carried_out());
}

#[test]
fn the_endpoints_that_failed_before_are_named_with_their_reasons() {
    let at = |endpoint: &str| Place { endpoint: Some(endpoint.parse().unwrap()), subject: String::new(), ..place() };
    let silent =
        |endpoint| Error::new(at(endpoint), ErrorKind::Unreachable(Unreachable::NoAnswer(Duration::from_millis(2500))));
    let error = silent("c").after_trying(vec![silent("a"), silent("b")]);
    assert_eq!(
        error.to_string(),
        "Get of node 10.0.0.5 through endpoint c:50000 failed (as did a:50000: no connection within 2.5 s; b:50000: no connection within 2.5 s)"
    );
    let tried: Vec<_> = error.also_tried().map(|(endpoint, why)| format!("{endpoint}: {why}")).collect();
    assert_eq!(tried, ["a:50000: no connection within 2.5 s", "b:50000: no connection within 2.5 s"]);
}

#[test]
fn roles_are_ordered_by_what_they_may_do() {
    assert!(Role::Reader < Role::Operator && Role::Operator < Role::Admin);
    assert_eq!(Role::Operator.to_string(), "os:operator");
}
