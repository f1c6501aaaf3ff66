//! The provider as a signed release, made of the binary under test with the code that makes the real ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail, ensure};

use crate::places;

/// A release of the binary under test, and two keys. Cases read it; one that wants it otherwise takes a copy.
#[derive(Clone, Debug)]
pub struct Package {
    folder: PathBuf,
}

impl Package {
    /// The one of this binary. Zipping a debug build takes seconds, so it is made once and kept in the build's folder
    /// until the binary is another one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn of(binary: &Path) -> Result<Self> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _making = ONE_AT_A_TIME.lock();
        let built = fs::metadata(binary).with_context(|| format!("{} is missing", binary.display()))?;
        let time = built.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
        let above = binary.parent().context("the binary lies in no folder")?.join("packages");
        let package = Self { folder: above.join(format!("{}-{time}", built.len())) };
        if !package.folder.is_dir() {
            let _ = fs::remove_dir_all(&above);
            // Renamed when it is whole, so that a run that was broken off leaves none that looks so.
            let unfinished = Self { folder: above.join("unfinished") };
            unfinished.make(binary)?;
            fs::rename(&unfinished.folder, &package.folder)?;
        }
        Ok(package)
    }

    /// The zips, the checksums and their signature.
    #[must_use]
    pub fn release(&self) -> PathBuf {
        self.folder.join("release")
    }

    /// The key that signed it.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.folder.join("key")
    }

    /// A key that signed nothing.
    #[must_use]
    pub fn other_key(&self) -> PathBuf {
        self.folder.join("other-key")
    }

    /// The id of the key that signed it, as the command lines print it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn key_id(&self) -> Result<String> {
        Ok(fs::read_to_string(self.key().join("key-id"))?)
    }

    /// Copies the release into `folder`, to be spoiled.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn copy(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(self.release())? {
            let entry = entry?;
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
        Ok(())
    }

    /// A file that is no program of this provider.
    #[must_use]
    pub fn other_program(&self) -> PathBuf {
        self.folder.join("other-program")
    }

    /// Packs this program for this machine's platform into `folder`, under the provider's version, and a file that is
    /// none for another platform.
    ///
    /// # Errors
    /// When it cannot be packed.
    pub fn pack(&self, program: &Path, folder: &Path) -> Result<()> {
        let here = platform();
        let there = if here == "linux_arm64" { "linux_amd64" } else { "linux_arm64" };
        let root = places::repository()?;
        let mut command = release("pack")?;
        command.args(["--version", VERSION, "--time", "1700000000"]);
        command.arg("--license").arg(root.join("LICENSE"));
        command.arg("--manifest").arg(root.join("release/terraform-registry-manifest.json"));
        command.arg("--out").arg(folder);
        command.arg(format!("{here}={}", program.display()));
        command.arg(format!("{there}={}", self.other_program().display()));
        succeed(command)
    }

    /// Signs what was packed into `folder`.
    ///
    /// # Errors
    /// When it cannot be signed, or no registry would take it.
    pub fn sign(&self, folder: &Path) -> Result<()> {
        let mut sign = release("sign")?;
        sign.arg(folder).env("RELEASE_SIGNING_KEY", fs::read_to_string(self.key().join("private.asc"))?);
        succeed(sign)?;
        let mut check = release("check")?;
        check.arg("--key").arg(self.key().join("public.asc")).arg(folder);
        succeed(check)
    }

    /// The checksum that the release's own list has for the zip of this platform.
    ///
    /// # Errors
    /// When there is none.
    pub fn checksum(&self, platform: &str) -> Result<String> {
        let prefix = format!("terraform-provider-nvidia_{VERSION}");
        let sums = fs::read_to_string(self.release().join(format!("{prefix}_SHA256SUMS")))?;
        let zip = format!("{prefix}_{platform}.zip");
        match sums.lines().find_map(|line| line.split_once("  ").filter(|(_, name)| *name == zip)) {
            Some((sum, _)) => Ok(sum.to_owned()),
            None => bail!("the checksums do not name {zip}"),
        }
    }

    fn make(&self, program: &Path) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.other_program(), "no program of this provider\n")?;
        for folder in [self.key(), self.other_key()] {
            let mut key = release("key")?;
            key.arg("--out").arg(folder);
            succeed(key)?;
        }
        self.pack(program, &self.release())?;
        self.sign(&self.release())
    }
}

/// The version of the provider. All packages of the workspace have the one of its Cargo.toml.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// This machine's platform in the registries' words, which are Go's.
#[must_use]
pub fn platform() -> String {
    let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}_{processor}")
}

fn release(word: &str) -> Result<Command> {
    let mut command = Command::new(places::tools("release")?);
    command.arg(word);
    Ok(command)
}

fn succeed(mut command: Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
