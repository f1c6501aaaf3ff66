//! What a case did, kept for the moment when it fails.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use cluster::Cluster;

use crate::command::Run;

/// How many of the node's last calls a failure shows: the story just before it, and not a thousand lines.
const CALLS_SHOWN: usize = 60;

/// The record of one case, shared by everything that it starts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    runs: Vec<Run>,
    files: Vec<PathBuf>,
    logs: Vec<PathBuf>,
    cluster: Option<&'static Cluster>,
}

impl Transcript {
    /// A command has ended.
    pub(crate) fn ran(&self, run: &Run) {
        self.record().runs.push(run.clone());
    }

    /// A file of the case, shown as it is when the case fails.
    pub(crate) fn file(&self, path: &Path) {
        let mut record = self.record();
        if !record.files.iter().any(|known| known == path) {
            record.files.push(path.to_owned());
        }
    }

    /// A log of calls; its last lines are shown.
    pub(crate) fn log(&self, path: &Path) {
        self.record().logs.push(path.to_owned());
    }

    /// The case uses the cluster, whose objects are shown.
    pub(crate) fn uses(&self, cluster: &'static Cluster) {
        self.record().cluster = Some(cluster);
    }

    /// The logs of the cluster, if the case uses one, are not to go with it.
    pub(crate) fn keep_logs(&self, case: &Path) -> Result<()> {
        let name = case.file_name().unwrap_or_default().to_string_lossy();
        self.record().cluster.map_or(Ok(()), |cluster| cluster.keep(&name))
    }

    /// The story for a reader: files, every command with how it ended, the last two in full, the node's last calls, the
    /// cluster as kubectl shows it.
    pub(crate) fn tell(&self) -> String {
        let record = self.record();
        let mut told = String::new();
        for path in &record.files {
            section(&mut told, &path.display().to_string(), &read(path));
        }
        let in_full = record.runs.len().saturating_sub(2);
        for run in &record.runs[..in_full] {
            // Writing into a String cannot fail.
            let _ = writeln!(told, "$ {}\n  {} after {:.2?}", run.command, run.outcome(), run.elapsed);
        }
        for run in &record.runs[in_full..] {
            let _ = write!(told, "{run}");
        }
        for path in &record.logs {
            let text = read(path);
            let lines: Vec<&str> = text.lines().collect();
            let shown = &lines[lines.len().saturating_sub(CALLS_SHOWN)..];
            let title = format!("{}: the last {} of {} lines", path.display(), shown.len(), lines.len());
            section(&mut told, &title, &shown.join("\n"));
        }
        if let Some(cluster) = record.cluster {
            section(&mut told, "the cluster", &cluster.facts());
        }
        told
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // A case that panicked while it held the lock is exactly the one whose record is wanted.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn section(told: &mut String, title: &str, text: &str) {
    let _ = writeln!(told, "--- {title}\n{}", text.trim_end());
}

fn read(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(cannot be read: {error})"),
    }
}
