//! One finished run of a command: what a user would see of it.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Severity};

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// As a user would type it.
    pub command: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
    /// How long it ran.
    pub elapsed: Duration,
    /// Whether the harness ended it because it ran longer than a case may wait.
    pub timed_out: bool,
}

impl Run {
    /// Itself, when it succeeded. With `-detailed-exitcode`, 2 is success too.
    ///
    /// # Errors
    /// When it failed, was ended by a signal or ran too long.
    pub fn succeeded(self) -> Result<Self> {
        match self.code {
            Some(0 | 2) if !self.timed_out => Ok(self),
            _ => bail!("`{}` was to succeed and {}", self.command, self.outcome()),
        }
    }

    /// Itself, when it failed as a command fails: with exit code 1.
    ///
    /// # Errors
    /// When it succeeded, was ended by a signal or ran too long.
    pub fn failed(self) -> Result<Self> {
        match self.code {
            Some(1) if !self.timed_out => Ok(self),
            _ => bail!("`{}` was to fail and {}", self.command, self.outcome()),
        }
    }

    /// The objects that it printed under `-json`, one a line.
    pub fn messages(&self) -> impl Iterator<Item = Value> + '_ {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok())
    }

    /// What it said, the warning about the provider's place left out.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let whole: Option<Value> = serde_json::from_str(&self.stdout).ok();
        let validated = whole.as_ref().and_then(|json| json["diagnostics"].as_array());
        let found: Vec<Diagnostic> = match validated {
            Some(diagnostics) => diagnostics.iter().filter_map(Diagnostic::read).collect(),
            None => self.messages().filter_map(|message| Diagnostic::read(&message["diagnostic"])).collect(),
        };
        found.into_iter().filter(|diagnostic| !diagnostic.is_about_the_override()).collect()
    }

    /// The errors among the diagnostics.
    #[must_use]
    pub fn errors(&self) -> Vec<Diagnostic> {
        self.diagnostics().into_iter().filter(Diagnostic::is_error).collect()
    }

    /// The warnings among the diagnostics.
    #[must_use]
    pub fn warnings(&self) -> Vec<Diagnostic> {
        self.diagnostics().into_iter().filter(|diagnostic| diagnostic.severity == Severity::Warning).collect()
    }

    /// The only error.
    ///
    /// # Errors
    /// When there is none or more than one.
    pub fn only_error(&self) -> Result<Diagnostic> {
        let mut errors = self.errors();
        match (errors.pop(), errors.is_empty()) {
            (Some(error), true) => Ok(error),
            (last, _) => bail!("`{}` was to print one error and printed {:?}", self.command, (errors, last)),
        }
    }

    /// The first diagnostic that holds this text.
    ///
    /// # Errors
    /// When none does; the message holds all that were printed.
    pub fn diagnostic(&self, text: &str) -> Result<Diagnostic> {
        let all = self.diagnostics();
        match all.iter().find(|diagnostic| diagnostic.says(text)) {
            Some(found) => Ok(found.clone()),
            None => bail!("`{}` says nowhere {text:?}; it says {all:?}", self.command),
        }
    }

    /// In a word or two, how it ended.
    #[must_use]
    pub fn outcome(&self) -> String {
        match (self.timed_out, self.code) {
            (true, _) => format!("ran longer than {:.0?} and was ended", self.elapsed),
            (false, Some(code)) => format!("ended with exit code {code}"),
            (false, None) => "was ended by a signal".to_owned(),
        }
    }

    /// What a reader wants to see of stdout: the text of each message, not its JSON.
    fn readable_stdout(&self) -> String {
        let text = |line: &str| -> String {
            let json: Value = serde_json::from_str(line).unwrap_or(Value::Null);
            match (Diagnostic::read(&json["diagnostic"]), json["@message"].as_str()) {
                (Some(diagnostic), _) => diagnostic.to_string(),
                (None, Some(message)) => message.to_owned(),
                (None, None) => line.to_owned(),
            }
        };
        self.stdout.lines().map(text).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}\n  {} after {:.2?}", self.command, self.outcome(), self.elapsed)?;
        let shown = [("stdout", self.readable_stdout()), ("stderr", self.stderr.clone())];
        for (name, text) in shown.iter().filter(|(_, text)| !text.trim().is_empty()) {
            writeln!(f, "  --- {name}")?;
            text.lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Run;

    fn run(stdout: &str) -> Run {
        Run {
            command: "tofu plan -json".to_owned(),
            code: Some(1),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            elapsed: Duration::ZERO,
            timed_out: false,
        }
    }

    const DIAGNOSTIC: &str = r#"{"severity":"error","summary":"S","detail":"D","range":{"start":{"line":7}},
        "snippet":{"context":"resource \"a\" \"b\"","code":"  node = 1"}}"#;

    #[test]
    fn diagnostics_are_read_from_a_stream_of_messages_and_from_validate() {
        let flat = DIAGNOSTIC.replace('\n', "");
        let stream = format!("{{\"type\":\"version\"}}\n{{\"type\":\"diagnostic\",\"diagnostic\":{flat}}}\n");
        let validate = format!("{{\n  \"valid\": false,\n  \"diagnostics\": [{DIAGNOSTIC}]\n}}\n");
        for stdout in [stream, validate] {
            let errors = run(&stdout).errors();
            assert_eq!(errors.len(), 1);
            assert_eq!((errors[0].line, errors[0].code.as_deref()), (Some(7), Some("node = 1")));
        }
    }
}
