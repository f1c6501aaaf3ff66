//! Where the client configuration is looked for.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::credentials::{Credentials, InlineCredentials};
use super::{ClientConfig, ConfigError, ConfigProblem, Endpoint, Field, talosconfig};

/// How messages call credentials that are given as values.
const INLINE: &str = "client_configuration";

/// The talosconfig of a pod that Talos gave access to its API (`kubernetesTalosAPIAccess`).
const SERVICE_ACCOUNT: &str = "/var/run/secrets/talos.dev/config";

/// What the operator gave, and the environment that fills the gaps.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// The path of a talosconfig; `~` is the home folder.
    pub config_path: Option<PathBuf>,
    /// The context in it, in place of the one that the file chooses.
    pub context: Option<String>,
    /// Endpoints, in place of the context's.
    pub endpoints: Option<Vec<String>>,
    /// Credentials as values: no talosconfig is read then.
    pub inline: Option<InlineCredentials>,
    /// The environment.
    pub environment: Environment,
}

/// The part of the process's environment that counts here; a test passes its own.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `TALOSCONFIG`: the path of a talosconfig.
    pub talosconfig: Option<OsString>,
    /// `TALOS_HOME`: the folder that takes the place of `~/.talos`, if it is absolute.
    pub talos_home: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// The last place to look: the talosconfig that Talos mounts into a pod.
    pub service_account: PathBuf,
}

impl Default for Environment {
    /// An environment that says nothing.
    fn default() -> Self {
        Self { talosconfig: None, talos_home: None, home: None, service_account: SERVICE_ACCOUNT.into() }
    }
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            talosconfig: variable("TALOSCONFIG"),
            talos_home: variable("TALOS_HOME"),
            home: variable("HOME"),
            ..Self::default()
        }
    }

    /// `~` and `~/…` with the home folder in its place; anything else as it is.
    fn expand(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => PathBuf::from(home),
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => path.to_owned(),
        }
    }

    /// The usual places of a talosconfig, in the order in which talosctl looks (`client/config/path.go`).
    fn usual_places(&self) -> Vec<PathBuf> {
        let folder = match &self.talos_home {
            Some(folder) if Path::new(folder).is_absolute() => Some(PathBuf::from(folder)),
            _ => self.home.as_ref().map(|home| Path::new(home).join(".talos")),
        };
        folder.map(|folder| folder.join("config")).into_iter().chain([self.service_account.clone()]).collect()
    }
}

impl Discovery {
    /// Finds and reads the client configuration: inline credentials, else `config_path`, else `TALOSCONFIG`, else the
    /// first of `$TALOS_HOME/config` (`~/.talos/config`) and a pod's service account that exists.
    ///
    /// A `TALOSCONFIG` that names no file is an error here, unlike in talosctl, which would go on to the next place:
    /// a provider must not end up in another cluster by a typing error.
    ///
    /// # Errors
    /// Says which file, context and field cannot be used, and why.
    pub fn resolve(&self) -> Result<ClientConfig, ConfigError> {
        if let Some(inline) = &self.inline {
            return self.resolve_inline(inline);
        }
        let path = self.path()?;
        let endpoints = match &self.endpoints {
            Some(given) => Some(endpoints(given.iter().cloned(), &path.display().to_string())?),
            None => None,
        };
        talosconfig::load(&path, self.context.as_deref(), endpoints.as_deref())
    }

    fn resolve_inline(&self, inline: &InlineCredentials) -> Result<ClientConfig, ConfigError> {
        let endpoints = endpoints(self.endpoints.iter().flatten().cloned(), INLINE)?;
        let credentials = Credentials::new(inline, INLINE)?;
        Ok(ClientConfig { endpoints, nodes: Vec::new(), cluster: None, credentials, origin: INLINE.to_owned() })
    }

    fn path(&self) -> Result<PathBuf, ConfigError> {
        let environment = &self.environment;
        if let Some(path) = &self.config_path {
            return Ok(environment.expand(path));
        }
        if let Some(path) = &environment.talosconfig {
            let path = environment.expand(Path::new(path));
            // Reading it says why it cannot be read; that it is the variable which names it is said here.
            return match path.try_exists() {
                Ok(false) => {
                    let problem = ConfigProblem::Unreadable("the file does not exist".to_owned());
                    Err(ConfigError::new(format!("TALOSCONFIG {}", path.display()), Field::ConfigPath, problem))
                }
                _ => Ok(path),
            };
        }
        let places = environment.usual_places();
        places.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
            let problem = ConfigProblem::NotFound { looked_at: places };
            ConfigError::new("talosconfig", Field::ConfigPath, problem)
        })
    }
}

/// Reads each as an endpoint; `origin` is named in the error.
pub(super) fn endpoints(written: impl Iterator<Item = String>, origin: &str) -> Result<Vec<Endpoint>, ConfigError> {
    let read = |text: String| {
        text.parse().map_err(|error| ConfigError::new(origin, Field::Endpoints, ConfigProblem::Endpoint(error)))
    };
    written.map(read).collect()
}
