//! YAML as text that every parser reads alike: Go's (YAML 1.1: `yes`, `0755`, `1e3`) and Rust's (YAML 1.2).
//!
//! Used for the manifest in a release record and for the text that Helm's checksum is over. Reading YAML is done by
//! serde-saphyr elsewhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// A document in block style, with a line break at its end. Keys come in order.
pub(super) fn document(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::Object(entries) if !entries.is_empty() => mapping(entries, 0, &mut out),
        Json::Array(items) if !items.is_empty() => sequence(items, 0, &mut out),
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out
}

fn mapping(entries: &Map<String, Json>, indent: usize, out: &mut String) {
    // In order even where another crate of the build makes `serde_json` keep the order of insertion.
    let sorted: BTreeMap<_, _> = entries.iter().collect();
    for (position, (key, value)) in sorted.into_iter().enumerate() {
        // The first line of a mapping inside a sequence stands after its dash.
        if position > 0 || !out.ends_with("- ") {
            pad(indent, out);
        }
        out.push_str(&text(key));
        out.push(':');
        nested(value, indent, out);
    }
}

fn sequence(items: &[Json], indent: usize, out: &mut String) {
    for item in items {
        pad(indent, out);
        out.push_str("- ");
        match item {
            Json::Object(entries) if !entries.is_empty() => mapping(entries, indent + 2, out),
            other => {
                out.push_str(&block_or_scalar(other, indent));
                out.push('\n');
            }
        }
    }
}

fn nested(value: &Json, indent: usize, out: &mut String) {
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            out.push('\n');
            mapping(entries, indent + 2, out);
        }
        Json::Array(items) if !items.is_empty() => {
            out.push('\n');
            sequence(items, indent, out);
        }
        other => {
            out.push(' ');
            out.push_str(&block_or_scalar(other, indent));
            out.push('\n');
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn block_or_scalar(value: &Json, indent: usize) -> String {
    match value {
        Json::String(given) if is_block(given) => block(given, indent + 2),
        // A list in a list; none of our objects has one.
        Json::Object(_) | Json::Array(_) => value.to_string(),
        other => scalar(other),
    }
}

/// Text of several lines that a literal block gives back as it is.
fn is_block(given: &str) -> bool {
    let body = given.strip_suffix('\n').unwrap_or(given);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n'])
        && body.lines().all(|line| !line.ends_with(' '))
        && given.chars().all(|c| c == '\n' || is_printable(c))
}

fn block(given: &str, indent: usize) -> String {
    let (head, body) = match given.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", given),
    };
    let mut out = head.to_owned();
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(indent, &mut out);
            out.push_str(line);
        }
    }
    out
}

fn scalar(value: &Json) -> String {
    match value {
        Json::String(given) => text(given),
        other => other.to_string(),
    }
}

/// Text, quoted unless no YAML parser takes it for anything else.
pub(super) fn text(given: &str) -> String {
    if is_plain(given) { given.to_owned() } else { quoted(given) }
}

/// JSON's quoting is YAML's too; what may not stand in a YAML stream is escaped.
fn quoted(given: &str) -> String {
    let json = Json::String(given.to_owned()).to_string();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() || is_printable(c) {
            out.push(c);
        } else if u32::from(c) > 0xffff {
            out.push_str(&format!("\\U{:08x}", u32::from(c)));
        } else {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    out
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
        || u32::from(c) > 0xffff
}

/// Begins with a letter or a slash, holds nothing that YAML gives a meaning, and is none of its words.
fn is_plain(given: &str) -> bool {
    given.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && given.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))
        && !is_word(given)
}

/// The words of YAML 1.1, in any case.
fn is_word(given: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    WORDS.iter().any(|word| given.eq_ignore_ascii_case(word))
}

/// A scalar as Go's YAML library writes it: plain where it would read it as text again, else in double quotes, or in
/// single ones where only its place would be wrong.
pub(super) fn go_scalar(value: &Json) -> String {
    let Json::String(given) = value else { return value.to_string() };
    if given.is_empty() || go_reads_as_another_type(given) {
        return format!("\"{given}\"");
    }
    if go_needs_quotes(given) { format!("'{}'", given.replace('\'', "''")) } else { given.clone() }
}

fn go_reads_as_another_type(given: &str) -> bool {
    let number_like = given.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && (given.replace('_', "").parse::<f64>().is_ok()
            || given.strip_prefix("0x").is_some_and(|rest| i64::from_str_radix(rest, 16).is_ok())
            || given.strip_prefix("0o").is_some_and(|rest| i64::from_str_radix(rest, 8).is_ok())
            || given.strip_prefix("0b").is_some_and(|rest| i64::from_str_radix(rest, 2).is_ok()));
    let word = is_word(given) && {
        let lower = given.to_ascii_lowercase();
        let title = given[..1].to_ascii_uppercase() + &lower[1..];
        *given == lower || *given == title || *given == given.to_ascii_uppercase()
    };
    number_like || word || given == "~" || given == "<<"
}

fn go_needs_quotes(given: &str) -> bool {
    given.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@`".contains(c))
        || given.contains(": ")
        || given.contains(" #")
        || given.ends_with(':')
        || given.starts_with(' ')
        || given.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_another_parser_would_take_for_a_bool_or_a_number_is_quoted() {
        for given in [
            "yes", "On", "y", "NO", "0755", "1e3", "1.10", "", "~", "null", "-", ".inf", "0x1f", "1_000", "12:30:45",
            "=", "a: b", "x #y", "*a", "v1,v2",
        ] {
            assert!(text(given).starts_with('"'), "{given}");
        }
        for given in ["nvidia", "/run/nvidia/mps", "v0.17.4", "system-node-critical", "yesterday", "one_on"] {
            assert_eq!(text(given), given);
        }
    }

    #[test]
    fn a_document_reads_back_as_it_was() {
        let value = json!({
            "apiVersion": "v1",
            "empty": { "map": {}, "list": [], "text": "" },
            "data": {
                "default": "version: v1\nsharing:\n  timeSlicing: {}",
                "ends": "one\ntwo\n",
                "blank": "\none\n\ntwo\n\n",
                "tail": "one \ntwo",
                "indented": "  one\ntwo",
                "tab": "a\tb\nc",
                "odd": "\u{feff}\u{2028}é\u{1f600}\u{7}",
            },
            "list": [ { "name": "a", "list": [1, true, null, "yes"] }, "plain", { "deep": [ { "x": { "y": "z" } } ] }, [1, 2] ],
            "on": "off",
            "0755": 493,
        });
        let text = document(&value);
        let read: Json = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read.to_string(), value.to_string(), "{text}");
    }

    #[test]
    fn labels_are_written_as_go_writes_them() {
        for (given, written) in [
            ("gpu-plugin", "gpu-plugin"),
            ("true", "\"true\""),
            ("Yes", "\"Yes\""),
            ("yEs", "yEs"),
            ("1", "\"1\""),
            ("1.5", "\"1.5\""),
            ("1.5.0", "1.5.0"),
            ("", "\"\""),
            ("a/b", "a/b"),
        ] {
            assert_eq!(go_scalar(&json!(given)), written, "{given}");
        }
    }
}
