//! Starts the parts of a cluster, in the order in which they need one another.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::{Context, Result, bail};

use crate::admission;
use crate::api::Api;
use crate::certificates::{ADMINISTRATORS, Authority, token_keys};
use crate::claims::Claims;
use crate::cluster::Cluster;
use crate::kubeconfig::{address, kubeconfig, write};
use crate::kubelet;
use crate::parts::{Layout, stages};
use crate::ports;
use crate::release::{Release, tool};
use crate::server::{Request, Reserved, Server, reply};
use crate::supervisor::Supervisor;
use crate::wait::until;

/// A port that was free can be taken before its server listens.
const STARTS: usize = 3;
/// How much of a log an error shows.
const LINES: usize = 30;

/// Starts a cluster in this folder, anew when a port was taken in between.
pub(crate) fn start(folder: &Path) -> Result<Cluster> {
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
        etcd: layout.etcd,
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
    let handler = move |request: &Request, to: &mut dyn Write| match request.path.as_str() {
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

/// The end of a log or of a listing.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("{line}\n")).collect()
}
