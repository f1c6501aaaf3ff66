//! What is secret does not come out: not in a log, not in an error, not in `Debug`.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use talos::ConfigBytes;
use talos::client::{ApplyMode, ConfigId};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::node::TestNode;

/// Writes down everything that any crate logs at any level, until it is told that it is enough. It is the log of the whole
/// process: whether a place logs is decided once for all threads, so that a log of one thread could miss some.
#[derive(Clone, Default)]
struct Everything {
    log: Arc<Mutex<String>>,
    enough: Arc<AtomicBool>,
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Line(&mut self.log.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.log.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if self.enough.load(Ordering::Relaxed) {
            return;
        }
        let mut text = self.log.lock().unwrap();
        write!(text, "\n{}", event.metadata().target()).unwrap();
        event.record(&mut Line(&mut text));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_key_and_no_configuration_is_logged_or_shown() {
    let everything = Everything::default();
    tracing::subscriber::set_global_default(everything.clone()).unwrap();
    let test = TestNode::start();
    let client = test.client();
    let node = client.node("127.0.0.1", None);
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    let changed: ConfigBytes = [active.bytes.expose(), b"\nplanted: c4nary\n"].concat().into();
    let error = node.apply_configuration(&changed, ApplyMode::NoReboot, false).await.unwrap_err();
    let credentials = test.credentials("talosconfig");
    let shown = format!("{client:?} {node:?} {active:?} {error:?} {error} {} {credentials:?}", error.kind());
    everything.enough.store(true, Ordering::Relaxed);
    let logged = everything.log.lock().unwrap().clone();
    for expected in ["talos call", "call=\"Get\"", "code=\"OK\"", "code=\"Invalid\"", "milliseconds="] {
        assert!(logged.contains(expected), "{expected}: {logged}");
    }
    let key = secrecy::ExposeSecret::expose_secret(&credentials.client_key);
    let pem = String::from_utf8(STANDARD.decode(key).unwrap()).unwrap();
    let body = pem.lines().nth(1).unwrap();
    let config = String::from_utf8(active.bytes.expose().to_vec()).unwrap();
    let token = config.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap();
    let token = token.split_whitespace().next().unwrap();
    for secret in [key, body, token, "c4nary"] {
        assert!(!logged.contains(secret), "logged: {secret}");
        assert!(!shown.contains(secret), "shown: {secret}");
    }
}
