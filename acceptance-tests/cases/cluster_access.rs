//! The ways to a cluster that a provider block can name, each gone to its end: through a proxy, as a pod, with a program
//! that gives credentials.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use harness::{Canaries, Case, Cluster, Speaks, Workspace};
use serde_json::{Value, json};

const ADDRESS: &str = "nvidia_runtime_class.this";

fn class(name: &str) -> String {
    format!("resource \"nvidia_runtime_class\" \"this\" {{\n  name = \"{name}\"\n}}\n")
}

/// A configuration whose provider block has these lines in `kubernetes`.
fn main_tf(block: &str, resource: &str) -> String {
    let main = harness::main_tf_over(None, None, resource);
    main.replace("provider \"nvidia\" {\n", &format!("provider \"nvidia\" {{\n  kubernetes = {{\n{block}\n  }}\n"))
}

fn made_settled_and_taken_away(cluster: &Cluster, name: &str, workspace: &Workspace) -> Result<()> {
    let path = format!("/apis/node.k8s.io/v1/runtimeclasses/{name}");
    workspace.apply()?;
    cluster.api().get(&path)?;
    workspace.plan()?.expect_empty()?;
    workspace.destroy()?;
    assert_eq!(cluster.api().find(&path)?, None);
    Ok(())
}

fn a_cluster_behind_a_proxy_is_reached_through_it_alone(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    for speaks in [Speaks::Http, Speaks::Socks5] {
        let name = cluster.unique("behind");
        let gateway = cluster.gateway(speaks)?;
        let config = fs::read_to_string(cluster.kubeconfig())?;
        let far = case.path().join(format!("{name}.kubeconfig"));
        // Only the proxy finds this server.
        fs::write(&far, config.replace(&cluster.server(), "https://cp.example:6443"))?;
        let block = format!(
            "    config_path = \"{}\"\n    tls_server_name = \"localhost\"\n    proxy_url = \"{}\"",
            far.display(),
            gateway.url()
        );
        let workspace = case.workspace(&main_tf(&block, &class(&name)))?;
        made_settled_and_taken_away(cluster, &name, &workspace)?;
        let asked = gateway.asked();
        ensure!(!asked.is_empty() && asked.iter().all(|asked| asked == "cp.example:6443"), "{asked:?}");
    }
    Ok(())
}
harness::on_one_minor!(a_cluster_behind_a_proxy_is_reached_through_it_alone);

fn a_proxy_that_refuses_or_says_nothing_is_named_and_its_password_is_not(case: &Case) -> Result<()> {
    const PASSWORD: &str = "ProxyCanary7hk2";
    let cluster = case.cluster()?;
    let name = cluster.unique("refused");
    let gateway = cluster.gateway(Speaks::Http)?;
    let block = format!(
        "    config_path = \"{}\"\n    proxy_url = \"{}\"",
        cluster.kubeconfig().display(),
        gateway.url_for(&format!("jane:{PASSWORD}"))
    );
    let resource = class(&name).replace("}\n", "  timeouts = { read = \"1s\" }\n}\n");
    let mut workspace = case.workspace(&main_tf(&block, &resource))?;
    workspace.trace();
    workspace.apply()?;
    gateway.refuse(403);
    let refused = workspace.plan_that_fails()?.only_error()?;
    gateway.fall_silent();
    let silent = workspace.plan_that_fails()?.only_error()?;
    for error in [refused, silent] {
        ensure!(error.says(&gateway.url()) && error.says(&cluster.server()), "{error}");
    }
    assert_eq!(workspace.state()?.addresses(), [ADDRESS]);
    let leaks = Canaries::new().plant("the proxy's password", PASSWORD).scan(&workspace.left_behind())?;
    ensure!(leaks.iter().all(|leak| leak.place.ends_with("main.tf")), "{leaks:?}");
    cluster.kubectl(&["delete", "runtimeclass", &name])?.succeeded()?;
    Ok(())
}
harness::on_one_minor!(a_proxy_that_refuses_or_says_nothing_is_named_and_its_password_is_not);

fn a_proxy_of_a_kind_that_is_not_supported_is_refused_on_its_attribute(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    for (url, says) in [
        ("https://proxy.example", "over TLS"),
        ("socks5://jane:x7@proxy.example", "user and a password"),
        ("ftp://proxy.example", "neither http nor socks5"),
    ] {
        let block = format!("    config_path = \"{}\"\n    proxy_url = \"{url}\"", cluster.kubeconfig().display());
        let error = case.workspace(&main_tf(&block, &class("unreached")))?.plan_that_fails()?.only_error()?;
        ensure!(error.says(says) && error.says("kubernetes.proxy_url") && !error.says("x7"), "{error}");
    }
    Ok(())
}
harness::on_one_minor!(a_proxy_of_a_kind_that_is_not_supported_is_refused_on_its_attribute);

