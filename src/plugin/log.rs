//! Logs, as Terraform reads them from stderr: one JSON object a line, in the form of hclog.
//!
//! Only events of the rooms are written. What h2, hyper or rustls would trace may hold a payload.

use std::{fmt, io::Write, time::SystemTime};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::set_global_default,
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry::{LookupSpan, Registry},
};

/// Text beyond this is cut: Terraform splits a line of 64 KiB and then reads neither half.
const LONGEST: usize = 8 * 1024;

/// Starts writing when the user asked for it. Otherwise nothing is set up, and no event is ever formatted.
pub(crate) fn start(provider: &str, rooms: &'static [&'static str]) {
    let level = level(provider, |name| std::env::var(name).ok());
    if level != LevelFilter::OFF {
        let layer = Hclog { level, rooms, write: |line: &[u8]| drop(std::io::stderr().lock().write_all(line)) };
        // Fails only when someone else was first, and then that one writes.
        drop(set_global_default(Registry::default().with(layer)));
    }
}

/// The level that the user asked for: of this provider, of all providers, of everything.
fn level(provider: &str, get: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let own = format!("TF_LOG_PROVIDER_{}", provider.to_uppercase().replace('-', "_"));
    let given =
        [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"].into_iter().find_map(|name| get(name).filter(|v| !v.is_empty()));
    match given.map(|value| value.to_uppercase()).as_deref() {
        None | Some("OFF") => LevelFilter::OFF,
        Some("ERROR") => LevelFilter::ERROR,
        Some("WARN") => LevelFilter::WARN,
        Some("INFO") => LevelFilter::INFO,
        Some("DEBUG") => LevelFilter::DEBUG,
        // TRACE, JSON, and, as in Terraform, whatever else.
        Some(_) => LevelFilter::TRACE,
    }
}

struct Hclog<W> {
    level: LevelFilter,
    rooms: &'static [&'static str],
    write: W,
}

/// The fields of a span, which each event inside of it repeats: calls run side by side, and the lines are mixed.
struct SpanFields(Map<String, Value>);

impl<S, W> Layer<S> for Hclog<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.level && self.is_of_a_room(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(known)) = span.extensions_mut().get_mut()
        {
            let mut fields = Fields::default();
            values.record(&mut fields);
            known.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.extend(fields.clone());
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        // Terraform takes a message that is no string for a reason to panic.
        let message = match fields.0.remove("message") {
            Some(Value::String(text)) => text,
            other => other.map(|value| value.to_string()).unwrap_or_default(),
        };
        line.extend(fields.0);
        let metadata = event.metadata();
        line.insert("@level".to_owned(), name(*metadata.level()).into());
        line.insert("@message".to_owned(), message.into());
        line.insert("@module".to_owned(), metadata.target().replace("::", ".").into());
        line.insert("@timestamp".to_owned(), timestamp(SystemTime::now()).into());
        let mut line = Value::Object(line).to_string();
        line.push('\n');
        (self.write)(line.as_bytes());
    }
}

impl<W> Hclog<W> {
    fn is_of_a_room(&self, target: &str) -> bool {
        let room = target.split("::").next().unwrap_or_default();
        room == env!("CARGO_PKG_NAME") || self.rooms.contains(&room)
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, field: &Field, mut text: String) {
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            text.truncate(end);
            text.push('…');
        }
        self.0.insert(field.name().to_owned(), text.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let chain = std::iter::successors(Some(value), |error| error.source());
        self.text(field, chain.map(ToString::to_string).collect::<Vec<_>>().join(": "));
    }
}

/// The moment in UTC with exactly six digits after the point: with any other count Terraform does not read the line.
fn timestamp(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", since.subsec_micros())
}

/// The date of a day, counted from the start of 1970, by the calendar's cycle of 400 years. Years start in March here,
/// so that the leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use super::*;

    #[test]
    fn moments_are_written_as_terraform_reads_them() {
        for (seconds, microseconds, expected) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, 7, "2000-02-29T00:00:00.000007Z"),
            (1_709_251_199, 999_999, "2024-02-29T23:59:59.999999Z"),
            (1_772_323_200, 120_000, "2026-03-01T00:00:00.120000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000Z"),
        ] {
            let moment = SystemTime::UNIX_EPOCH + Duration::new(seconds, microseconds * 1_000);
            assert_eq!(timestamp(moment), expected);
        }
    }

    #[test]
    fn the_nearest_variable_sets_the_level() {
        let given = |set: &'static [(&str, &str)]| {
            level("my-cloud", move |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(given(&[]), LevelFilter::OFF);
        assert_eq!(given(&[("TF_LOG", "")]), LevelFilter::OFF);
        assert_eq!(given(&[("TF_LOG", "warn")]), LevelFilter::WARN);
        assert_eq!(given(&[("TF_LOG", "what")]), LevelFilter::TRACE);
        assert_eq!(given(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "ERROR")]), LevelFilter::ERROR);
        assert_eq!(given(&[("TF_LOG_PROVIDER_MY_CLOUD", "OFF"), ("TF_LOG_PROVIDER", "ERROR")]), LevelFilter::OFF);
    }

    fn written(work: impl FnOnce()) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let write = move |line: &[u8]| sink.lock().unwrap().push(serde_json::from_slice(line).unwrap());
        let layer = Hclog { level: LevelFilter::DEBUG, rooms: &["room"], write };
        tracing::subscriber::with_default(Registry::default().with(layer), work);
        lines.lock().unwrap().clone()
    }

    #[test]
    fn an_event_carries_the_fields_of_its_spans() {
        let lines = written(|| {
            let _outer = tracing::info_span!(target: "room::a", "rpc", tf_rpc = "Read").entered();
            tracing::warn!(target: "room::b", node = "n1", attempt = 2, "busy");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (&lines[0]["tf_rpc"], &lines[0]["node"], &lines[0]["attempt"]),
            (&"Read".into(), &"n1".into(), &2.into())
        );
        assert_eq!((&lines[0]["@message"], &lines[0]["@level"]), (&"busy".into(), &"warn".into()));
        assert_eq!(lines[0]["@module"], "room.b");
    }

    #[test]
    fn what_is_too_detailed_or_of_another_crate_is_not_written() {
        let lines = written(|| {
            tracing::trace!(target: "room", "too detailed");
            tracing::error!(target: "h2::frame", "another crate");
            tracing::error!(target: "roommate", "another crate");
        });
        assert_eq!(lines, Vec::<Value>::new());
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let lines = written(|| tracing::info!(target: "room", text = "ä".repeat(LONGEST), "long"));
        let text = lines[0]["text"].as_str().unwrap();
        assert!(text.len() <= LONGEST + '…'.len_utf8() && text.ends_with('…'));
    }

    #[test]
    fn an_error_is_written_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("inner"));
        let lines = written(|| {
            tracing::info!(target: "room", error = &error as &dyn std::error::Error, "failed");
        });
        assert_eq!(lines[0]["error"], "outer: inner");
    }
}
