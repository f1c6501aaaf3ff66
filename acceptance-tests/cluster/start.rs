//! Starts a cluster, and what can be asked of it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::admission;
use crate::api::Api;
use crate::certificates::{Authority, token_keys};
use crate::claims::{Claim, Claims};
use crate::kubeconfig::{kubeconfig, write};
use crate::kubectl::{self, Output};
use crate::kubelet;
use crate::namespace::Namespace;
use crate::node::NodeBuilder;
use crate::parts::{Layout, stages};
use crate::ports;
use crate::proxy::Proxy;
use crate::release::{Release, tool};
use crate::server::{Request, Reserved, Server, reply};
use crate::supervisor::Supervisor;

/// A start takes four seconds; this is for a machine that does much else.
const LIMIT: Duration = Duration::from_secs(180);
/// Between two looks at something that another process does.
const INTERVAL: Duration = Duration::from_millis(20);
/// A port that was free can be taken before its server listens.
const STARTS: usize = 3;
/// How much of a log an error shows.
const LINES: usize = 30;

/// The group whose members may do everything.
const ADMINISTRATORS: &str = "system:masters";

/// A running cluster. When it is dropped, or when this process ends, all of its processes end and its folder goes.
#[derive(Debug)]
pub struct Cluster {
    release: Release,
    folder: PathBuf,
    port: u16,
    authority: Authority,
    api: Api,
    claims: Claims,
    made: AtomicUsize,
    // Before the played kubelet, so that nothing asks one that is gone.
    supervisor: Supervisor,
    _played: Server,
}

impl Cluster {
    /// One in a new temporary folder.
    ///
    /// # Errors
    /// When a program is missing, which `make tools` mends, or does not start; the message shows its log.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("cluster-").tempdir().context("no temporary folder")?;
        let folder = folder.keep();
        // Gone already, unless it failed before anything was started there.
        Self::start_in(&folder).inspect_err(|_| drop(fs::remove_dir_all(&folder)))
    }

    /// One in this folder, which must be empty or new, and which goes with the cluster.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_in(folder: &Path) -> Result<Self> {
        let release = Release::chosen();
        release.minor()?;
        let mut started = boot(folder, &release);
        for _ in 1..STARTS {
            if !started.as_ref().is_err_and(|error| format!("{error:#}").contains("address already in use")) {
                break;
            }
            started = boot(folder, &release);
        }
        started
    }

    /// The cluster that all cases of this process share, started by the first that asks.
    ///
    /// # Errors
    /// As `start`, to everybody who asks.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        let started = SHARED.get_or_init(|| Self::start().map_err(|error| format!("{error:#}")));
        started.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// Which Kubernetes it is.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Where its files and logs lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// The API server's address: `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn server(&self) -> String {
        address(self.port)
    }

    /// The certificate of its authority, PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        self.authority.pem()
    }

    /// Calls of the administrator, for what is too small for kubectl.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The processes by name, with their ids.
    pub fn processes(&self) -> impl Iterator<Item = (&str, u32)> {
        self.supervisor.processes().iter().map(|process| (process.name.as_str(), process.id))
    }

    /// Runs kubectl as the administrator, however it ends.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Output> {
        self.kubectl_as(&self.kubeconfig(), arguments)
    }

    /// Runs kubectl with another kubeconfig.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Result<Output> {
        kubectl::run(&self.folder, kubeconfig, arguments, "")
    }

    /// `kubectl apply -f -` of these objects, YAML or JSON.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn apply(&self, objects: &str) -> Result<String> {
        kubectl::run(&self.folder, &self.kubeconfig(), &["apply", "-f", "-"], objects)?.succeeded()
    }

    /// The kubeconfig of a user who may do nothing that no role allows: what RBAC cases start from.
    ///
    /// # Errors
    /// When the user is to be in more than two groups, or the file cannot be written.
    pub fn user(&self, name: &str, groups: &[&str]) -> Result<PathBuf> {
        self.write_kubeconfig("user", &self.server(), name, groups)
    }

    /// A proxy in front of the API server, for one case to break.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn proxy(&self) -> Result<Proxy> {
        self.proxy_as("admin", &[ADMINISTRATORS])
    }

    /// The same with the kubeconfig of another user.
    ///
    /// # Errors
    /// As `proxy` and `user`.
    pub fn proxy_as(&self, name: &str, groups: &[&str]) -> Result<Proxy> {
        Proxy::start(self.port, |port| self.write_kubeconfig("proxy", &address(port), name, groups))
    }

    /// A node that is about to be created.
    pub fn node(&self, name: &str) -> NodeBuilder<'_> {
        NodeBuilder::new(self, name)
    }

    /// A namespace that is about to be created.
    pub fn namespace(&self, name: &str) -> Namespace<'_> {
        Namespace::new(self, name)
    }

    /// A name that no other case of this process has: `prefix-7`.
    #[must_use]
    pub fn unique(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes a name that the cluster has only once, such as `runtimeclass/nvidia`, and waits while another case has it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Claim<'_> {
        self.claims.claim(name)
    }

    /// Waits until `look` finds something.
    ///
    /// # Errors
    /// When it fails, or finds nothing for as long as a case may wait; the message names `what`.
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        until(what, look)
    }

    /// Keeps the folder with the logs when the cluster ends, without etcd's data, for the sake of a case that failed:
    /// for as long as there is a file in `keep`.
    ///
    /// # Errors
    /// When that cannot be noted.
    pub fn keep(&self, case: &str) -> Result<()> {
        let folder = self.folder.join("keep");
        let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(case), ""));
        kept.context("the cluster's folder cannot be kept")
    }

    /// What a reader wants to know of the cluster when a case failed: its objects and events, as kubectl shows them.
    #[must_use]
    pub fn facts(&self) -> String {
        let asked: [&[&str]; 3] = [
            &["get", "nodes,runtimeclasses", "-o", "wide"],
            &["get", "pods,daemonsets", "-A", "-o", "wide"],
            &["get", "events", "-A", "--sort-by=.lastTimestamp"],
        ];
        let mut told = format!("Kubernetes {}, logs in {}\n", self.release, self.folder.display());
        for arguments in asked {
            let said = self.kubectl(arguments).map_or_else(
                |error| format!("kubectl {}: {error:#}", arguments.join(" ")),
                |output| format!("$ {}\n{}{}", output.command, last_lines(&output.stdout), output.stderr),
            );
            // Writing into a String cannot fail.
            let _ = writeln!(told, "{said}");
        }
        told
    }

    fn write_kubeconfig(&self, kind: &str, server: &str, name: &str, groups: &[&str]) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.kubeconfig", self.unique(kind)));
        let identity = self.authority.client(name, groups)?;
        write(&path, &kubeconfig(server, self.authority.pem(), &identity))?;
        Ok(path)
    }
}

