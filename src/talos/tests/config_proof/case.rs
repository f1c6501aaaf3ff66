//! One configuration, and what is wanted of it.

use std::collections::BTreeMap;

use talos::machine_config::{Backend, DefaultRuntime, Desired, Module};

use super::content::{self, MODULES, SYSCTLS};
use super::dice::Dice;
use super::mangle::mangle;
use super::model::{self, Node};
use super::style::{Style, Writer};
use super::{CRI, Features, talos as judge};

/// One configuration and what is wanted of it.
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) text: String,
    pub(crate) desired: Desired,
    pub(crate) backend: Backend,
    pub(crate) features: Features,
    /// Broken on purpose: it may be refused for any reason, and Talos may refuse it too.
    pub(crate) mangled: bool,
}

pub(crate) struct Base {
    pub(crate) minor: &'static str,
    pub(crate) text: String,
    pub(crate) comments: bool,
}

pub(crate) fn bases() -> Vec<Base> {
    let mut bases = Vec::new();
    for minor in ["1.13", "1.14"] {
        for kind in ["worker", "controlplane"] {
            for comments in [false, true] {
                bases.push(Base { minor, text: judge::generate(minor, kind, comments), comments });
            }
        }
    }
    bases
}

pub(crate) fn minor_of(backend: Backend) -> &'static str {
    match backend {
        Backend::V1Alpha1 => "1.13",
        Backend::Documents => "1.14",
    }
}

pub(crate) fn case(seed: u64, bases: &[Base]) -> Case {
    let mut dice = Dice::new(seed);
    let base = dice.pick(bases);
    let backend = if base.minor == "1.13" { Backend::V1Alpha1 } else { Backend::Documents };
    let merges = backend == Backend::V1Alpha1;
    let mut features = Features::default();
    let raw = dice.percent(30);
    let text = if raw {
        raw_text(base, merges, &mut dice, &mut features)
    } else {
        let mut documents = model::parse(&base.text);
        content::vary(&mut documents, &mut dice, backend == Backend::Documents, &mut features);
        let style = Style::random(&mut dice, merges);
        let mut chance = dice.clone();
        dice.next();
        Writer::new(&mut chance, &mut features, style).stream(&documents)
    };
    Case { seed, text, desired: desired(&mut dice), backend, features, mangled: false }
}

pub(crate) fn mangled(seed: u64, bases: &[Base]) -> Case {
    let mut case = case(seed, bases);
    case.text = mangle(&case.text, &mut Dice::new(!seed));
    case.mangled = true;
    case
}

/// Talos's own text, with what an edit may meet put in between.
fn raw_text(base: &Base, merges: bool, dice: &mut Dice, features: &mut Features) -> String {
    features.count_if(base.comments, "Talos's own comments");
    let mut documents = vec![Node::mapping(&[("machine", Node::mapping(&[]))])];
    content::vary(&mut documents, dice, base.minor == "1.14", features);
    let at =
        documents.iter().position(|document| matches!(document, Node::Mapping(entries) if entries[0].0 == "machine"));
    let mut machine = documents.remove(at.unwrap());
    let Some(Node::Mapping(entries)) = machine.get_mut("machine") else { unreachable!() };
    let style = Style::talos(dice, merges);
    let mut chance = dice.clone();
    dice.next();
    let inserted = Writer::new(&mut chance, features, style.clone()).entries(entries, 4);
    let appended = Writer::new(&mut chance, features, style.clone()).documents(&documents);
    let mut text = String::new();
    let mut lines = base.text.split_inclusive('\n');
    for line in lines.by_ref() {
        text.push_str(line);
        if line.starts_with("    type: ") {
            break;
        }
    }
    text.push_str(&inserted);
    text.extend(lines);
    text.push_str(&appended);
    let mut end = Writer::new(&mut chance, features, style);
    end.start_with(text);
    end.finish()
}

fn desired(dice: &mut Dice) -> Desired {
    let mut names = MODULES.to_vec();
    dice.shuffle(&mut names);
    names.truncate(dice.below(names.len() + 1));
    let parameters = |dice: &mut Dice| {
        let values = ["NVreg_OpenRmEnableUnsupportedGpus=1", "modeset=1", "a=b c", "NVreg_RegistryDwords=\"x;y\""];
        match dice.below(4) {
            0 => Some(Vec::new()),
            1 => Some((0..=dice.below(3)).map(|_| dice.word(&values).to_owned()).collect()),
            _ => None,
        }
    };
    let modules = names.iter().map(|name| Module { name: (*name).into(), parameters: parameters(dice) }).collect();
    let mut sysctls = BTreeMap::new();
    for key in SYSCTLS {
        if dice.percent(55) {
            sysctls.insert((*key).to_owned(), dice.word(&["0", "1", "2", "4096\t87380"]).to_owned());
        }
    }
    let default_runtime = dice.percent(55).then(|| DefaultRuntime { cri_plugin: CRI.into(), name: "nvidia".into() });
    Desired { modules, sysctls, default_runtime }
}
