//! What Kubernetes asks of labels and annotations, as rules of the attributes that hold them, so that a bad one is refused
//! on its own entry before anything is sent.

use std::sync::Arc;

use kubernetes::names;
use plugin::{Diagnostics, Field, Path, Validator, Value};

/// The rule of a map of labels.
pub(crate) fn labels(summary: &'static str) -> Validator {
    each("label keys and values", summary, label)
}

/// The rule of a map of annotations.
pub(crate) fn annotations() -> Validator {
    Validator { rule: "annotation keys, 256 KiB in all".into(), check: Arc::new(check_annotations) }
}

/// A rule for each entry of a map of text; an entry that is null is refused.
pub(crate) fn each(
    rule: &'static str,
    summary: &'static str,
    check: fn(&str, &str) -> Result<(), String>,
) -> Validator {
    let check = move |value: &Value, path: &Path, diagnostics: &mut Diagnostics| {
        let Field::Known(entries) = value.entries() else { return };
        for (key, value) in entries {
            let why = match value.string() {
                Field::Unknown => check(key, "").err().filter(|_| names::label_key(key).is_err()),
                Field::Null => Some("The value is null. Leave the entry out.".to_owned()),
                Field::Known(text) => check(key, text).err(),
            };
            if let Some(why) = why {
                diagnostics.error(path.key(key.as_str()), summary, capital(&why));
            }
        }
    };
    Validator { rule: rule.into(), check: Arc::new(check) }
}

fn label(key: &str, value: &str) -> Result<(), String> {
    names::label_key(key)?;
    names::label_value(value)
}

fn check_annotations(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    each("", "Invalid annotation", |key, _| names::annotation_key(key)).check.as_ref()(value, path, diagnostics);
    let Field::Known(entries) = value.entries() else { return };
    let size: usize = entries.iter().map(|(key, value)| key.len() + value.string().known().map_or(0, str::len)).sum();
    if size > names::ANNOTATIONS_LIMIT {
        diagnostics.error(
            path.clone(),
            "Annotations are too long",
            format!("They are {size} bytes together, keys and values; Kubernetes takes {}.", names::ANNOTATIONS_LIMIT),
        );
    }
}

/// The sentence with a capital at its start.
pub(crate) fn capital(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