/// One attempt.
fn boot(folder: &Path, release: &Release) -> Result<Cluster> {
    let reserved = Reserved::new()?;
    let layout = Layout {
        folder,
        etcd: ports::free()?,
        etcd_peer: ports::free()?,
        server: ports::free()?,
        kubelet: reserved.port()?,
    };
    let [etcd, kwok] = [tool("etcd")?, tool("kwok")?];
    let [server, manager, scheduler] = [
        release.program("kube-apiserver")?,
        release.program("kube-controller-manager")?,
        release.program("kube-scheduler")?,
    ];
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let authority = Authority::new()?;
    write_files(folder, &authority, layout.server)?;
    let api = Api::new(layout.server, &authority, &authority.client("cluster", &[ADMINISTRATORS])?)?;
    let played = play(reserved, &authority, &api)?;

    let mut supervisor = Supervisor::start(folder)?;
    supervisor.run("etcd", &etcd, &layout.etcd())?;
    supervisor.run("kube-apiserver", &server, &layout.apiserver())?;
    alive(folder, &supervisor, "the API server is ready", || {
        Ok(api.call("GET", "/readyz", None).ok().filter(|answer| answer.code == 200).map(drop))
    })?;
    supervisor.run("kube-controller-manager", &manager, &layout.controller_manager())?;
    supervisor.run("kube-scheduler", &scheduler, &layout.scheduler())?;
    supervisor.run("kwok", &kwok, &layout.kwok())?;
    api.create(
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        &admission::configuration(layout.kubelet, authority.pem()),
    )?;
    alive(folder, &supervisor, "the service account `default` is there", || {
        Ok(api.find("/api/v1/namespaces/default/serviceaccounts/default")?.map(drop))
    })?;
    Ok(Cluster {
        release: release.clone(),
        folder: folder.to_owned(),
        port: layout.server,
        authority,
        api,
        claims: Claims::default(),
        made: AtomicUsize::new(0),
        supervisor,
        _played: played,
    })
}

/// Everything that the command lines name.
fn write_files(folder: &Path, authority: &Authority, server: u16) -> Result<()> {
    let file = |name: &str, text: &str| -> Result<()> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let (private, public) = token_keys()?;
    file("tokens.key", &private)?;
    file("tokens.pub", &public)?;
    file("ca.crt", authority.pem())?;
    let identity = authority.server()?;
    file("server.crt", &identity.certificate)?;
    file("server.key", &identity.key)?;
    file("stages.yaml", &stages())?;
    let users: [(&str, &str, &[&str]); 4] = [
        ("admin", "admin", &[ADMINISTRATORS]),
        ("controller-manager", "system:kube-controller-manager", &[]),
        ("scheduler", "system:kube-scheduler", &[]),
        ("kwok", "kwok", &[ADMINISTRATORS]),
    ];
    for (name, user, groups) in users {
        let config = kubeconfig(&address(server), authority.pem(), &authority.client(user, groups)?);
        write(&folder.join(format!("{name}.kubeconfig")), &config)?;
    }
    Ok(())
}

/// Answers for every kubelet, and for the webhook.
fn play(reserved: Reserved, authority: &Authority, api: &Api) -> Result<Server> {
    let api = api.clone();
    let handler = move |request: &Request, to: &mut dyn std::io::Write| match request.path.as_str() {
        "/admit" => admission::admit(&api, request, to),
        path if path.starts_with("/containerLogs/") => kubelet::logs(&api, request, to),
        path => reply(to, 404, "text/plain", format!("nothing is played at {path}").as_bytes()),
    };
    reserved.serve(&authority.server()?, Arc::new(handler))
}

/// Waits, and fails at once when one of the processes has ended.
fn alive(folder: &Path, parts: &Supervisor, what: &str, mut look: impl FnMut() -> Result<Option<()>>) -> Result<()> {
    until(what, || match parts.processes().iter().find(|process| !process.runs()) {
        Some(ended) => {
            let log = fs::read_to_string(folder.join(format!("{}.log", ended.name))).unwrap_or_default();
            bail!("{} has ended. Its log says last:\n{}", ended.name, last_lines(&log))
        }
        None => look(),
    })
}

fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().with_context(|| format!("while waiting until {what}"))? {
            return Ok(found);
        }
        if started.elapsed() > LIMIT {
            bail!("after {} seconds it is still not so that {what}", LIMIT.as_secs());
        }
        thread::sleep(INTERVAL);
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("{line}\n")).collect()
}

fn address(port: u16) -> String {
    format!("https://127.0.0.1:{port}")
}
