//! The shell that holds the parts of a cluster: see `supervisor.sh`, which says why it is one.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

/// A running supervisor. When it is dropped, or when this process ends without a chance to drop anything, all that it
/// has started is killed.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shell: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    processes: Vec<Process>,
}

impl Supervisor {
    /// One for a folder, which goes with it.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("supervisor.sh"), "supervisor"]).arg(folder);
        // A group of its own: Ctrl-C and `timeout` are for the tests, and their end is what ends this.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut shell = command.spawn().context("cannot start sh")?;
        let commands = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().context("sh has no stdout")?);
        Ok(Self { shell, commands, answers, processes: Vec::new() })
    }

    /// Starts a program; what it prints goes to `NAME.log` in the folder.
    pub(crate) fn run(&mut self, name: &str, program: &Path, arguments: &[String]) -> Result<()> {
        let words = [name.to_owned(), program.display().to_string()];
        let words: Vec<String> = words.iter().chain(arguments).map(|word| quoted(word)).collect();
        let answer = self.ask(&format!("start {}", words.join(" ")))?;
        let id = answer.parse().with_context(|| format!("the supervisor answered {answer:?} for {name}"))?;
        self.processes.push(Process { name: name.to_owned(), id });
        Ok(())
    }

    /// What it has started, in that order.
    pub(crate) fn processes(&self) -> &[Process] {
        &self.processes
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        let commands = self.commands.as_mut().context("the supervisor has been ended")?;
        writeln!(commands, "{line}").context("the supervisor is gone")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.commands = None;
        // It ends on its own now, and whoever dropped it may rely on that everything is gone.
        let _ = self.shell.wait();
    }
}

/// A part that was started.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) id: u32,
}

impl Process {
    /// Whether it still runs. One that has ended and that nobody has waited for counts as ended.
    pub(crate) fn runs(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.id)).is_ok_and(|stat| !has_ended(&stat))
    }
}

/// The state is the letter behind the name, which stands in parentheses and may hold some itself.
fn has_ended(stat: &str) -> bool {
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('Z' | 'X'))
}

/// As a shell reads it back.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{has_ended, quoted};

    #[test]
    fn a_zombie_has_ended() {
        assert!(has_ended("12 (etcd) Z 1 12"));
        assert!(!has_ended("12 (a) Z b) S 1 12"));
    }

    #[test]
    fn a_word_is_quoted_for_the_shell() {
        assert_eq!(quoted("it's $here"), r"'it'\''s $here'");
    }
}
