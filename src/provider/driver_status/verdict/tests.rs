//! One row for every problem, and the healthy node of every version.

use std::time::Duration;

use super::*;
use crate::{
    driver_status::{
        facts::Seen,
        hardware::Device,
        parse::{Driver, Information},
    },
    kernel_modules::LoadedModule,
    texts::driver_status::sentence,
};

const TOOLKIT: &str = "nvidia-container-toolkit-lts";
const OPEN: &str = "nvidia-open-gpu-kernel-modules-lts";

fn extension(name: &str, version: &str) -> Extension {
    Extension { name: name.into(), version: version.into() }
}

fn module(state: ModuleState) -> LoadedModule {
    LoadedModule { state, size: Some(1), references: None, used_by: None, taints: None }
}

fn service(id: &str, state: &str, message: &str) -> Service {
    Service { id: id.into(), state: state.into(), healthy: None, message: message.into() }
}

fn device(address: &str, product_id: u16) -> Device {
    let product = "GH100 [H100 PCIe]".into();
    Device { address: address.into(), product, kind: DeviceKind::Gpu, product_id: Some(product_id) }
}

fn gpu(address: &str) -> Gpu {
    Gpu {
        address: address.into(),
        product: "GH100 [H100 PCIe]".into(),
        driver: Ok(Some("nvidia".into())),
        information: Ok(Some(Information::default())),
    }
}

/// A node of this version on which all is well.
fn healthy(tag: &str) -> Facts {
    let version: TalosVersion = tag.parse().unwrap();
    let has_cdi = has_cdi(&version);
    let mut services = vec![service(PERSISTENCED, "Running", "")];
    if has_cdi {
        services.push(service(CDI_GEN, "Finished", ""));
    }
    Facts {
        tag: tag.into(),
        stage: Ok(MachineStage::Running),
        extensions: Ok(vec![extension(OPEN, &format!("580.1.2-{tag}")), extension(TOOLKIT, "580.1.2-v1.19.1")]),
        modules: Ok(GUIDE.into_iter().map(|name| (name.to_owned(), module(ModuleState::Live))).collect()),
        configured: Ok(GUIDE.into_iter().map(ToOwned::to_owned).collect()),
        failures: Ok(Vec::new()),
        driver: Ok(Some(Driver { version: "580.1.2".into(), flavor: Flavor::Open })),
        devices: Ok(vec![device("0000:01:00.0", 0x2331)]),
        taken: Ok(BTreeSet::from(["0000:01:00.0".to_owned()])),
        gpus: vec![gpu("0000:01:00.0")],
        services: Ok(services),
        jit_harden: Ok(Some(if version.minor() <= (1, 12) { "1" } else { "2" }.into())),
        cdi: Ok(if has_cdi { vec!["/run/cdi/nvidia.yaml".into()] } else { Vec::new() }),
        pending: Ok(Pending::Nothing),
        unseen: Vec::new(),
        version,
    }
}

#[test]
fn a_healthy_node_of_every_version_has_no_problem() {
    for tag in ["v1.8.0", "v1.9.5", "v1.10.0", "v1.11.6", "v1.12.0", "v1.13.9", "v1.14.1", "v1.15.0-alpha.0"] {
        let facts = healthy(tag);
        assert_eq!(verdict(&facts), [], "{tag}");
        assert_eq!(version_match(&facts), Some(true), "{tag}");
    }
}

#[test]
fn what_is_as_it_may_be_is_no_problem() {
    let mut facts = healthy("v1.13.9");
    facts.extensions = Ok(vec![
        extension("nonfree-kmod-nvidia-production", "580.1.2-v1.13.9"),
        extension("nvidia-container-toolkit-production", "580.1.2-v1.19.1"),
        extension("nvidia-fabricmanager-production", "580.1.2"),
        extension("nvidia-gdrdrv-device", "v2.5.2"),
        extension("schematic", "376567988ad3"),
    ]);
    facts.services.as_mut().unwrap().extend([
        service("ext-nvidia-fabricmanager", "Running", ""),
        service("ext-nvidia-gdrdrv-device", "Finished", ""),
        service("ext-nvidia-of-tomorrow", "Finished", ""),
    ]);
    // Just applied and not persisted since boot: in force all the same.
    facts.pending = Ok(Pending::MaybeTried(Duration::from_secs(5)));
    // A sound device beside the GPU; a GPU whose UUID is not known yet.
    facts.devices.as_mut().unwrap().push(Device { kind: DeviceKind::Other, ..device("0000:01:00.1", 0x10f0) });
    assert_eq!(verdict(&facts), []);
}

