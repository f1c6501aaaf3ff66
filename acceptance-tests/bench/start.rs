//! What the binary costs before it does anything: spawn to handshake line, memory at idle, size of the file.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{Figure, median};

/// What Terraform sets before it starts a provider. The certificate is any of the kind that it sends: P-521.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"),
    ("PLUGIN_PROTOCOL_VERSIONS", "6,5"),
    ("PLUGIN_CLIENT_CERT", include_str!("client.pem")),
];

const STARTS: usize = 41;
/// An orphan ends itself after some seconds, so idle is looked at well before.
const IDLE: Duration = Duration::from_millis(500);

pub(crate) fn measure(binary: &Path) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    // The first start pays for reading the file.
    start(binary, folder.path())?.0.end()?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let (provider, took) = start(binary, folder.path())?;
        provider.end()?;
        starts.push(took.as_secs_f64() * 1000.0);
    }
    let (provider, _) = start(binary, folder.path())?;
    thread::sleep(IDLE);
    let resident = resident(provider.0.id())?;
    provider.end()?;
    let size = fs::metadata(binary)?.len();
    let figure = |what: &str, unit, measured, aim, fault| Figure { what: what.to_owned(), unit, measured, aim, fault };
    Ok(vec![
        figure("spawn to handshake line", "ms", median(starts), 1.5, 5.0),
        figure("memory at idle", "MB", megabytes(resident), 6.0, 10.0),
        figure("release binary", "MB", megabytes(size), 8.0, 12.0),
    ])
}

struct Provider(Child);

impl Provider {
    fn end(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

fn start(binary: &Path, folder: &Path) -> Result<(Provider, Duration)> {
    let mut command = Command::new(binary);
    command.env_clear().envs(ENVIRONMENT).env("TMPDIR", folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().context("the provider has no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let took = started.elapsed();
    let provider = Provider(child);
    if !line.starts_with("1|6|unix|") {
        provider.end()?;
        anyhow::bail!("the provider's first line is no handshake: {line:?}");
    }
    Ok((provider, took))
}

/// Resident memory in bytes.
fn resident(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    ensure!(kilobytes > 0, "a process without memory");
    Ok(kilobytes * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "a size in megabytes is far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