/// Where Kubernetes puts what a pod needs to reach its cluster.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn in_a_pod_an_empty_block_is_the_pods_service_account(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("pod");
    let folder = case.path().join("account");
    fs::create_dir(&folder)?;
    cluster.service_account(&name, &folder)?;
    let mut workspace = case.workspace(&main_tf("", &class(&name)))?;
    workspace.see(&folder, Path::new(SERVICE_ACCOUNT));
    workspace.set_env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
    workspace.set_env("KUBERNETES_SERVICE_PORT", cluster.port().to_string());
    workspace.trace();
    let user = format!("system:serviceaccount:default:{name}");
    let error = workspace.apply_that_fails()?.only_error()?;
    ensure!(error.says("A right is missing") && error.says(&user), "{error}");

    let verbs = "--verb=get,create,patch,delete";
    cluster.kubectl(&["create", "clusterrole", &name, verbs, "--resource=runtimeclasses.node.k8s.io"])?.succeeded()?;
    let (role, account) = (format!("--clusterrole={name}"), format!("--serviceaccount=default:{name}"));
    cluster.kubectl(&["create", "clusterrolebinding", &name, &role, &account])?.succeeded()?;
    let may = ["auth", "can-i", "delete", "runtimeclasses.node.k8s.io", &format!("--as={user}")];
    cluster.until("the role is in force", || Ok(cluster.kubectl(&may)?.succeeded().ok().map(drop)))?;
    made_settled_and_taken_away(cluster, &name, &workspace)?;
    let token = fs::read_to_string(folder.join("token"))?;
    assert_eq!(Canaries::new().plant("the token", &token).scan(&workspace.left_behind())?, []);
    Ok(())
}
harness::on_one_minor!(in_a_pod_an_empty_block_is_the_pods_service_account);