/// What a change of a healthy node of 1.13 makes of it: exactly one sentence, which holds these words.
fn check(change: impl FnOnce(&mut Facts), words: &[&str]) {
    check_on("v1.13.9", change, words);
}

fn check_on(tag: &str, change: impl FnOnce(&mut Facts), words: &[&str]) {
    let mut facts = healthy(tag);
    change(&mut facts);
    let sentences: Vec<String> = verdict(&facts).iter().map(|problem| sentence(problem, &facts.tag)).collect();
    assert_eq!(sentences.len(), 1, "{sentences:#?}");
    for word in words {
        assert!(sentences[0].contains(word), "`{}` lacks `{word}`", sentences[0]);
    }
    assert!(sentences[0].ends_with('.') && !sentences[0].trim_end_matches('.').contains(". "), "{}", sentences[0]);
    assert!(sentences[0].contains("should") || sentences[0].contains("use a client certificate"), "{}", sentences[0]);
}

fn unload(facts: &mut Facts, names: &[&str]) {
    facts.modules.as_mut().unwrap().retain(|name, _| !names.contains(&name.as_str()));
}

/// As after a boot without the modules.
fn without_modules(facts: &mut Facts) {
    facts.modules = Ok(Loaded::new());
    facts.driver = Ok(None);
    facts.taken = Ok(BTreeSet::new());
    facts.gpus.iter_mut().for_each(|gpu| (gpu.driver, gpu.information) = (Ok(None), Ok(None)));
}

fn of(facts: &mut Facts, extensions: &[(&str, &str)]) {
    facts.extensions = Ok(extensions.iter().map(|(name, version)| extension(name, version)).collect());
}

#[test]
fn extensions_that_do_not_fit() {
    check(
        |facts| {
            of(facts, &[("schematic", "376567988ad3")]);
            without_modules(facts);
            facts.services = Ok(Vec::new());
            facts.cdi = Ok(Vec::new());
        },
        &["No NVIDIA kernel module extension", "exactly one", "schematic", "v1.13.9"],
    );
    let both =
        [(OPEN, "580.1.2-v1.13.9"), ("nonfree-kmod-nvidia-lts", "580.1.2-v1.13.9"), (TOOLKIT, "580.1.2-v1.19.1")];
    check(|facts| of(facts, &both), &["2 kernel module extensions", OPEN, "nonfree-kmod-nvidia-lts", "exactly one"]);
    check(
        |facts| of(facts, &[(OPEN, "580.1.2-v1.13.9"), ("nvidia-container-toolkit-production", "595.3.4-v1.19.1")]),
        &["toolkit is of driver 595.3.4", "should be of 580.1.2", "same suffix"],
    );
    check(
        |facts| {
            of(facts, &[(OPEN, "580.1.2-v1.13.9"), (TOOLKIT, "580.1.2-v1.19.1"), ("nvidia-fabricmanager-lts", "570.1")])
        },
        &["fabric manager is of driver 570.1", "580.1.2"],
    );
    check(
        |facts| of(facts, &[(OPEN, "580.1.2-v1.13.8"), (TOOLKIT, "580.1.2-v1.19.1")]),
        &["built for Talos v1.13.8", "should be built for v1.13.9"],
    );
    check(
        |facts| {
            of(facts, &[(OPEN, "580.1.2-v1.13.8"), (TOOLKIT, "580.1.2-v1.19.1")]);
            unload(facts, &["nvidia_uvm"]);
            let error = "error loading module \"nvidia_uvm\": load nvidia_uvm failed: key was rejected by service";
            facts.failures = Ok(vec![error.to_owned()]);
        },
        &["built for Talos v1.13.8", "the kernel refuses its modules"],
    );
    check(
        |facts| {
            of(facts, &[(OPEN, "580.1.2-v1.13.9")]);
            facts.services = Ok(Vec::new());
        },
        &["No container toolkit", "580.1.2", "no GPU"],
    );
    check(
        |facts| facts.driver = Ok(Some(Driver { version: "570.9.9".into(), flavor: Flavor::Open })),
        &["running driver is 570.9.9", "should be 580.1.2", "reboot"],
    );
}

