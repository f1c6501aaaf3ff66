//! A command that is still running: what a user can do to it (Ctrl-C, kill) and to the provider below it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::command::Run;

/// A command in a process group of its own, as a shell starts one: a signal reaches the provider too, and nothing else.
#[derive(Debug)]
pub struct Running {
    child: Child,
    command: String,
    /// Output goes to these files and not through pipes: nothing can block, and a failed case keeps them.
    stdout: PathBuf,
    stderr: PathBuf,
    started: Instant,
    limit: Duration,
    ended: bool,
}

impl Running {
    /// Starts it. Its output goes to `output.stdout` and `output.stderr`.
    pub(crate) fn start(mut command: Command, output: &Path, limit: Duration) -> Result<Self> {
        let (stdout, stderr) = (output.with_extension("stdout"), output.with_extension("stderr"));
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        command.stdin(Stdio::null()).stdout(File::create(&stdout)?).stderr(File::create(&stderr)?).process_group(0);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {}", words.join(" ")))?;
        Ok(Self { child, command: words.join(" "), stdout, stderr, started, limit, ended: false })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ctrl-C: SIGINT to the whole foreground group.
    ///
    /// # Errors
    /// When the group is gone.
    pub fn interrupt(&self) -> Result<()> {
        kill_process_group(pid(self.child.id())?, Signal::INT).context("cannot interrupt")
    }

    /// `kill -9` of the command line, not of the provider.
    ///
    /// # Errors
    /// When it is gone.
    pub fn kill(&self) -> Result<()> {
        kill_process(pid(self.child.id())?, Signal::KILL).context("cannot kill the command line")
    }

    /// The provider processes that this command line has started and that still run.
    ///
    /// # Errors
    /// When the table of processes cannot be read.
    pub fn providers(&self) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").context("the harness finds processes in /proc")? {
            let folder = entry?.path();
            let id = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok());
            // Processes end while we look: what cannot be read any more is not there any more.
            if let Some(id) = id
                && parent(&folder) == Some(self.child.id())
                && is_provider(&folder)
            {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// `kill -9` of every provider process below it.
    ///
    /// # Errors
    /// When there is none: a case that means to kill one must have reached the moment when one works.
    pub fn kill_providers(&self) -> Result<()> {
        let found = self.providers()?;
        if found.is_empty() {
            bail!("`{}` has no provider process to kill", self.command);
        }
        for id in found {
            kill_process(pid(id)?, Signal::KILL).with_context(|| format!("cannot kill provider {id}"))?;
        }
        Ok(())
    }

    /// What it has printed until now.
    ///
    /// # Errors
    /// When its output cannot be read.
    pub fn printed(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.stdout)?).into_owned())
    }

    /// Waits for its end, and ends it when it runs too long.
    ///
    /// # Errors
    /// When its output cannot be read.
    pub fn wait(mut self) -> Result<Run> {
        let (finished, watched) = mpsc::channel::<()>();
        let (id, limit) = (pid(self.child.id())?, self.limit.saturating_sub(self.started.elapsed()));
        let watchdog = thread::spawn(move || {
            let ran_too_long = watched.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
            ran_too_long && kill_process_group(id, Signal::KILL).is_ok()
        });
        let status = self.child.wait()?;
        let elapsed = self.started.elapsed();
        self.ended = true;
        drop(finished);
        Ok(Run {
            command: self.command.clone(),
            code: status.code(),
            stdout: String::from_utf8_lossy(&fs::read(&self.stdout)?).into_owned(),
            stderr: String::from_utf8_lossy(&fs::read(&self.stderr)?).into_owned(),
            elapsed,
            timed_out: watchdog.join().unwrap_or(false),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended
            && let Ok(id) = pid(self.child.id())
        {
            // Nothing can be done about a group that is gone already, and that is what is wanted.
            let _ = kill_process_group(id, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// A process id in the form that signals take.
pub(crate) fn pid(id: u32) -> Result<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw).with_context(|| format!("{id} is no process id"))
}

fn parent(folder: &Path) -> Option<u32> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn is_provider(folder: &Path) -> bool {
    let line = fs::read(folder.join("cmdline")).unwrap_or_default();
    let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(program).ends_with("terraform-provider-nvidia")
}
