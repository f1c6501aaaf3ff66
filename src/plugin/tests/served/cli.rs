//! The real CLIs, in a directory with one configuration.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use crate::process::BINARY;

/// A CLI of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Cli {
    program: PathBuf,
    version: String,
}

impl Cli {
    /// All that this machine has, for what must hold in each: at least one Terraform and one OpenTofu.
    pub(crate) fn all() -> Vec<Self> {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
        let terraforms = [PathBuf::from("terraform"), tools.join("terraform")];
        let found: Vec<_> = terraforms.into_iter().filter_map(Self::at).collect();
        assert!(!found.is_empty(), "there is no terraform: `make tools` builds it");
        let tofu = Self::at(tools.join("tofu")).or_else(|| Self::at("tofu".into()));
        found.into_iter().chain([tofu.expect("there is no tofu: `make tools` builds it")]).collect()
    }

    /// The newest Terraform.
    pub(crate) fn terraform() -> Self {
        Self::all().swap_remove(0)
    }

    fn at(program: PathBuf) -> Option<Self> {
        let output = Command::new(&program)
            .args(["version", "-json"])
            .env("CHECKPOINT_DISABLE", "1")
            // A file that is named and missing is a warning in the middle of the JSON.
            .env_remove("TF_CLI_CONFIG_FILE")
            .output()
            .ok()?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(Self { program, version: said["terraform_version"].as_str()?.to_owned() })
    }

    /// Whether it knows write-only attributes.
    pub(crate) fn knows_write_only(&self) -> bool {
        let mut numbers = self.version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
        (numbers.next(), numbers.next()) >= (Some(1), Some(11))
    }
}

/// A directory with a configuration.
pub(crate) struct Workspace {
    cli: Cli,
    directory: tempfile::TempDir,
}

const PREAMBLE: &str = "terraform {\n  required_providers {\n    faulty = { source = \"test/faulty\" }\n  }\n}\n";

impl Workspace {
    pub(crate) fn new(cli: &Cli, configuration: &str) -> Self {
        let workspace = Self { cli: cli.clone(), directory: tempfile::tempdir().unwrap() };
        let binaries = Path::new(BINARY).parent().unwrap().display();
        // Each CLI has a registry of its own, which it puts in front of the source.
        let overrides = ["registry.terraform.io", "registry.opentofu.org"]
            .map(|host| format!("\"{host}/test/faulty\" = \"{binaries}\""))
            .join("\n");
        let rc = format!("provider_installation {{\ndev_overrides {{\n{overrides}\n}}\ndirect {{}}\n}}\n");
        std::fs::write(workspace.path("cli.tfrc"), rc).unwrap();
        workspace.configure(configuration);
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, configuration: &str) {
        std::fs::write(self.path("main.tf"), format!("{PREAMBLE}{configuration}\n")).unwrap();
    }

    /// The CLI with these arguments, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cli.program);
        for name in ["TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_PROVIDER_FAULTY", "TF_REATTACH_PROVIDERS"] {
            command.env_remove(name);
        }
        command
            .current_dir(self.directory.path())
            .env("TF_CLI_CONFIG_FILE", self.path("cli.tfrc"))
            .envs([("CHECKPOINT_DISABLE", "1"), ("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0")])
            .arg(arguments[0])
            // NO_COLOR alone does not do it in Terraform.
            .arg("-no-color")
            .args(&arguments[1..])
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.cli, arguments, self.command(arguments).output().unwrap())
    }

    /// Runs it to its end with more of an environment.
    pub(crate) fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
        let output = self.command(arguments).envs(environment.iter().copied()).output();
        Ran::of(&self.cli, arguments, output.unwrap())
    }

    /// Starts it in a process group of its own, which a terminal's Ctrl-C would reach as a whole.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        use std::os::unix::process::CommandExt;
        let mut command = self.command(arguments);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The state of the only resource, as `show -json` tells it.
    pub(crate) fn resource(&self) -> serde_json::Value {
        let shown = self.run(&["show", "-json"]).succeeds();
        let mut state: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        let resources = state["values"]["root_module"]["resources"].as_array_mut().unwrap();
        resources.iter_mut().find(|resource| resource["mode"] == "managed").unwrap().take()
    }
}

/// What a command did.
pub(crate) struct Ran {
    what: String,
    status: std::process::ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(cli: &Cli, arguments: &[&str], output: Output) -> Self {
        Self {
            what: format!("{} {} {}", cli.program.display(), cli.version, arguments.join(" ")),
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn everything(&self) -> String {
        format!("{}: {}\n--- stdout\n{}\n--- stderr\n{}", self.what, self.status, self.stdout, self.stderr)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.everything());
        self
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// That the messages say this, however they are wrapped.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = words(&self.stderr.replace(['│', '╷', '╵'], " "));
        assert!(said.contains(&words(text)), "{text:?} is not in\n{}", self.everything());
        self
    }
}
