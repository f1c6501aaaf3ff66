//! Where the settings of a cluster are looked for, in order.

use std::path::Path;

use kube::config::{AuthInfo, ExecConfig};
use secrecy::{ExposeSecret, SecretString};

use super::kubeconfig::Files;
use super::server::{Parts, Server};
use super::{Environment, Exec, Field, Inline, Settings, SettingsError, SettingsProblem};

/// How messages call settings that are given as values.
const INLINE: &str = "the provider block";

impl Settings {
    /// Finds and reads the settings: values, else `config_paths`, else `KUBE_CONFIG_PATH`, else `KUBE_CONFIG_PATHS`, else
    /// `KUBECONFIG`, else a pod's service account.
    ///
    /// A file that is named by anything but `KUBECONFIG` must be there: a provider must not end up in another cluster
    /// by a typing error. There is no default file and no default address.
    ///
    /// # Errors
    /// Says which file, context and field cannot be used, and why; where nothing is configured, where was looked.
    pub(crate) fn resolve(&self) -> Result<Server, SettingsError> {
        if let Some(inline) = &self.inline {
            return self.of_values(inline);
        }
        match self.files() {
            Some(files) => {
                let context = self.context.as_deref().or(self.environment.kube_ctx.as_deref());
                files.server(context, self, &self.environment)
            }
            None if self.context.is_some() => Err(self.not_configured()),
            None => self.of_pod(),
        }
    }

    fn files(&self) -> Option<Files> {
        let environment = &self.environment;
        let named = |paths| Some(Files { paths, may_be_missing: false });
        if !self.config_paths.is_empty() {
            return named(self.config_paths.iter().map(|path| environment.expand(path)).collect());
        }
        if let Some(path) = &environment.kube_config_path {
            return named(vec![environment.expand(Path::new(path))]);
        }
        if let Some(list) = &environment.kube_config_paths {
            return named(environment.paths(list));
        }
        let list = environment.kubeconfig.as_ref()?;
        let paths = environment.paths(list);
        (!paths.is_empty()).then_some(Files { paths, may_be_missing: true })
    }

    fn of_values(&self, inline: &Inline) -> Result<Server, SettingsError> {
        let token = inline.token.as_ref().map(|token| token.expose_secret().trim());
        if token.is_some_and(str::is_empty) {
            return Err(SettingsError::new(INLINE, Field::Token, SettingsProblem::Missing));
        }
        let auth = AuthInfo {
            token: token.map(|token| token.to_owned().into()),
            exec: inline.exec.as_ref().map(plugin),
            ..AuthInfo::default()
        };
        let parts = Parts {
            url: inline.host.clone(),
            ca: inline.ca_certificate.clone(),
            ca_file: None,
            certificate: inline.client_certificate.clone(),
            key: inline.client_key.clone(),
            tls_server_name: self.tls_server_name.clone(),
            proxy_url: self.proxy_url.clone(),
            auth,
        };
        Server::new(parts, &self.environment, INLINE)
    }

    /// The cluster of the pod that we run in.
    fn of_pod(&self) -> Result<Server, SettingsError> {
        let Environment { service: Some((host, port)), service_account, .. } = &self.environment else {
            return Err(self.not_configured());
        };
        let origin = format!("the service account in {}", service_account.display());
        let ca = service_account.join("ca.crt");
        let token = service_account.join("token");
        for (field, path) in [(Field::CaCertificate, &ca), (Field::Token, &token)] {
            if let Err(why) = std::fs::metadata(path) {
                return Err(SettingsError::new(origin, field, SettingsProblem::Unreadable(why.to_string())));
            }
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let parts = Parts {
            url: format!("https://{host}:{port}"),
            // Both are read again, since Kubernetes renews them.
            ca_file: Some(ca),
            auth: AuthInfo { token_file: Some(token.display().to_string()), ..AuthInfo::default() },
            tls_server_name: self.tls_server_name.clone(),
            proxy_url: self.proxy_url.clone(),
            ..Parts::default()
        };
        Server::new(parts, &self.environment, &origin)
    }

    fn not_configured(&self) -> SettingsError {
        let looked_at =
            ["config_path", "host", "client_configuration", "KUBE_CONFIG_PATH", "KUBE_CONFIG_PATHS", "KUBECONFIG"]
                .map(str::to_owned)
                .into_iter()
                .chain([format!("the service account of a pod ({})", self.environment.service_account.display())])
                .collect();
        SettingsError::new("", None, SettingsProblem::NotConfigured { looked_at })
    }
}

fn plugin(exec: &Exec) -> ExecConfig {
    let one = |(name, value): (&String, &SecretString)| {
        [("name".to_owned(), name.clone()), ("value".to_owned(), value.expose_secret().to_owned())].into()
    };
    ExecConfig {
        api_version: Some(exec.api_version.clone()),
        command: Some(exec.command.clone()),
        args: Some(exec.args.clone()),
        env: Some(exec.env.iter().map(one).collect()),
        ..ExecConfig::default()
    }
}
