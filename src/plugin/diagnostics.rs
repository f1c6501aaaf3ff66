//! What the operator reads: errors and warnings, each on the attribute that it concerns.

use crate::path::Path;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The operation did not do what was asked.
    Error,
    /// It did, and there is something to know.
    Warning,
}

/// One message of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// One line, without a full stop. Equal summaries are folded together by Terraform.
    pub summary: String,
    /// The object, the place and the next step, in sentences.
    pub detail: String,
    /// The attribute that it concerns; the root when it concerns the whole object.
    pub path: Path,
}

/// The messages of one operation, in the order in which they came up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an error about `path`.
    pub fn error(&mut self, path: Path, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Severity::Error, path, summary, detail);
    }

    /// Adds a warning about `path`.
    pub fn warn(&mut self, path: Path, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Severity::Warning, path, summary, detail);
    }

    fn push(&mut self, severity: Severity, path: Path, summary: impl Into<String>, detail: impl Into<String>) {
        self.add(Diagnostic { severity, summary: summary.into(), detail: detail.into(), path });
    }

    /// Adds `diagnostic`.
    pub fn add(&mut self, diagnostic: Diagnostic) {
        // A check that runs at plan and again in a helper must not be read twice.
        if !self.0.contains(&diagnostic) {
            self.0.push(diagnostic);
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Self) {
        for diagnostic in other.0 {
            self.add(diagnostic);
        }
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