#[test]
fn versions_match_only_when_all_that_is_seen_is_of_one_release() {
    let mut facts = healthy("v1.13.9");
    facts.driver = Err(Unseen::Depends);
    assert_eq!(version_match(&facts), Some(true), "what a role may not see does not count");
    facts.driver = Ok(Some(Driver { version: "570.9.9".into(), flavor: Flavor::Open }));
    assert_eq!(version_match(&facts), Some(false));
    facts.extensions = Ok(Vec::new());
    assert_eq!(version_match(&facts), Some(false));
    facts.extensions = Err(Unseen::Failed("no".into()));
    assert_eq!(version_match(&facts), None);
}

#[test]
fn modules_that_are_not_live() {
    let fails = |error: &str| vec![error.to_owned()];
    check(
        |facts| {
            unload(facts, &["nvidia_uvm", "nvidia_drm"]);
            facts.configured.as_mut().unwrap().retain(|name| name != "nvidia_uvm" && name != "nvidia_drm");
        },
        &["Modules nvidia_uvm and nvidia_drm are not loaded", "kernel_modules", "talos_nvidia_node_patch"],
    );
    check(|facts| unload(facts, &["nvidia_uvm"]), &["Module nvidia_uvm is not loaded", "no reason", "talosctl dmesg"]);
    for (words, means) in [
        ("key was rejected by service", "another build of Talos"),
        ("no such device", "no GPU that it can drive"),
        ("invalid argument", "parameters"),
        ("exec format error", "another kernel"),
        ("resource busy", "tries again"),
    ] {
        let error = format!("error loading module \"nvidia_uvm\": load nvidia_uvm failed: {words}");
        check(
            |facts| {
                unload(facts, &["nvidia_uvm"]);
                facts.failures = Ok(fails(&error));
            },
            &["Module nvidia_uvm is not loaded", &error, means],
        );
    }
    check(
        |facts| {
            unload(facts, &["nvidia_uvm", "nvidia_drm"]);
            let one = |name: &str| format!("error loading module \"{name}\": module not found");
            facts.failures = Ok(fails(&format!("{}\n{}", one("nvidia_uvm"), one("nvidia_drm"))));
        },
        &["Modules nvidia_uvm and nvidia_drm are not loaded", "no installed extension"],
    );
    for (state, words) in [(ModuleState::Loading, "still loading"), (ModuleState::Unloading, "being unloaded")] {
        check(
            |facts| {
                facts.modules.as_mut().unwrap().insert("nvidia_drm".into(), module(state));
            },
            &["Module nvidia_drm is", words, "should be live"],
        );
    }
}

#[test]
fn modules_that_the_next_boot_will_not_load() {
    check(
        |facts| facts.configured = Ok(BTreeSet::new()),
        &["nvidia", "no longer in the machine configuration", "70 minutes", TOOLKIT],
    );
    check(
        |facts| facts.configured.as_mut().unwrap().retain(|name| name != "nvidia_drm"),
        &["Module nvidia_drm is live and no longer in the machine configuration", "kernel_modules"],
    );
}

