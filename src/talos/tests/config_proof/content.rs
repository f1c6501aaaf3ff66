//! What a configuration says: Talos's own, and around it everything that an edit may meet.

use super::dice::Dice;
use super::model::Node;
use super::{CRI, Features};

pub(crate) const MODULES: &[&str] = &["nvidia", "nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia_peermem"];
pub(crate) const SYSCTLS: &[&str] = &["net.core.bpf_jit_harden", "vm.nr_hugepages", "kernel.panic"];
pub(crate) const FOREIGN_MODULES: &[&str] = &["br_netfilter", "xt_LOG", "drbd", "e1000e", "tun"];
pub(crate) const FOREIGN_SYSCTLS: &[&str] = &["vm.max_map_count", "net.ipv4.ip_forward", "fs.inotify.max_user_watches"];
pub(crate) const PART: &str = "/etc/cri/conf.d/20-customization.part";

/// Strings that are hard to write and to keep.
const HARD: &[&str] = &[
    "a",
    "two words",
    "ünïcödé 漢字 🚀",
    "# no comment",
    "it's \"quoted\"",
    "back\\slash",
    "- item",
    "key: value",
    "line one\nline two\n",
    "no end\nof line",
    "blank\n\n\nbetween\n",
    "  indented\n    more\n",
    "\ttab",
    "trailing \n",
    "{a: b}",
    "[x]",
    "*star",
    "&amp",
    "%percent",
    "@at",
    "many\nends\n\n\n",
    "yes",
    "0x10",
    "null",
    "1e3",
    "",
    " ",
];

/// Changes the content of a v1alpha1 document and adds documents; counts what it brings in.
pub(crate) fn vary(documents: &mut Vec<Node>, dice: &mut Dice, with_documents: bool, features: &mut Features) {
    let machine = documents[0].get_mut("machine").unwrap();
    let spot = |node: &Node, dice: &mut Dice| dice.below(node.len() + 1);
    if dice.percent(75) {
        let kernel = kernel(dice, features);
        let at = spot(machine, dice);
        machine.insert(at, "kernel", kernel);
    }
    if dice.percent(70) {
        let sysctls = sysctls(dice, features);
        let at = spot(machine, dice);
        machine.insert(at, "sysctls", sysctls);
    }
    if dice.percent(65) {
        let files = files(dice, features);
        let at = spot(machine, dice);
        machine.insert(at, "files", files);
    }
    // Strings of every kind, and the mark by which somebody changes something of their own.
    let mut env = vec![("DRIFT_MARK".to_owned(), Node::text("drift-before"))];
    for number in 0..dice.below(4) {
        env.push((format!("KEY_{number}"), Node::text(dice.word(HARD))));
    }
    dice.shuffle(&mut env);
    let at = spot(machine, dice);
    machine.insert(at, "env", Node::Mapping(env));
    if with_documents {
        add_documents(documents, dice, features);
    }
    if documents.len() > 1 {
        features.count("several documents");
    }
    let last = documents.len();
    if dice.percent(30) {
        // The v1alpha1 document may stand anywhere.
        let to = dice.below(last);
        let own = documents.remove(0);
        documents.insert(to, own);
    }
}

fn kernel(dice: &mut Dice, features: &mut Features) -> Node {
    match dice.below(10) {
        0 => nothing(dice, features),
        1 => {
            features.count("empty parents");
            Node::Mapping(Vec::new())
        }
        2 => Node::mapping(&[("modules", nothing(dice, features))]),
        3 => {
            features.count("empty parents");
            Node::mapping(&[("modules", Node::Sequence(Vec::new()))])
        }
        _ => Node::mapping(&[("modules", Node::Sequence(modules(dice, features)))]),
    }
}

fn nothing(dice: &mut Dice, features: &mut Features) -> Node {
    features.count("null parents");
    Node::plain(dice.word(&["", "", "~", "null"]))
}

