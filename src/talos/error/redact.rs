//! Cuts what may be secret out of the texts with which a node refuses a configuration. They quote it: a diff with its
//! context, the keys that are not known with their values, the scalar that has the wrong type.

/// The text without the parts that quote the configuration's values: everything from a diff on, the values below
/// `unknown keys found`, and what stands between backticks.
pub(crate) fn without_values(text: &str) -> String {
    let text = text.split_once("diff:").map_or(text, |(before, _)| before).trim_end();
    let mut lines = Vec::new();
    let mut quoting = false;
    for line in text.lines() {
        let said = if quoting { keys_alone(line) } else { without_backticks(line) };
        lines.push(said);
        quoting |= line.contains("unknown keys found");
    }
    lines.join("\n")
}

/// `    modulez: []` without its value; a line that is no key at all is left out.
fn keys_alone(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let content = line.trim_start().trim_start_matches("- ");
    match content.split_once(':') {
        Some((key, value)) if is_key(key) && (value.is_empty() || value.starts_with(' ')) => {
            format!("{}{key}:", &line[..indent])
        }
        _ if content.is_empty() => String::new(),
        _ => format!("{}…", &line[..indent]),
    }
}

fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
}

/// go-yaml shows the start of a scalar between backticks: "cannot unmarshal !!str `s3cret` into bool".
fn without_backticks(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part } else { "`…`" }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(without_values(text), expect);
    }

    #[test]
    fn a_plain_refusal_is_kept() {
        let text = "1 error occurred:\n\t* v1alpha1.Config: 1 error occurred:\n\t* cluster instructions are required";
        check(text, text);
    }

    #[test]
    fn a_diff_is_cut_off() {
        check(
            "this config change can't be applied in immediate mode\ndiff:\n--- a\n+++ b\n-  token: abc",
            "this config change can't be applied in immediate mode",
        );
        check("Dry run summary:\nskipped.\nConfig diff:\n\n--- a", "Dry run summary:\nskipped.\nConfig");
    }

    #[test]
    fn unknown_keys_lose_their_values() {
        check(
            "line 1: unknown keys found during decoding:\nmachine:\n    tokenz: s3cret\n    list:\n        - s3cret\n        - a: s3cret\n    key: |\n        s3cret==\n",
            "line 1: unknown keys found during decoding:\nmachine:\n    tokenz:\n    list:\n        …\n        a:\n    key:\n        …",
        );
    }

    #[test]
    fn a_quoted_scalar_is_hidden() {
        check("line 3: cannot unmarshal !!str `s3cret` into bool", "line 3: cannot unmarshal !!str `…` into bool");
    }
}