/// A program for `exec` that does this.
fn plugin(case: &Case, text: &str) -> Result<PathBuf> {
    let path = case.path().join("credentials.sh");
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

fn exec(cluster: &Cluster, plugin: &Path, arguments: &str) -> String {
    format!(
        "    host = \"{}\"\n    cluster_ca_certificate = <<EOT\n{}EOT\n    exec = {{\n      api_version = \"client.authentication.k8s.io/v1\"\n      command = \"{}\"\n      {arguments}\n    }}",
        cluster.server(),
        cluster.ca(),
        plugin.display()
    )
}

fn what_a_plugin_writes_is_in_no_message_and_no_log(case: &Case) -> Result<()> {
    const WRITTEN: [&str; 3] = ["ErrorCanary5mv8", "OutputCanary2xq4", "ArgumentCanary9wd3"];
    let cluster = case.cluster()?;
    let failing = format!("echo 'Authorization: Bearer {}' >&2; echo {}; exit 3", WRITTEN[0], WRITTEN[1]);
    let plugin = plugin(case, &failing)?;
    let block = exec(cluster, &plugin, &format!("args = [\"{}\"]", WRITTEN[2]));
    let mut workspace = case.workspace(&main_tf(&block, &class("unreached")))?;
    workspace.trace();
    let error = workspace.apply_that_fails()?.only_error()?;
    let command = plugin.display().to_string();
    ensure!(error.says("exit status: 3") && error.says(&format!("Run `{command}` by hand")), "{error}");
    let canaries = WRITTEN.iter().fold(Canaries::new(), |canaries, written| canaries.plant(written, written));
    let leaks = canaries.scan(&workspace.left_behind())?;
    ensure!(leaks.iter().all(|leak| leak.place.ends_with("main.tf")), "{leaks:?}");
    Ok(())
}
harness::on_one_minor!(what_a_plugin_writes_is_in_no_message_and_no_log);

fn a_null_in_a_list_or_a_map_is_refused_on_its_attribute(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let block = |arguments: &str| exec(cluster, Path::new("aws"), arguments);
    let file = format!("    config_path = \"{}\"", cluster.kubeconfig().display());
    for (main, code) in [
        (main_tf(&block("args = [\"a\", null]"), &class("a")), "args"),
        (main_tf(&block("env = { A = null }"), &class("a")), "env"),
        (main_tf("    config_paths = [null]", &class("a")), "config_paths"),
        (main_tf(&file, &class("a").replace("}\n", "  labels = { a = null }\n}\n")), "labels"),
        (main_tf(&file, "resource \"nvidia_smoke_test\" \"this\" {\n  triggers = { a = null }\n}\n"), "triggers"),
    ] {
        let error = case.workspace(&main)?.validate()?.failed()?.only_error().with_context(|| code.to_owned())?;
        ensure!(error.says("null"), "{error}");
        let line = error.code.clone().unwrap_or_default();
        ensure!(line.contains(code), "{code}: it points at {line:?}\n{error}");
    }
    Ok(())
}
harness::on_one_minor!(a_null_in_a_list_or_a_map_is_refused_on_its_attribute);

/// Lines of a kubeconfig file's JSON, as attributes want them.
fn field(config: &Value, path: &str) -> Result<String> {
    Ok(config.pointer(path).and_then(Value::as_str).with_context(|| format!("no {path}"))?.to_owned())
}

/// Every way in that a provider block can say by values: a name and what stands in the block.
fn blocks(case: &Case, cluster: &Cluster) -> Result<Vec<(&'static str, String)>> {
    let config: Value = serde_json::from_slice(&fs::read(cluster.kubeconfig())?)?;
    let ca = field(&config, "/clusters/0/cluster/certificate-authority-data")?;
    let certificate = field(&config, "/users/0/user/client-certificate-data")?;
    let key = field(&config, "/users/0/user/client-key-data")?;
    let pem = |base64: &str| format!("base64decode(\"{base64}\")");
    let host = cluster.server();
    let folder = case.path().join("administrator");
    fs::create_dir_all(&folder)?;
    let account = cluster.unique("token");
    cluster.service_account(&account, &folder)?;
    let binding = format!("--serviceaccount=default:{account}");
    let bind = ["create", "clusterrolebinding", &account, "--clusterrole=cluster-admin", &binding];
    cluster.kubectl(&bind)?.succeeded()?;
    let may = ["auth", "can-i", "get", "runtimeclasses", &format!("--as=system:serviceaccount:default:{account}")];
    cluster.until("the role is in force", || Ok(cluster.kubectl(&may)?.succeeded().ok().map(drop)))?;
    let token = fs::read_to_string(folder.join("token"))?;
    let answer = folder.join("answer");
    fs::write(&answer, json!({"kind": "ExecCredential", "status": {"token": token}}).to_string())?;
    let plugin = plugin(case, &format!("[ \"$A$1\" = bc ] && cat {}", answer.display()))?;
    let inline = |rest: &str| format!("    host = \"{host}\"\n    cluster_ca_certificate = \"{ca}\"\n    {rest}");
    Ok(vec![
        (
            "a client certificate",
            inline(&format!("client_certificate = \"{certificate}\"\n    client_key = \"{key}\"")),
        ),
        ("one in PEM", inline(&format!("client_certificate = {}\n    client_key = {}", pem(&certificate), pem(&key)))),
        ("a token", inline(&format!("token = \"{token}\""))),
        (
            "client_configuration",
            format!(
                "    client_configuration = {{\n      host = \"{host}\"\n      ca_certificate = \"{ca}\"\n      client_certificate = \"{certificate}\"\n      client_key = \"{key}\"\n    }}"
            ),
        ),
        ("a program", exec(cluster, &plugin, "args = [\"c\"]\n      env = { A = \"b\" }")),
        (
            "a context",
            format!("    config_paths = [\"{}\"]\n    config_context = \"test\"", cluster.kubeconfig().display()),
        ),
    ])
}

/// What stands there is seen, so that the cluster was reached.
fn expect_reached(workspace: &Workspace, name: &str) -> Result<()> {
    workspace.plan()?.run.diagnostic("The object exists already")?.says(name).then_some(()).context("another object")
}

fn each_way_of_the_provider_block_and_of_the_environment_reaches_the_cluster(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let name = cluster.unique("there");
    let there =
        json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "a"});
    cluster.apply(&there.to_string())?;
    for (way, block) in blocks(case, cluster)? {
        let workspace = case.workspace(&main_tf(&block, &class(&name)))?;
        expect_reached(&workspace, &name).context(way)?;
    }
    let config = cluster.kubeconfig().display().to_string();
    let several = std::env::join_paths(["/nowhere/config", &config])?.to_string_lossy().into_owned();
    for (variable, value, block) in [
        ("KUBE_CONFIG_PATH", config.as_str(), ""),
        ("KUBE_CONFIG_PATHS", config.as_str(), ""),
        ("KUBECONFIG", several.as_str(), ""),
        ("KUBECONFIG", several.as_str(), "    config_context = \"test\""),
        ("KUBE_CTX", "test", &format!("    config_path = \"{config}\"")),
    ] {
        let mut workspace = case.workspace(&main_tf(block, &class(&name)))?;
        workspace.set_env(variable, value);
        expect_reached(&workspace, &name).with_context(|| format!("{variable} with {block:?}"))?;
    }
    cluster.api().delete(&format!("/apis/node.k8s.io/v1/runtimeclasses/{name}"))
}
harness::on_one_minor!(each_way_of_the_provider_block_and_of_the_environment_reaches_the_cluster);

fn nothing_is_read_and_nobody_is_called_before_a_resource_needs_it(case: &Case) -> Result<()> {
    let cluster = case.cluster()?;
    let proxy = cluster.proxy()?;
    let data = "resource \"terraform_data\" \"this\" {\n  input = 1\n}\n";
    let nowhere = main_tf("    config_path = \"/nowhere/config\"", data);
    let somewhere = harness::main_tf_over(None, Some(proxy.kubeconfig()), data);
    for main in [nowhere, somewhere] {
        // A resource of the provider in a count of none, so that the provider is started and configured.
        let none = class("none").replace("{\n", "{\n  count = 0\n");
        let workspace = case.workspace(&format!("{main}\n{none}"))?;
        workspace.apply()?;
        workspace.destroy()?;
    }
    assert_eq!(proxy.connections(), 0);
    Ok(())
}
harness::on_one_minor!(nothing_is_read_and_nobody_is_called_before_a_resource_needs_it);
