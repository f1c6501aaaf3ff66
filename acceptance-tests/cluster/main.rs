//! `cluster --dir D`: a cluster for people and for scripts, until its standard input ends or it is told to end.
//!
//! It writes `D/kubeconfig` and prints one line when the cluster is ready. Logs lie in `D/cluster` while it runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, bail};
use cluster::Cluster;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

fn main() -> ExitCode {
    match folder().and_then(|folder| run(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody to tell when stderr is closed.
            let _ = writeln!(std::io::stderr(), "cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn folder() -> Result<PathBuf> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, folder] if flag == "--dir" => Ok(std::path::absolute(folder)?),
        _ => bail!("usage: cluster --dir FOLDER"),
    }
}

fn run(folder: &std::path::Path) -> Result<()> {
    let cluster = Cluster::start_in(&folder.join("cluster"))?;
    let kubeconfig = folder.join("kubeconfig");
    fs::copy(cluster.kubeconfig(), &kubeconfig).with_context(|| format!("cannot write {}", kubeconfig.display()))?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready {} kubernetes {}", kubeconfig.display(), cluster.release())?;
    stdout.flush()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(told_to_end())?;
    drop(cluster);
    // It names a server that is gone.
    Ok(fs::remove_file(kubeconfig)?)
}

async fn told_to_end() -> Result<()> {
    let (ended, input) = oneshot::channel();
    thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        while matches!(stdin.read(&mut [0; 256]), Ok(1..)) {}
        let _ = ended.send(());
    });
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = input => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
