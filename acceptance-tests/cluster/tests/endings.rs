//! Nothing of a cluster outlives the process that it was started for, however that ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// The program `cluster`, ready.
struct Running {
    child: Child,
    folder: TempDir,
}

impl Running {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
        command.arg("--dir").arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        assert!(line.starts_with("ready "), "it said {line:?}");
        Ok(Self { child, folder })
    }

    /// Every process that has the folder on its command line: the parts, and the shell that holds them.
    fn processes(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.path().join("cluster").display().to_string();
        let names = |path: &Path| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&folder)
        };
        let all = fs::read_dir("/proc")?.collect::<Result<Vec<_>, _>>()?;
        Ok(all.iter().map(fs::DirEntry::path).filter(|path| names(path)).collect())
    }

    fn until_gone(&self) -> Result<()> {
        let started = Instant::now();
        while !self.processes()?.is_empty() || self.folder.path().join("cluster").exists() {
            // Killing takes milliseconds; this is for what would never end.
            ensure!(started.elapsed() < Duration::from_secs(60), "these are left: {:?}", self.processes()?);
            std::thread::yield_now();
        }
        Ok(())
    }
}

#[test]
fn a_cluster_ends_with_its_input_and_leaves_nothing() -> Result<()> {
    let mut running = Running::start()?;
    assert!(running.folder.path().join("kubeconfig").is_file());
    assert_eq!(running.processes()?.len(), 6);
    drop(running.child.stdin.take());
    assert!(running.child.wait()?.success());
    assert_eq!(running.processes()?, Vec::<PathBuf>::new());
    assert_eq!(fs::read_dir(running.folder.path())?.count(), 0);
    Ok(())
}

#[test]
fn a_cluster_whose_process_is_killed_leaves_nothing() -> Result<()> {
    let mut running = Running::start()?;
    running.child.kill()?;
    running.child.wait()?;
    running.until_gone()
}
