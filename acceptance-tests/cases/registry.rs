//! A real `init`: the provider comes as a signed release from a registry, a mirror or with a module, and whatever was
//! tampered with on the way is refused.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use harness::{Case, Cli, Package, Run, VERSION, Workspace, main_tf, platform, repository};

use crate::pages;
use crate::patch::{ADDRESS, expect_bytes, expect_modules_live, expect_settled, patch};

fn init_takes_the_signed_release_from_a_registry_and_its_provider_patches_a_node(case: &Case) -> Result<()> {
    let package = Package::of(case.binary())?;
    let registry = case.registry(&package.release(), &package.key())?;
    let node = case.node()?;
    let untouched = node.config()?;
    // By its own name, so that the registry is discovered, which the names of the public ones would not need.
    let address = format!("{}/talos-gpu/nvidia", registry.host());
    let text = main_tf(&node, &patch("")).replace("talos-gpu/nvidia", &address);
    let mut workspace = case.workspace(&text)?;
    registry.is_reached_by(&mut workspace, "direct {}")?;

    let said = init(&workspace)?.succeeded()?.stdout;
    let trust = if case.cli == Cli::Terraform { "self-signed" } else { "signed" };
    let installed = format!("Installed {address} v{VERSION} ({trust}, key ID {})", package.key_id()?);
    ensure!(said.contains(&installed), "init says nowhere {installed:?}:\n{said}");
    let locked = lock(&workspace)?;
    ensure!(locked.contains(&format!("provider \"{address}\"")), "not locked: {locked}");
    ensure!(locked.matches("h1:").count() == 1, "one package was seen and the lock file says: {locked}");
    for other in ["linux_amd64", "linux_arm64"] {
        let sum = format!("zh:{}", package.checksum(other)?);
        ensure!(locked.contains(&sum), "{other} is signed too and is not locked: {locked}");
    }

    workspace.apply()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)?;
    ensure!(programs(&workspace.path())?.len() == 1, "what init installed is what these commands ran");
    workspace.destroy()?;
    expect_bytes(&node, &untouched)
}
harness::on_one_minor!(init_takes_the_signed_release_from_a_registry_and_its_provider_patches_a_node);

fn a_release_that_was_tampered_with_is_refused_and_nothing_is_installed(case: &Case) -> Result<()> {
    let package = Package::of(case.binary())?;
    for Tampering { name, spoil, terraform, tofu } in TAMPERINGS {
        let release = case.path().join(name);
        package.copy(&release)?;
        spoil(&package, &release).context(name)?;
        let key = if name == "another-key" { package.other_key() } else { package.key() };
        let registry = case.registry(&release, &key)?;
        let mut workspace = case.workspace(PROVIDER)?;
        registry.stands_in(&mut workspace)?;

        let refused = flat(&init(&workspace)?.failed()?);
        let says = if case.cli == Cli::Terraform { terraform } else { tofu };
        ensure!(refused.contains(says), "{name}: init says nowhere {says:?}:\n{refused}");
        ensure!(lock(&workspace).is_err(), "{name} was refused and locked");
        let left = programs(&workspace.path())?;
        ensure!(left.is_empty(), "{name} was refused and left {left:?}");
    }
    Ok(())
}
harness::on_one_minor!(a_release_that_was_tampered_with_is_refused_and_nothing_is_installed);

/// Something that a thief of the registry, or of the way to it, could do, and what each command line says to it.
struct Tampering {
    name: &'static str,
    spoil: fn(&Package, &Path) -> Result<()>,
    terraform: &'static str,
    tofu: &'static str,
}

const TAMPERINGS: [Tampering; 4] = [
    Tampering {
        name: "one-byte",
        spoil: |_, release| change_one_byte(release),
        terraform: "archive has incorrect checksum",
        tofu: "archive has incorrect checksum",
    },
    Tampering {
        name: "another-program-and-its-checksum",
        spoil: |package, release| package.pack(&package.other_program(), release),
        terraform: "error checking signature: openpgp: invalid signature",
        tofu: "the provider is not signed with a valid signing key",
    },
    Tampering {
        name: "another-key",
        spoil: |_, _| Ok(()),
        terraform: "authentication signature from unknown issuer",
        tofu: "authentication signature from unknown issuer",
    },
    Tampering {
        name: "no-signature",
        spoil: |_, release| Ok(fs::remove_file(release.join(format!("{}_SHA256SUMS.sig", stem())))?),
        terraform: "failed to retrieve cryptographic signature for provider: 404 Not Found",
        tofu: "failed to retrieve cryptographic signature for provider: 404 Not Found",
    },
];

