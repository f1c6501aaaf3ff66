//! The two command lines: where each is found and which version it is.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::places;

/// A command line that users run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cli {
    /// HashiCorp's: the one on PATH, since that is what the machine's user runs; else the one of `make tools`.
    Terraform,
    /// OpenTofu, always the pinned one of `make tools`.
    Tofu,
}

/// A version of a command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1 in 1.12.6.
    pub major: u32,
    /// 12 in 1.12.6.
    pub minor: u32,
    /// 6 in 1.12.6.
    pub patch: u32,
}

/// The oldest that design.md promises to work, for each.
const OLDEST: [(Cli, Version); 2] =
    [(Cli::Terraform, Version { major: 1, minor: 5, patch: 0 }), (Cli::Tofu, Version { major: 1, minor: 6, patch: 0 })];

impl Cli {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Terraform, Self::Tofu];

    /// The name of its program.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Tofu => "tofu",
        }
    }

    /// The host that it puts before a source address that has none.
    #[must_use]
    pub fn registry(self) -> &'static str {
        match self {
            Self::Terraform => "registry.terraform.io",
            Self::Tofu => "registry.opentofu.org",
        }
    }

    /// Where its program is. `ACCEPTANCE_TERRAFORM` and `ACCEPTANCE_TOFU` name another one: `make matrix` runs a case
    /// with each version so.
    ///
    /// # Errors
    /// When it is neither on PATH (terraform) nor among the tools; the message says how to get it.
    pub fn path(self) -> Result<PathBuf> {
        let variable = format!("ACCEPTANCE_{}", self.name().to_uppercase());
        if let Some(named) = std::env::var_os(variable) {
            return Ok(named.into());
        }
        match self {
            Self::Terraform => on_path("terraform").map_or_else(|| places::tools("terraform"), Ok),
            Self::Tofu => places::tools("tofu"),
        }
    }

    /// Its version, asked for once in a process.
    ///
    /// # Errors
    /// When it cannot be run, says no version, or is older than what the provider supports.
    pub fn version(self) -> Result<Version> {
        static TERRAFORM: OnceLock<Version> = OnceLock::new();
        static TOFU: OnceLock<Version> = OnceLock::new();
        let known = match self {
            Self::Terraform => &TERRAFORM,
            Self::Tofu => &TOFU,
        };
        if let Some(version) = known.get() {
            return Ok(version.clone());
        }
        let version = self.ask_version()?;
        Ok(known.get_or_init(|| version).clone())
    }

    fn ask_version(self) -> Result<Version> {
        let path = self.path()?;
        let said = Command::new(&path)
            .args(["version", "-json"])
            // Settings of the machine's user print warnings before the JSON.
            .env_clear()
            .env("CHECKPOINT_DISABLE", "1")
            .output()
            .with_context(|| format!("cannot run {}", path.display()))?;
        let said: serde_json::Value = serde_json::from_slice(&said.stdout)
            .with_context(|| format!("{} version -json did not print JSON", path.display()))?;
        // OpenTofu kept Terraform's name for the field.
        let text = said["terraform_version"].as_str().context("version -json has no terraform_version")?;
        let version = Version::parse(text).with_context(|| format!("{self} says its version is {text:?}"))?;
        for (cli, oldest) in OLDEST {
            if cli == self && version < oldest {
                bail!("{} is {version}; the provider supports {oldest} and newer", path.display());
            }
        }
        Ok(version)
    }
}

impl fmt::Display for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Version {
    /// Of `1.12.6`; what follows a `-` is left out.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-').next()?.split('.').map(str::parse);
        let mut next = || parts.next()?.ok();
        Some(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn a_version_is_read_with_and_without_a_suffix() {
        let expect = Some(Version { major: 1, minor: 12, patch: 6 });
        assert_eq!(Version::parse("1.12.6"), expect);
        assert_eq!(Version::parse("1.12.6-dev"), expect);
        assert_eq!(Version::parse("1.12"), None);
    }
}
