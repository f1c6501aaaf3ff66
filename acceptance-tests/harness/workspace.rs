//! A folder with a configuration, and the command line run over it with an environment that holds nothing of the
//! machine's user.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cli::Cli;
use crate::command::Run;
use crate::places;
use crate::running::Running;
use crate::transcript::Transcript;
use crate::views::{Plan, State};

/// The longest that a case waits for one command. Cases end in seconds; this is for a command that hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// A configuration and the command line over it.
#[derive(Debug)]
pub struct Workspace {
    cli: Cli,
    program: PathBuf,
    /// Holds all of the workspace: `work` (the configuration and the state), `runs` (what was printed), `home`, `tmp`.
    folder: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    trace: bool,
    limit: Duration,
    /// A folder that its commands see in another place.
    elsewhere: Option<(PathBuf, PathBuf)>,
    started: AtomicUsize,
    transcript: Transcript,
}

impl Workspace {
    /// An empty one in `folder`, which must not exist, with the provider linked in `plugin`.
    pub(crate) fn new(cli: Cli, folder: PathBuf, plugin: &Path, transcript: Transcript) -> Result<Self> {
        cli.version()?;
        for name in ["work", "runs", "home", "tmp"] {
            fs::create_dir_all(folder.join(name)).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let settings = folder.join("cli.tfrc");
        fs::write(&settings, cli_settings(plugin))?;
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: OsString| environment.insert(OsString::from(name), value);
        set("PATH", std::env::var_os("PATH").unwrap_or_default());
        set("HOME", folder.join("home").into());
        // The provider's socket lies here, and goes with the folder whatever becomes of the provider.
        set("TMPDIR", folder.join("tmp").into());
        set("TF_CLI_CONFIG_FILE", settings.into());
        for (name, value) in
            [("CHECKPOINT_DISABLE", "1"), ("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0"), ("NO_COLOR", "1")]
        {
            set(name, value.into());
        }
        Ok(Self {
            cli,
            program: cli.path()?,
            folder,
            environment,
            trace: false,
            limit: LIMIT,
            elsewhere: None,
            started: AtomicUsize::new(0),
            transcript,
        })
    }

    /// Which command line runs over it.
    #[must_use]
    pub fn cli(&self) -> Cli {
        self.cli
    }

    /// Where the configuration and the state lie.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// The folder that its commands see as the user's home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Everything that its commands have left behind, for a scan: output, traces, state, plans.
    #[must_use]
    pub fn left_behind(&self) -> Vec<PathBuf> {
        ["work", "runs", "tmp"].iter().map(|name| self.folder.join(name)).collect()
    }

    /// Writes a file of the configuration; a path relative to it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        self.transcript.file(&path);
        Ok(())
    }

    /// An environment variable for its commands from now on.
    pub fn set_env(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.insert(name.into(), value.into());
    }

    /// Takes an environment variable away.
    pub fn remove_env(&mut self, name: &str) {
        self.environment.remove(&OsString::from(name));
    }

    /// From now on every run is traced (`TF_LOG=TRACE`), into a file beside its output.
    pub fn trace(&mut self) {
        self.trace = true;
    }

    /// How long its commands may run from now on.
    pub fn limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// From now on its commands see `folder` at `place`, a path of a system that this machine is not: they run in a mount
    /// namespace of their own, in which nothing else is below `/var/run`.
    pub fn see(&mut self, folder: &Path, place: &Path) {
        self.elsewhere = Some((folder.to_owned(), place.to_owned()));
    }

    fn command(&self) -> Command {
        let Some((folder, place)) = &self.elsewhere else { return Command::new(&self.program) };
        let mut command = Command::new("unshare");
        // The namespaces are given up with the process, which `exec` makes the command line itself.
        let script =
            "mount -t tmpfs none /var/run && mkdir -p \"$2\" && mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.args([folder, place, &self.program]);
        command
    }

