//! kubectl, the pinned one, over one kubeconfig and nothing else of the machine's user.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::release::tool;

/// How it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// As a user would type it.
    pub command: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

impl Output {
    /// What it printed, when it succeeded.
    ///
    /// # Errors
    /// When it failed.
    pub fn succeeded(self) -> Result<String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => bail!("`{}` was to succeed and ended with {code:?}\n{}{}", self.command, self.stdout, self.stderr),
        }
    }

    /// What it complained, when it failed.
    ///
    /// # Errors
    /// When it succeeded.
    pub fn failed(self) -> Result<String> {
        match self.code {
            Some(0) => bail!("`{}` was to fail and printed\n{}", self.command, self.stdout),
            _ => Ok(self.stderr),
        }
    }
}

/// Runs it to its end; `stdin` is what `-f -` reads. Its caches go into `home`.
pub(crate) fn run(home: &Path, kubeconfig: &Path, arguments: &[&str], stdin: &str) -> Result<Output> {
    let mut command = Command::new(tool("kubectl")?);
    command.arg("--kubeconfig").arg(kubeconfig).args(arguments);
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start kubectl")?;
    // One that does not read it to the end says itself why.
    let _ = child.stdin.take().context("kubectl has no stdin")?.write_all(stdin.as_bytes());
    let output = child.wait_with_output()?;
    Ok(Output {
        command: format!("kubectl {}", arguments.join(" ")),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