#[test]
fn gpus_that_cannot_be_used() {
    let gone = |facts: &mut Facts| {
        facts.devices = Ok(Vec::new());
        facts.gpus = Vec::new();
        facts.taken = Ok(BTreeSet::new());
    };
    check(gone, &["No NVIDIA GPU", "70 minutes", TOOLKIT]);
    check(
        |facts| {
            gone(facts);
            without_modules(facts);
            let lines =
                GUIDE.map(|name| format!("error loading module \"{name}\": load nvidia failed: no such device"));
            facts.failures = Ok(vec![lines.join("\n")]);
            facts.services = Ok(vec![service(PERSISTENCED, "Waiting", "a"), service(CDI_GEN, "Waiting", "b")]);
            facts.cdi = Ok(Vec::new());
        },
        &["No NVIDIA GPU", "70 minutes"],
    );
    check(
        |facts| facts.gpus[0].driver = Ok(Some("vfio-pci".into())),
        &["GPU 0000:01:00.0 (GH100 [H100 PCIe])", "bound to the driver vfio-pci", "should be bound to nvidia"],
    );
    check(|facts| facts.gpus[0].driver = Ok(None), &["0000:01:00.0", "bound to no driver", "NVRM"]);
    check(|facts| facts.taken = Ok(BTreeSet::new()), &["0000:01:00.0", "did not start up", "GSP"]);
    check(
        |facts| facts.gpus[0].information = Ok(Some(Information { excluded: true, ..Information::default() })),
        &["0000:01:00.0", "excluded", "NVreg_ExcludedGpus"],
    );
    check(
        |facts| facts.devices = Ok(vec![device("0000:01:00.0", 0x1b81)]),
        &["older than Turing", "nonfree-kmod-nvidia"],
    );
    check(
        |facts| {
            facts.devices = Ok(vec![device("0000:01:00.0", 0x1db4)]);
            of(facts, &[("nonfree-kmod-nvidia-production", "595.3.4-v1.13.9"), (TOOLKIT, "595.3.4-v1.19.1")]);
            facts.driver = Ok(Some(Driver { version: "595.3.4".into(), flavor: Flavor::Proprietary }));
        },
        &["older than Turing", "595.3.4", "580"],
    );
}

#[test]
fn a_board_of_eight_without_its_fabric_manager() {
    let addresses: Vec<String> = (1..=8).map(|number| format!("0000:0{number}:00.0")).collect();
    let board = |facts: &mut Facts, product_id| {
        facts.devices = Ok(addresses.iter().map(|address| device(address, product_id)).collect());
        facts.gpus = addresses.iter().map(|address| gpu(address)).collect();
        facts.taken = Ok(addresses.iter().cloned().collect());
    };
    check(|facts| board(facts, 0x2330), &["8 GPUs that are joined by NVSwitches", "fabric manager", "580.1.2"]);
    check(
        |facts| {
            facts
                .devices
                .as_mut()
                .unwrap()
                .push(Device { kind: DeviceKind::NvSwitch, ..device("0000:07:00.0", 0x22a3) })
        },
        &["an NVSwitch", "fabric manager"],
    );
    let mut facts = healthy("v1.13.9");
    board(&mut facts, 0x2331);
    assert_eq!(verdict(&facts), [], "cards need none");
    board(&mut facts, 0x2330);
    facts.extensions.as_mut().unwrap().push(extension("nvidia-fabricmanager-lts", "580.1.2"));
    assert_eq!(verdict(&facts), [], "it is there");
}

#[test]
fn services_that_are_not_as_they_should_be() {
    let set = |facts: &mut Facts, state: &str, message: &str| {
        facts.services = Ok(vec![service(PERSISTENCED, state, message), service(CDI_GEN, "Finished", "")]);
    };
    check(
        |facts| set(facts, "Failed", "exit code 1."),
        &["persistenced is Failed (exit code 1)", "should be Running", "logs"],
    );
    check(|facts| set(facts, "Starting", ""), &["persistenced is Starting and should be Running", "read again"]);
    check(|facts| set(facts, "Finished", ""), &["persistenced is Finished", "should be Running"]);
    check(
        |facts| set(facts, "Waiting", "Waiting for service \"cri\" to be \"up\""),
        &["persistenced is Waiting (Waiting for service \"cri\"", "is loaded"],
    );
    check(
        |facts| {
            facts.services = Ok(vec![service(PERSISTENCED, "Running", ""), service(CDI_GEN, "Running", "")]);
            facts.cdi = Ok(Vec::new());
        },
        &["cdi-gen is Running and should be Finished"],
    );
    check(
        |facts| facts.services.as_mut().unwrap()[0].healthy = Some(false),
        &["persistenced runs and its health check fails"],
    );
    check(|facts| facts.services.as_mut().unwrap().truncate(1), &["ext-nvidia-cdi-gen is not there", TOOLKIT]);
    // A boot that cannot end: the module is what is missing, and the services say what that leads to.
    let mut facts = healthy("v1.13.9");
    without_modules(&mut facts);
    facts.stage = Ok(MachineStage::Booting);
    facts.services = Ok(vec![service(CDI_GEN, "Waiting", "b"), service(PERSISTENCED, "Waiting", "a")]);
    facts.cdi = Ok(Vec::new());
    let sentences: Vec<String> = verdict(&facts).iter().map(|problem| sentence(problem, &facts.tag)).collect();
    assert_eq!(sentences.len(), 2, "{sentences:#?}");
    assert!(sentences[0].starts_with("Modules nvidia, nvidia_uvm, nvidia_drm and nvidia_modeset are not loaded"));
    let words = "Services ext-nvidia-persistenced and ext-nvidia-cdi-gen are Waiting (a)";
    assert!(sentences[1].contains(words) && sentences[1].contains("70 minutes"), "{}", sentences[1]);
}