    /// Runs a line of a page, as a reader's shell would: `terraform` is this command line, the others are the pinned ones.
    ///
    /// # Errors
    /// When one of the programs is missing, or the shell cannot be started.
    pub fn shell(&self, line: &str) -> Result<Run> {
        let programs = self.folder.join("bin");
        if !programs.exists() {
            fs::create_dir(&programs)?;
            symlink(&self.program, programs.join("terraform"))?;
            for (name, tool) in [("jq", "gojq"), ("kubectl", "kubectl"), ("talosctl", "talosctl")] {
                symlink(places::tools(tool)?, programs.join(name))?;
            }
        }
        let before = self.environment.get(&OsString::from("PATH")).cloned().unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&before)))?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).current_dir(self.path()).env_clear().envs(&self.environment).env("PATH", path);
        self.finish(Running::start(command, &self.output("sh"), self.limit)?)
    }

    /// Starts a command and leaves it running.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Result<Running> {
        let output = self.output(arguments.first().unwrap_or(&"none"));
        let mut command = self.command();
        command.args(arguments).current_dir(self.path()).env_clear().envs(&self.environment);
        if self.trace {
            command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", output.with_extension("trace"));
        }
        Running::start(command, &output, self.limit)
    }

    /// Where the next command's output goes.
    fn output(&self, name: &str) -> PathBuf {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        self.folder.join("runs").join(format!("{number:03}-{name}"))
    }

    /// Runs a command to its end, however it ends.
    ///
    /// # Errors
    /// When it cannot be started or read.
    pub fn run(&self, arguments: &[&str]) -> Result<Run> {
        self.finish(self.start(arguments)?)
    }

    /// Waits for a command that `start` started, and keeps what it printed for the report of a failure.
    ///
    /// # Errors
    /// When its output cannot be read.
    pub fn finish(&self, running: Running) -> Result<Run> {
        let run = running.wait()?;
        self.transcript.ran(&run);
        Ok(run)
    }

    /// `validate`, however it ends.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn validate(&self) -> Result<Run> {
        self.run(&["validate", "-json"])
    }

    /// A plan that is to be made, with the changes that it shows.
    ///
    /// # Errors
    /// When it fails.
    pub fn plan(&self) -> Result<Plan> {
        self.plan_with(&[])
    }

    /// The same with more arguments, such as `-refresh=false` or `-destroy`.
    ///
    /// # Errors
    /// When it fails, or when its exit code and its changes do not say the same.
    pub fn plan_with(&self, arguments: &[&str]) -> Result<Plan> {
        let file = self.path().join("plan.bin").display().to_string();
        let out = format!("-out={file}");
        let run = self.run(&[&["plan", "-json", "-detailed-exitcode", &out], arguments].concat())?.succeeded()?;
        let plan = Plan { json: self.show(&["show", "-json", &file])?, run };
        if (plan.run.code == Some(0)) != plan.is_empty() {
            bail!("{}, yet the plan shows {:?}", plan.run.outcome(), plan.changes());
        }
        Ok(plan)
    }

    /// A plan that is to fail.
    ///
    /// # Errors
    /// When it does not.
    pub fn plan_that_fails(&self) -> Result<Run> {
        self.run(&["plan", "-json"])?.failed()
    }

    /// An apply that is to succeed.
    ///
    /// # Errors
    /// When it fails.
    pub fn apply(&self) -> Result<Run> {
        self.run(&["apply", "-json", "-auto-approve"])?.succeeded()
    }

    /// The apply of the plan that `plan` made last, to succeed.
    ///
    /// # Errors
    /// When it fails.
    pub fn apply_plan(&self) -> Result<Run> {
        self.run(&["apply", "-json", "plan.bin"])?.succeeded()
    }

    /// An apply that is to fail.
    ///
    /// # Errors
    /// When it does not.
    pub fn apply_that_fails(&self) -> Result<Run> {
        self.run(&["apply", "-json", "-auto-approve"])?.failed()
    }

    /// A destroy that is to succeed.
    ///
    /// # Errors
    /// When it fails.
    pub fn destroy(&self) -> Result<Run> {
        self.run(&["destroy", "-json", "-auto-approve"])?.succeeded()
    }

    /// A destroy that is to fail.
    ///
    /// # Errors
    /// When it does not.
    pub fn destroy_that_fails(&self) -> Result<Run> {
        self.run(&["destroy", "-json", "-auto-approve"])?.failed()
    }

    /// A refresh that is to succeed, written into the state.
    ///
    /// # Errors
    /// When it fails.
    pub fn refresh(&self) -> Result<Run> {
        self.run(&["apply", "-json", "-auto-approve", "-refresh-only"])?.succeeded()
    }

    /// `import`, however it ends; it knows no `-json`.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn import(&self, address: &str, id: &str) -> Result<Run> {
        self.run(&["import", "-no-color", address, id])
    }

    /// The state.
    ///
    /// # Errors
    /// When it cannot be shown.
    pub fn state(&self) -> Result<State> {
        Ok(State { json: self.show(&["show", "-json"])? })
    }

    /// The state file as it lies there, private parts included.
    ///
    /// # Errors
    /// When there is none.
    pub fn state_file(&self) -> Result<Value> {
        let path = self.path().join("terraform.tfstate");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Puts a state file there, such as one that an older version wrote.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_state_file(&self, state: &Value) -> Result<()> {
        Ok(fs::write(self.path().join("terraform.tfstate"), serde_json::to_vec_pretty(state)?)?)
    }

    fn show(&self, arguments: &[&str]) -> Result<Value> {
        let run = self.run(arguments)?.succeeded()?;
        serde_json::from_str(&run.stdout).with_context(|| format!("`{}` did not print JSON", run.command))
    }
}

/// Both registries, so that one file serves both command lines; no `init`, no lock file, no network.
fn cli_settings(plugin: &Path) -> String {
    let overrides: Vec<String> = Cli::ALL
        .iter()
        .map(|cli| format!("    \"{}/talos-gpu/nvidia\" = \"{}\"\n", cli.registry(), plugin.display()))
        .collect();
    format!("provider_installation {{\n  dev_overrides {{\n{}  }}\n  direct {{}}\n}}\n", overrides.concat())
}