fn modules(dice: &mut Dice, features: &mut Features) -> Vec<Node> {
    let mut names: Vec<&str> = Vec::new();
    for _ in 0..dice.below(4) {
        names.push(dice.word(FOREIGN_MODULES));
    }
    if dice.percent(45) {
        features.count("a module of ours is there");
        for _ in 0..=dice.below(2) {
            names.push(dice.word(MODULES));
        }
        if dice.percent(20) {
            names.push("nvidia-uvm");
        }
    }
    if names.is_empty() {
        names.push("br_netfilter");
    }
    if dice.percent(20) {
        names.push(names[dice.below(names.len())]);
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < names.len() {
        features.count("duplicates");
    }
    dice.shuffle(&mut names);
    names.iter().map(|name| module(name, dice)).collect()
}

fn module(name: &str, dice: &mut Dice) -> Node {
    let mut entries = vec![("name", Node::text(name))];
    match dice.below(6) {
        0 => entries.push(("parameters", Node::Sequence(Vec::new()))),
        1 => entries.push(("parameters", Node::plain(dice.word(&["", "~", "null"])))),
        2 => entries.push(("parameters", parameters(dice))),
        _ => {}
    }
    if dice.percent(15) {
        entries.reverse();
    }
    Node::mapping(&entries)
}

fn parameters(dice: &mut Dice) -> Node {
    let values = ["NVreg_EnableGpuFirmware=0", "modeset=1", "a b", "1", "x=\"y\""];
    Node::Sequence((0..=dice.below(3)).map(|_| Node::text(dice.word(&values))).collect())
}

fn sysctls(dice: &mut Dice, features: &mut Features) -> Node {
    match dice.below(10) {
        0 => return nothing(dice, features),
        1 => {
            features.count("empty parents");
            return Node::Mapping(Vec::new());
        }
        _ => {}
    }
    let mut entries: Vec<(&str, Node)> = Vec::new();
    for key in FOREIGN_SYSCTLS {
        if dice.percent(40) {
            entries.push((key, value(dice)));
        }
    }
    for key in SYSCTLS {
        if dice.percent(30) {
            features.count("a sysctl of ours is there");
            entries.push((key, value(dice)));
        }
    }
    dice.shuffle(&mut entries);
    Node::mapping(&entries)
}

fn value(dice: &mut Dice) -> Node {
    match dice.below(5) {
        0 => Node::plain(dice.word(&["0", "1", "2", "262144", "yes"])),
        1 => Node::plain(dice.word(&["", "~"])),
        _ => Node::text(dice.word(&["0", "1", "2", "4096 87380", "x y"])),
    }
}

fn files(dice: &mut Dice, features: &mut Features) -> Node {
    let mut items = Vec::new();
    for number in 0..dice.below(3) {
        items.push(file(&format!("/var/file-{number}"), dice.word(HARD), dice));
    }
    if dice.percent(65) {
        features.count("CRI part");
        items.push(file(PART, &toml(dice), dice));
    }
    dice.shuffle(&mut items);
    if items.is_empty() {
        return if dice.percent(50) { nothing(dice, features) } else { Node::Sequence(Vec::new()) };
    }
    Node::Sequence(items)
}

fn file(path: &str, content: &str, dice: &mut Dice) -> Node {
    let mut entries = vec![
        ("content", Node::text(content)),
        ("permissions", Node::plain(dice.word(&["0o600", "0o644"]))),
        ("path", Node::text(path)),
        ("op", Node::text("create")),
    ];
    dice.shuffle(&mut entries);
    Node::mapping(&entries)
}

/// A CRI fragment of somebody's.
fn toml(dice: &mut Dice) -> String {
    let mut text = String::new();
    if dice.percent(30) {
        text.push_str("# of the storage team\n");
    }
    if dice.percent(50) {
        text.push_str("[plugins.\"io.containerd.cri.v1.images\"]\n  discard_unpacked_layers = false # keep\n");
        if dice.percent(50) {
            text.push('\n');
        }
    }
    if dice.percent(50) {
        text.push_str(&format!("[plugins.{}.containerd]\n", dice.pick(&[format!("\"{CRI}\""), format!("'{CRI}'")])));
        if dice.percent(40) {
            text.push_str("  snapshotter = \"overlayfs\"\n");
        }
        if dice.percent(50) {
            text.push_str(dice.word(&[
                "  default_runtime_name = \"runc\"\n",
                "default_runtime_name='nvidia' # theirs\n",
                "  default_runtime_name = 'crun'  # why\n",
            ]));
        }
        if dice.percent(40) {
            text.push_str(&format!(
                "[plugins.\"{CRI}\".containerd.runtimes.kata]\n  runtime_type = \"io.containerd.kata.v2\"\n"
            ));
        }
    }
    if !text.contains("containerd") && dice.percent(20) {
        text.push_str(&format!("[plugins.\"{CRI}\".containerd.runtimes.kata]\n  runtime_type = \"x\"\n"));
    }
    if dice.percent(30) {
        text.push_str("[debug]\n  level = \"info\"\n");
    }
    if dice.percent(20) {
        text.push('\n');
    }
    if dice.percent(15) && text.ends_with('\n') {
        text.pop();
    }
    text
}

fn add_documents(documents: &mut Vec<Node>, dice: &mut Dice, features: &mut Features) {
    let head =
        |kind: &str| vec![("apiVersion".to_owned(), Node::text("v1alpha1")), ("kind".to_owned(), Node::text(kind))];
    let mut new = Vec::new();
    for name in MODULES.iter().chain(&["drbd"]) {
        if dice.percent(12) {
            features.count("KernelModuleConfig is there");
            let mut entries = head("KernelModuleConfig");
            entries.push(("name".into(), Node::text(name)));
            if dice.percent(40) {
                entries.push(("parameters".into(), parameters(dice)));
            }
            new.push(Node::Mapping(entries));
        }
    }
    if dice.percent(35) {
        features.count("SysctlConfig is there");
        let mut entries = head("SysctlConfig");
        match dice.below(4) {
            0 => {}
            _ => entries.push(("params".into(), sysctls(dice, features))),
        }
        new.push(Node::Mapping(entries));
    }
    for name in ["nvidia-default-runtime", "a-first", "zz-last"] {
        if dice.percent(15) {
            features.count("CRICustomizationConfig is there");
            let mut entries = head("CRICustomizationConfig");
            entries.push(("name".into(), Node::text(name)));
            entries.push(("content".into(), Node::Text(toml(dice))));
            new.push(Node::Mapping(entries));
        }
    }
    dice.shuffle(&mut new);
    for document in new {
        let at = 1 + dice.below(documents.len());
        documents.insert(at.min(documents.len()), document);
    }
}
