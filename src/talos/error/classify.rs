//! What the statuses of Talos's API mean. The codes are coarse, so that some cases can only be told by the text; the texts
//! are Talos's own, measured (`talos-api.md`, A.3, C.3, K.2), and this is the one place that knows them.

use tonic::{Code, Status};

use super::{ErrorKind, Role, Unreachable, without_values};

/// The largest answer and request of Talos's API.
const MESSAGE_LIMIT: usize = 32 << 20;

/// What a status means to a call that needs a role, made with a certificate that holds these.
pub(crate) fn classify(status: &Status, needed: Role, held: &[String]) -> ErrorKind {
    let text = status.message();
    let said = || without_values(text);
    match status.code() {
        Code::Unavailable => ErrorKind::Unreachable(Unreachable::Unavailable(said())),
        // The node gave up the call because its deadline, which it was told, had passed.
        Code::DeadlineExceeded => ErrorKind::DeadlineExceeded,
        Code::FailedPrecondition if text.contains("already in progress") => ErrorKind::Busy,
        Code::FailedPrecondition if text.contains("node is rebooting") => ErrorKind::Rebooting,
        // Talos without the lock on applies: the loser of two at once meets the state's own conflict.
        Code::Unknown if text.contains("update conflict") => ErrorKind::UpdateConflict,
        Code::PermissionDenied if text.contains("no request forwarding") => ErrorKind::NoForwarding,
        Code::PermissionDenied if text.contains("is not supported") => ErrorKind::Unsupported(said()),
        Code::PermissionDenied | Code::Unauthenticated => ErrorKind::Permission { needed, held: held.to_vec() },
        Code::Unimplemented => ErrorKind::Unsupported(said()),
        Code::Internal if text.contains("invalid target") => ErrorKind::InvalidTarget(quoted(text)),
        Code::InvalidArgument if text.contains("can't be applied in immediate mode") => ErrorKind::NeedsReboot,
        Code::InvalidArgument => ErrorKind::Invalid(said()),
        Code::NotFound => ErrorKind::NotFound(said()),
        Code::ResourceExhausted => ErrorKind::TooLarge { what: "the request or its answer", limit: MESSAGE_LIMIT },
        // tonic's own limit on what it decodes.
        Code::OutOfRange if text.contains("message length too large") => {
            ErrorKind::TooLarge { what: "the answer", limit: MESSAGE_LIMIT }
        }
        other => ErrorKind::Other { code: name(other), message: said() },
    }
}

/// What stands between the first two double quotes, or the whole text.
fn quoted(text: &str) -> String {
    text.split('"').nth(1).unwrap_or(text).to_owned()
}

/// A short name of what happened, for the log.
pub(crate) const fn code_name(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unreachable(_) => "Unreachable",
        ErrorKind::DeadlineExceeded => "DeadlineExceeded",
        ErrorKind::Busy => "Busy",
        ErrorKind::UpdateConflict => "UpdateConflict",
        ErrorKind::Rebooting => "Rebooting",
        ErrorKind::Certificate(_) => "Certificate",
        ErrorKind::Permission { .. } => "Permission",
        ErrorKind::Unsupported(_) => "Unsupported",
        ErrorKind::NoForwarding => "NoForwarding",
        ErrorKind::InvalidTarget(_) => "InvalidTarget",
        ErrorKind::NeedsReboot => "NeedsReboot",
        ErrorKind::Invalid(_) => "Invalid",
        ErrorKind::NotFound(_) => "NotFound",
        ErrorKind::TooLarge { .. } => "TooLarge",
        ErrorKind::NotTalos(_) => "NotTalos",
        ErrorKind::Malformed(_) => "Malformed",
        ErrorKind::Other { code, .. } => code,
    }
}

const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "Ok",
        Code::Cancelled => "Cancelled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}