fn a_release_that_was_published_anew_is_refused_by_the_lock_file(case: &Case) -> Result<()> {
    let package = Package::of(case.binary())?;
    let mut workspace = case.workspace(PROVIDER)?;
    let registry = case.registry(&package.release(), &package.key())?;
    registry.stands_in(&mut workspace)?;
    init(&workspace)?.succeeded()?;
    let locked = lock(&workspace)?;

    // On another machine, or after a clean checkout: the same release is found again and the lock file stays as it is.
    fs::remove_dir_all(workspace.path().join(".terraform"))?;
    let again = init(&workspace)?.succeeded()?.stdout;
    ensure!(again.contains("from the dependency lock file"), "the lock file was not used:\n{again}");
    ensure!(lock(&workspace)? == locked, "the lock file changed: {}", lock(&workspace)?);

    // The same version, signed by the same key, and another program in it.
    let (program, anew) = (case.path().join("program"), case.path().join("anew"));
    fs::write(&program, "published in the same name\n")?;
    package.pack(&program, &anew)?;
    package.sign(&anew)?;
    let republished = case.registry(&anew, &package.key())?;
    republished.stands_in(&mut workspace)?;
    fs::remove_dir_all(workspace.path().join(".terraform"))?;
    let refused = flat(&init(&workspace)?.failed()?);
    let says = "doesn't match any of the checksums previously recorded in the dependency lock file";
    ensure!(refused.contains(says), "init says nowhere {says:?}:\n{refused}");
    ensure!(lock(&workspace)? == locked, "a refused init changed the lock file: {}", lock(&workspace)?);
    Ok(())
}
harness::on_one_minor!(a_release_that_was_published_anew_is_refused_by_the_lock_file);

fn providers_lock_records_platforms_that_this_machine_is_not(case: &Case) -> Result<()> {
    let package = Package::of(case.binary())?;
    let registry = case.registry(&package.release(), &package.key())?;
    let mut workspace = case.workspace(PROVIDER)?;
    registry.stands_in(&mut workspace)?;
    let platforms = ["-platform=linux_amd64", "-platform=linux_arm64"];
    workspace.run(&[&["providers", "lock", "-no-color"], &platforms[..]].concat())?.succeeded()?;
    let locked = lock(&workspace)?;
    ensure!(locked.matches("h1:").count() == 2, "two platforms were to be locked: {locked}");

    // What was locked is what init then takes.
    init(&workspace)?.succeeded()?;
    ensure!(lock(&workspace)? == locked, "init changed the lock file: {}", lock(&workspace)?);
    Ok(())
}
harness::on_one_minor!(providers_lock_records_platforms_that_this_machine_is_not);

fn mirrors_on_disk_and_behind_https_serve_the_provider_without_its_registry(case: &Case) -> Result<()> {
    let package = Package::of(case.binary())?;
    let registry = case.registry(&package.release(), &package.key())?;
    let mut workspace = case.workspace(PROVIDER)?;
    registry.stands_in(&mut workspace)?;
    let (mirror, here) = (registry.mirror(), platform());
    let mirrored = mirror.to_str().context("the mirror's path is no text")?;
    let wanted = format!("-platform={here}");
    workspace.run(&["providers", "mirror", &wanted, mirrored])?.succeeded()?;

    let disk = format!("filesystem_mirror {{ path = \"{mirrored}\" }}");
    let https = format!("network_mirror {{ url = \"https://{}/mirror/\" }}", registry.host());
    for (installation, asks) in [(disk, false), (https, true)] {
        let before = registry.requests()?.len();
        let mut workspace = case.workspace(PROVIDER)?;
        registry.is_reached_by(&mut workspace, &installation)?;
        init(&workspace)?.succeeded().with_context(|| installation.clone())?;
        // Its schema can only come from the program itself.
        let schema = workspace.run(&["providers", "schema", "-json"])?.succeeded()?.stdout;
        ensure!(schema.contains("talos_nvidia_node_patch"), "{installation}: the provider did not run");
        let asked = registry.requests()?.split_off(before);
        ensure!(asks != asked.is_empty(), "{installation}: the registry was asked {asked:?}");
        let elsewhere: Vec<&String> = asked.iter().filter(|line| !line.contains(" /mirror/")).collect();
        ensure!(elsewhere.is_empty(), "{installation}: beside the mirror {elsewhere:?} was asked for");
    }
    Ok(())
}
harness::on_one_minor!(mirrors_on_disk_and_behind_https_serve_the_provider_without_its_registry);