#[test]
fn what_the_version_asks_for() {
    check(
        |facts| facts.cdi = Ok(vec!["/run/cdi/other.yaml".into()]),
        &["No CDI specification", "/run/cdi/nvidia.yaml"],
    );
    check_on("v1.12.0", |facts| facts.jit_harden = Ok(Some("2".into())), &["bpf_jit_harden is 2", "should be 1"]);
    check_on("v1.8.0", |facts| facts.jit_harden = Ok(None), &["bpf_jit_harden is not there", "should be 1"]);
}

#[test]
fn what_waits_and_what_is_under_way() {
    check(|facts| facts.pending = Ok(Pending::Staged), &["staged", "reboot the node"]);
    check(|facts| facts.pending = Ok(Pending::Tried), &["being tried", "rollback"]);
    check(|facts| facts.pending = Ok(Pending::Differs), &["on disk is not the active one"]);
    check(|facts| facts.stage = Ok(MachineStage::Upgrading), &["stage Upgrading", "should be Running"]);
    check(|facts| facts.stage = Ok(MachineStage::Booting), &["stage Booting"]);
}

#[test]
fn what_could_not_be_seen_is_one_sentence_with_the_role_that_would() {
    let hidden = || Unseen::Role { needed: Role::Admin, held: vec!["os:reader".into()] };
    check(
        |facts| {
            facts.driver = Err(hidden());
            facts.unseen = vec![("the running driver", hidden()), ("what waits", hidden()), ("what waits", hidden())];
        },
        &["role os:reader", "the running driver; what waits;", "os:admin"],
    );
    let mut facts = healthy("v1.13.9");
    facts.services = Err(Unseen::Failed("ServiceList failed: odd. Look there.".into()));
    facts.unseen = vec![("the services", Unseen::Failed("ServiceList failed: odd. Look there.".into()))];
    let sentences: Vec<String> = verdict(&facts).iter().map(|problem| sentence(problem, &facts.tag)).collect();
    assert_eq!(sentences, ["The services could not be read, and should be: ServiceList failed: odd. Look there."]);
}

#[test]
fn what_is_configured_is_not_guessed_at() {
    let mut facts = healthy("v1.13.9");
    facts.configured = Err(Unseen::Depends);
    assert_eq!(verdict(&facts), [], "live modules are not said to be gone at the next boot");
    unload(&mut facts, &["nvidia_uvm"]);
    let problems = verdict(&facts);
    assert!(matches!(problems.as_slice(), [Problem::NotLoaded { .. }]), "{problems:?}");
}

/// Nothing that is unseen may look like something that is well or broken.
#[test]
fn a_node_of_which_nothing_is_seen_is_said_to_be_unseen_and_nothing_else() {
    fn hide<T>(fact: &mut Seen<T>) {
        *fact = Err(Unseen::Depends);
    }
    let mut facts = healthy("v1.12.0");
    hide(&mut facts.stage);
    hide(&mut facts.extensions);
    hide(&mut facts.modules);
    hide(&mut facts.configured);
    hide(&mut facts.failures);
    hide(&mut facts.driver);
    hide(&mut facts.devices);
    hide(&mut facts.taken);
    hide(&mut facts.services);
    hide(&mut facts.jit_harden);
    hide(&mut facts.cdi);
    hide(&mut facts.pending);
    facts.gpus = Vec::new();
    facts.unseen = vec![("everything", Unseen::Role { needed: Role::Admin, held: Vec::new() })];
    let problems = verdict(&facts);
    assert!(matches!(problems.as_slice(), [Problem::Role { .. }]), "{problems:?}");
}
