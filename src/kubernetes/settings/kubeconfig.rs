//! Kubeconfig files: read and merged by kube as kubectl does it, then one context of them.

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster, Kubeconfig, KubeconfigError};
use secrecy::{ExposeSecret, SecretString};

use super::server::{Parts, Server};
use super::{Environment, Field, SettingsError, SettingsProblem};

/// Files that are read together.
pub(super) struct Files {
    pub(super) paths: Vec<PathBuf>,
    /// Whether a file that is not there is passed over, as kubectl does with those of `KUBECONFIG`.
    pub(super) may_be_missing: bool,
}

impl Files {
    fn origin(&self) -> String {
        self.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Reads and merges them. The first file to name a thing wins.
    fn read(&self) -> Result<Kubeconfig, SettingsError> {
        let mut merged: Option<Kubeconfig> = None;
        for path in &self.paths {
            if self.may_be_missing && !path.exists() {
                continue;
            }
            let next = read(path)?;
            merged = Some(match merged {
                Some(before) => before.merge(next).map_err(|error| problem(path, &error))?,
                None => next,
            });
        }
        merged.ok_or_else(|| {
            SettingsError::new(self.origin(), Field::ConfigPath, SettingsProblem::Unreadable("no such file".to_owned()))
        })
    }

    /// The server of a context: the one that is asked for, else the one that the files choose.
    pub(super) fn server(
        &self,
        context: Option<&str>,
        over: &super::Settings,
        environment: &Environment,
    ) -> Result<Server, SettingsError> {
        let files = self.origin();
        let kubeconfig = self.read()?;
        let (name, cluster, user) = chosen(kubeconfig, context, &files)?;
        let origin = format!("context {name} of {files}");
        let mut parts = parts(cluster, user, &origin)?;
        if over.tls_server_name.is_some() {
            parts.tls_server_name.clone_from(&over.tls_server_name);
        }
        if over.proxy_url.is_some() {
            parts.proxy_url.clone_from(&over.proxy_url);
        }
        Server::new(parts, environment, &origin)
    }
}

fn read(path: &Path) -> Result<Kubeconfig, SettingsError> {
    Kubeconfig::read_from(path).map_err(|error| problem(path, &error))
}

/// A parser's message quotes the file, which holds secrets, so only the line is said.
fn problem(path: &Path, error: &KubeconfigError) -> SettingsError {
    let problem = match error {
        KubeconfigError::ReadConfig(why, _) => SettingsProblem::Unreadable(why.to_string()),
        KubeconfigError::Parse(why) => {
            SettingsProblem::NotAKubeconfig { line: why.location().map(|location| location.line()) }
        }
        _ => SettingsProblem::NotAKubeconfig { line: None },
    };
    SettingsError::new(path.display().to_string(), Field::ConfigPath, problem)
}

fn chosen(
    kubeconfig: Kubeconfig,
    context: Option<&str>,
    files: &str,
) -> Result<(String, Cluster, AuthInfo), SettingsError> {
    let known = || kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let wrong = |field, problem| SettingsError::new(files, field, problem);
    if kubeconfig.clusters.is_empty() && kubeconfig.contexts.is_empty() {
        return Err(wrong(Field::ConfigPath, SettingsProblem::Empty));
    }
    let current = kubeconfig.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = context.or(current) else {
        return Err(wrong(Field::Context, SettingsProblem::NoContext { known: known() }));
    };
    let found = kubeconfig.contexts.iter().find(|context| context.name == name);
    let Some(context) = found.and_then(|found| found.context.as_ref()) else {
        let problem = SettingsProblem::UnknownContext { name: name.to_owned(), known: known() };
        return Err(wrong(Field::Context, problem));
    };
    let dangling = |what, missing: &str| {
        let problem = SettingsProblem::Dangling { context: name.to_owned(), what, name: missing.to_owned() };
        wrong(Field::Context, problem)
    };
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|cluster| cluster.name == context.cluster)
        .and_then(|cluster| cluster.cluster.clone())
        .ok_or_else(|| dangling("cluster", &context.cluster))?;
    let user = match context.user.as_deref().filter(|user| !user.is_empty()) {
        None => AuthInfo::default(),
        Some(user) => kubeconfig
            .auth_infos
            .iter()
            .find(|known| known.name == user)
            .map(|known| known.auth_info.clone().unwrap_or_default())
            .ok_or_else(|| dangling("user", user))?,
    };
    Ok((name.to_owned(), cluster, user))
}

fn parts(cluster: Cluster, mut user: AuthInfo, origin: &str) -> Result<Parts, SettingsError> {
    let wrong = |field, problem| SettingsError::new(origin, field, problem);
    if cluster.insecure_skip_tls_verify == Some(true) {
        let why = "it turns the check of the server's certificate off".to_owned();
        return Err(wrong(Field::Insecure, SettingsProblem::Unusable(why)));
    }
    if let Some(provider) = user.auth_provider.take() {
        let why = format!("the way `{}` is no longer part of Kubernetes", provider.name);
        return Err(wrong(Field::AuthProvider, SettingsProblem::Unusable(why)));
    }
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        let told = (&cluster).try_into();
        exec.cluster = Some(
            told.map_err(|_| wrong(Field::CaCertificate, SettingsProblem::Unusable("it cannot be read".to_owned())))?,
        );
    }
    let file = |field, data: Option<String>, path: Option<String>| match (data, path) {
        (Some(data), _) if !data.is_empty() => Ok(Some(data)),
        (_, Some(path)) if !path.is_empty() => std::fs::read_to_string(&path)
            .map(Some)
            .map_err(|why| wrong(field, SettingsProblem::Unreadable(format!("{path}: {why}")))),
        _ => Ok(None),
    };
    user.token = user.token.filter(|token| !token.expose_secret().is_empty());
    user.token_file = user.token_file.filter(|path| !path.is_empty());
    let key = user.client_key_data.take().map(|key| key.expose_secret().to_owned());
    Ok(Parts {
        url: cluster.server.unwrap_or_default(),
        ca: file(Field::CaCertificate, cluster.certificate_authority_data, cluster.certificate_authority)?,
        ca_file: None,
        certificate: file(
            Field::ClientCertificate,
            user.client_certificate_data.take(),
            user.client_certificate.take(),
        )?,
        key: file(Field::ClientKey, key, user.client_key.take())?.map(SecretString::from),
        tls_server_name: cluster.tls_server_name.filter(|name| !name.is_empty()),
        proxy_url: cluster.proxy_url.filter(|url| !url.is_empty()),
        auth: user,
    })
}