fn a_module_from_a_registry_brings_the_provider_with_it(case: &Case) -> Result<()> {
    let package = Package::of(case.binary())?;
    let registry = case.registry(&package.release(), &package.key())?;
    let module = registry.modules().join("talos-gpu/nodes/nvidia/1.2.3");
    fs::create_dir_all(&module)?;
    fs::write(module.join("main.tf"), format!("{REQUIRED}{}", patch("")))?;
    let node = case.node()?;
    let call = "module \"gpu\" {\n  source  = \"talos-gpu/nodes/nvidia\"\n  version = \"~> 1.2\"\n}\n";
    let mut workspace = case.workspace_for(&node, call)?;
    registry.stands_in(&mut workspace)?;

    init(&workspace)?.succeeded()?;
    workspace.apply()?;
    expect_modules_live(&node)?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(&format!("module.gpu.{ADDRESS}")), ["no-op"]);
    workspace.destroy()?;
    Ok(())
}
harness::on_one_minor!(a_module_from_a_registry_brings_the_provider_with_it);

pub(crate) fn the_commands_of_the_readme_install_what_was_built_without_a_registry(case: &Case) -> Result<()> {
    let node = case.node()?;
    let mut workspace = case.workspace_for(&node, &patch(""))?;
    // No settings: what is found is found because of where it lies.
    workspace.remove_env("TF_CLI_CONFIG_FILE");
    workspace.set_env("NVIDIA_PROVIDER_BINARY", case.binary());
    // Cargo, which says the version, is found in the home of whoever runs the tests.
    for variable in ["CARGO_HOME", "RUSTUP_HOME"] {
        workspace.set_env(variable, home_of(variable)?);
    }
    let install = format!("make --no-print-directory -C '{}' install", repository()?.display());
    for line in pages::only_block("README.md", "make install ")?.lines() {
        let command = line.split(" # ").next().unwrap_or_default().trim().replace("make install", &install);
        workspace.shell(&command)?.succeeded().with_context(|| command.clone())?;
    }
    let locked = lock(&workspace)?;
    ensure!(locked.contains(&format!("version = \"{VERSION}\"")), "not locked: {locked}");
    workspace.apply()?;
    expect_modules_live(&node)?;
    expect_settled(&workspace)?;

    // Another build of the same version, as after a change.
    let another = case.path().join("another-build");
    fs::write(&another, [fs::read(case.binary())?, b"changed".to_vec()].concat())?;
    fs::set_permissions(&another, fs::metadata(case.binary())?.permissions())?;
    workspace.set_env("NVIDIA_PROVIDER_BINARY", another);
    workspace.shell(&install)?.succeeded()?;
    let refused = flat(&init(&workspace)?.failed()?);
    ensure!(refused.contains("doesn't match any of the checksums"), "init says {refused}");
    fs::remove_file(workspace.path().join(".terraform.lock.hcl"))?;
    init(&workspace)?.succeeded()?;
    expect_settled(&workspace)
}
harness::on_one_minor!(the_commands_of_the_readme_install_what_was_built_without_a_registry);

/// Where cargo and rustup keep theirs.
fn home_of(variable: &str) -> Result<PathBuf> {
    let folder = if variable == "CARGO_HOME" { ".cargo" } else { ".rustup" };
    let given = std::env::var_os(variable).map(PathBuf::from);
    let home = std::env::home_dir().map(|home| home.join(folder));
    given.or(home).context("the tests have no home")
}

/// What a module has to say of the provider.
const REQUIRED: &str = r#"terraform {
  required_providers {
    nvidia = {
      source = "talos-gpu/nvidia"
    }
  }
}
"#;

/// A configuration that needs the provider and has nothing to do.
const PROVIDER: &str = r#"terraform {
  required_providers {
    nvidia = {
      source = "talos-gpu/nvidia"
    }
  }
}

provider "nvidia" {
  talos = {}
}
"#;

fn init(workspace: &Workspace) -> Result<Run> {
    workspace.run(&["init", "-no-color"])
}

fn lock(workspace: &Workspace) -> Result<String> {
    fs::read_to_string(workspace.path().join(".terraform.lock.hcl")).context("there is no lock file")
}

/// What it complained, without the frame and the line ends that the command line puts where a screen would end.
fn flat(run: &Run) -> String {
    run.stderr.split_whitespace().filter(|word| !["│", "╷", "╵"].contains(word)).collect::<Vec<_>>().join(" ")
}

/// The provider's programs below a folder.
fn programs(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(programs(&path)?);
        } else if path.to_string_lossy().contains("terraform-provider-nvidia") {
            found.push(path);
        }
    }
    Ok(found)
}

/// How the release's files are called, up to what each of them is.
fn stem() -> String {
    format!("terraform-provider-nvidia_{VERSION}")
}

fn change_one_byte(release: &Path) -> Result<()> {
    let zip = release.join(format!("{}_{}.zip", stem(), platform()));
    let mut bytes = fs::read(&zip)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(zip, bytes)?)
}
