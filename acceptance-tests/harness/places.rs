//! Where things lie: the repository, the tools that `make tools` builds, the binary under test.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The root of the repository, found from this crate's own place, so that a case may run from any folder.
///
/// # Errors
/// When this crate does not lie two folders below the root.
pub fn repository() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).context("the harness does not lie in acceptance-tests/harness")
}

/// A program that `make tools` builds. A missing one is a failure, never a reason to skip.
///
/// # Errors
/// When it is not there; the message says how to get it.
pub fn tools(name: &str) -> Result<PathBuf> {
    let path = repository()?.join("target/tools").join(name);
    if !path.is_file() {
        bail!("{} is missing. Build it with:\n\n    make tools\n", path.display());
    }
    Ok(path)
}

/// The provider's binary, as a folder that holds it alone: the CLI takes a folder, and Cargo's own also holds files
/// whose names begin like the binary's.
///
/// # Errors
/// When the binary is missing or the link cannot be made.
pub fn provider_binary(binary: &Path, folder: &Path) -> Result<()> {
    let link = folder.join("terraform-provider-nvidia");
    if !binary.is_file() {
        bail!("{} is missing: cargo builds it for the tests of the root package", binary.display());
    }
    std::os::unix::fs::symlink(binary, &link)
        .with_context(|| format!("cannot link {} to {}", link.display(), binary.display()))
}
