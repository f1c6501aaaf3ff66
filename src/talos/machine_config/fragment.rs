//! What we write: small values, rendered in block or in flow style as the surroundings are.

use std::fmt::Write as _;

use granit_parser::ScalarStyle;

/// A value that we write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    /// Written plain where YAML reads it as a string then, else in double quotes.
    Plain(String),
    /// Always in double quotes.
    Quoted(String),
    /// Written as it is: a number.
    Raw(&'static str),
    /// Lines of text: a literal block scalar, or in double quotes within flow style.
    Lines(Vec<String>),
    Mapping(Vec<(String, Fragment)>),
    Sequence(Vec<Fragment>),
}

/// How the surroundings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// Columns from a mapping to a mapping below it.
    pub(super) step: usize,
    /// Columns from a key to the dashes below it.
    pub(super) dash: usize,
    /// Every key and string in double quotes, as in JSON.
    pub(super) quoted: bool,
}

impl Style {
    /// How Talos writes its own configurations.
    pub(super) const TALOS: Self = Self { step: 4, dash: 4, quoted: false };
}

impl Fragment {
    /// A list of plain strings.
    pub(super) fn strings(values: &[String]) -> Self {
        Self::Sequence(values.iter().cloned().map(Self::Plain).collect())
    }

    pub(super) fn flow(&self, style: Style) -> String {
        match self {
            Self::Plain(text) if style.quoted || !is_plain(text) => quote(text),
            Self::Plain(text) => text.clone(),
            Self::Quoted(text) => quote(text),
            Self::Raw(text) => (*text).to_owned(),
            Self::Lines(lines) => quote(&lines.iter().fold(String::new(), |all, line| all + line + "\n")),
            Self::Mapping(entries) => {
                let entries: Vec<_> = entries.iter().map(|(key, value)| flow_entry(key, value, style)).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Self::Sequence(items) => {
                let items: Vec<_> = items.iter().map(|item| item.flow(style)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    /// The lines of an item of a block sequence, from its dash on, without the sequence's own indentation. `gap` is
    /// the columns from the dash to the item.
    pub(super) fn item(&self, gap: usize, style: Style) -> Vec<String> {
        let mut lines = match self {
            Self::Mapping(entries) if !entries.is_empty() => {
                entries.iter().flat_map(|(key, value)| value.entry(key, style)).collect()
            }
            _ => vec![self.flow(style)],
        };
        for (at, line) in lines.iter_mut().enumerate() {
            if at == 0 {
                line.insert_str(0, &format!("{:<gap$}", "-"));
            } else if !line.is_empty() {
                line.insert_str(0, &" ".repeat(gap));
            }
        }
        lines
    }

    /// The lines of an entry of a block mapping, without the mapping's own indentation.
    pub(super) fn entry(&self, key: &str, style: Style) -> Vec<String> {
        let key = self::key(key, style);
        match self {
            Self::Lines(content) => {
                let body = content.iter().map(|line| indented(style.step, line));
                std::iter::once(format!("{key}: |")).chain(body).collect()
            }
            Self::Mapping(entries) if !entries.is_empty() => {
                let body = entries.iter().flat_map(|(key, value)| value.entry(key, style));
                let body = body.map(|line| indented(style.step, &line));
                std::iter::once(format!("{key}:")).chain(body).collect()
            }
            Self::Sequence(items) if !items.is_empty() => {
                let body = items.iter().flat_map(|item| item.item(2, style));
                let body = body.map(|line| indented(style.dash, &line));
                std::iter::once(format!("{key}:")).chain(body).collect()
            }
            _ => vec![format!("{key}: {}", self.flow(style))],
        }
    }
}

pub(super) fn indented(columns: usize, line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(columns)) }
}

pub(super) fn flow_entry(key: &str, value: &Fragment, style: Style) -> String {
    format!("{}: {}", self::key(key, style), value.flow(style))
}

pub(super) fn key(key: &str, style: Style) -> String {
    if style.quoted || !is_plain(key) { quote(key) } else { key.to_owned() }
}

/// Whether a string may stand without quotes anywhere and is a string to every reader of YAML.
fn is_plain(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    text.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '_' | '/'))
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "_.=/+-".contains(char))
        && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&word.as_str())
}

/// Whether a scalar is written as a block of lines.
pub(super) fn is_block(style: ScalarStyle) -> bool {
    matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
}

/// A string in double quotes.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    escape(text, &mut quoted);
    quoted.push('"');
    quoted
}

/// The inside of double quotes.
pub(super) fn escape(text: &str, into: &mut String) {
    for char in text.chars() {
        match char {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\t' => into.push_str("\\t"),
            '\r' => into.push_str("\\r"),
            char if (char as u32) < 0x20 || (0x7f..0xa0).contains(&(char as u32)) => {
                // Writing to a string does not fail.
                let _ = write!(into, "\\x{:02x}", char as u32);
            }
            '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let _ = write!(into, "\\u{:04x}", char as u32);
            }
            char => into.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fragment, Style};

    fn module() -> Fragment {
        Fragment::Mapping(vec![
            ("name".into(), Fragment::Plain("nvidia".into())),
            ("parameters".into(), Fragment::strings(&["NVreg_X=1".into(), "a b".into()])),
        ])
    }

    #[test]
    fn an_item_is_written_like_its_siblings() {
        assert_eq!(
            module().item(2, Style { step: 2, dash: 0, quoted: false }).join("\n"),
            "- name: nvidia\n  parameters:\n  - NVreg_X=1\n  - \"a b\""
        );
        assert_eq!(
            module().item(4, Style::TALOS).join("\n"),
            "-   name: nvidia\n    parameters:\n        - NVreg_X=1\n        - \"a b\""
        );
    }

    #[test]
    fn flow_style_can_be_json() {
        let json = Style { quoted: true, ..Style::TALOS };
        assert_eq!(module().flow(json), r#"{"name": "nvidia", "parameters": ["NVreg_X=1", "a b"]}"#);
        assert_eq!(module().flow(Style::TALOS), r#"{name: nvidia, parameters: [NVreg_X=1, "a b"]}"#);
    }

    #[test]
    fn words_that_yaml_reads_as_something_else_are_quoted() {
        for word in ["yes", "On", "null", "1", "0x1", "", "-", "a: b", "~"] {
            assert!(Fragment::Plain(word.into()).flow(Style::TALOS).starts_with('"'), "{word}");
        }
    }
}
