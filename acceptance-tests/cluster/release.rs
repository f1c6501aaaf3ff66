//! Which Kubernetes it is, and where `make tools` has put its programs.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A minor of Kubernetes: `1.37`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release(String);

impl Release {
    /// The newest one, of `acceptance-tests/tools/kubernetes`.
    pub const NEWEST: &'static str = "1.37";

    /// What `KUBERNETES` in the environment asks for; without it, the newest.
    #[must_use]
    pub fn chosen() -> Self {
        let asked = std::env::var("KUBERNETES").ok().filter(|text| !text.is_empty());
        Self(asked.unwrap_or_else(|| Self::NEWEST.to_owned()))
    }

    /// The minor's number: 37 in 1.37.
    ///
    /// # Errors
    /// When what was asked for is no minor of Kubernetes.
    pub fn minor(&self) -> Result<u32> {
        let minor = self.0.strip_prefix("1.").and_then(|text| text.parse().ok());
        minor.with_context(|| format!("KUBERNETES={} is no minor of Kubernetes, such as {}", self.0, Self::NEWEST))
    }

    /// A program of this minor.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        let make =
            if self.0 == Self::NEWEST { "make tools".to_owned() } else { format!("make tools KUBERNETES={self}") };
        found(&format!("kubernetes-{self}/{name}"), &make)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A program that serves every minor: etcd, kwok, kubectl.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    found(name, "make tools")
}

/// A missing program is a failure, never a reason to skip.
fn found(name: &str, make: &str) -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).context("this crate does not lie in acceptance-tests/cluster")?;
    let path = root.join("target/tools").join(name);
    if !path.is_file() {
        bail!("{} is missing. Build it with:\n\n    {make}\n", path.display());
    }
    Ok(path)
}
