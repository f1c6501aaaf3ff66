//! Diagnostics as a command line prints them under `-json`.

use std::fmt;

use serde_json::Value;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The command fails.
    Error,
    /// The command goes on.
    Warning,
}

/// One diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The headline.
    pub summary: String,
    /// The text below it.
    pub detail: String,
    /// Of the resource, where it has one.
    pub address: Option<String>,
    /// The line of the file that it points at, first is 1.
    pub line: Option<u64>,
    /// That line's text. When the diagnostic carries an attribute's path, this is the attribute's own line; without a
    /// path it is the block's.
    pub code: Option<String>,
    /// What the line stands in, such as `resource "talos_nvidia_node_patch" "this"`.
    pub context: Option<String>,
}

impl Diagnostic {
    /// From the object that the command lines print, both in a message and in `validate -json`.
    #[must_use]
    pub fn read(json: &Value) -> Option<Self> {
        let severity = match json["severity"].as_str()? {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            _ => return None,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            severity,
            summary: text(&json["summary"])?,
            detail: text(&json["detail"]).unwrap_or_default(),
            address: text(&json["address"]),
            line: json["range"]["start"]["line"].as_u64(),
            code: text(&json["snippet"]["code"]).map(|code| code.trim().to_owned()),
            context: text(&json["snippet"]["context"]),
        })
    }

    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Whether its headline or its text holds this.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.summary.contains(text) || self.detail.contains(text)
    }

    /// The warning that a CLI prints in every run because the provider comes from a folder: no concern of a case.
    pub(crate) fn is_about_the_override(&self) -> bool {
        self.severity == Severity::Warning && self.summary == "Provider development overrides are in effect"
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.is_error() { "Error" } else { "Warning" };
        writeln!(f, "{severity}: {}", self.summary)?;
        if let (Some(line), Some(code)) = (self.line, &self.code) {
            writeln!(f, "  line {line}: {code}")?;
        }
        for line in self.detail.lines() {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
