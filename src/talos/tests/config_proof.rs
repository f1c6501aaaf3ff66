//! The proof that edits of machine configurations are exact: generated configurations, Talos's own parser as the judge.
//!
//! Configurations come from Talos's own generator; their content and style are changed by chance (`content`, `style`).
//! For each, with a desired set of chance, on the back-end of its release:
//! - an edit changes no foreign byte, and Talos reads the result as intended and everything else as before;
//! - editing the result again changes nothing;
//! - taking back gives the identical bytes;
//! - a text that is broken at random is refused, or edited as exactly;
//! - somebody's edit in between, mended or left alone, survives taking back, and nothing else does.
//!
//! `cargo test` runs a few hundred. `acceptance-tests/config-proof.sh` runs all of it and prints the figures:
//! CONFIG_PROOF_COUNT configurations from CONFIG_PROOF_SEED on.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;

use talos::machine_config::{
    Action, Backend, DefaultRuntime, Desired, EditError, Edited, Module, Record, edit, normal_name, view,
};

use config_proof::content::{self, FOREIGN_MODULES, FOREIGN_SYSCTLS, MODULES, PART, SYSCTLS};
use config_proof::dice::Dice;
use config_proof::mangle::mangle;
use config_proof::model::{self, Node};
use config_proof::style::{Style, Writer};
use config_proof::talos::{self as judge, Reading};

mod config_proof {
    pub(crate) mod content;
    pub(crate) mod dice;
    pub(crate) mod mangle;
    pub(crate) mod model;
    pub(crate) mod style;
    pub(crate) mod talos;

    pub(crate) use super::{CRI, Features};
}

pub(crate) const CRI: &str = "io.containerd.cri.v1.runtime";

/// What the features of one configuration are, and of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Features(BTreeMap<&'static str, usize>);

impl Features {
    pub(crate) fn count(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    pub(crate) fn count_if(&mut self, is: bool, name: &'static str) {
        if is {
            self.count(name);
        }
    }
}

/// The features that the issue wants to see, each in so many configurations.
const WANTED: &[&str] = &[
    "anchors",
    "aliases",
    "CRLF",
    "flow style",
    "null parents",
    "empty parents",
    "duplicates",
    "comments between",
    "comments at lower indentation",
    "trailing comments",
    "comments after the last",
    "comments behind a dash",
    "comments within flow style",
    "Talos's own comments",
    "CRI part",
    "CRI part literal",
    "CRI part folded",
    "CRI part quoted",
    "several documents",
    "missing final newline",
    "byte order mark",
    "a leading document mark",
    "document end marks",
    "null documents",
    "JSON",
    "quoted keys",
    "tags",
    "merge keys",
    "non-ASCII",
    "trailing commas",
    "block scalars, clip",
    "block scalars, strip",
    "block scalars, keep",
    "scalars on several lines",
    "a module of ours is there",
    "a sysctl of ours is there",
    "KernelModuleConfig is there",
    "SysctlConfig is there",
    "CRICustomizationConfig is there",
    "complex keys",
    "tabs",
    "directives",
];

/// One configuration and what is wanted of it.
struct Case {
    seed: u64,
    text: String,
    desired: Desired,
    backend: Backend,
    features: Features,
    /// Broken on purpose: it may be refused for any reason, and Talos may refuse it too.
    mangled: bool,
}

struct Base {
    minor: &'static str,
    text: String,
    comments: bool,
}

fn bases() -> Vec<Base> {
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

fn minor_of(backend: Backend) -> &'static str {
    match backend {
        Backend::V1Alpha1 => "1.13",
        Backend::Documents => "1.14",
    }
}

fn case(seed: u64, bases: &[Base]) -> Case {
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

fn mangled(seed: u64, bases: &[Base]) -> Case {
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

/// The figures of a run.
#[derive(Default)]
struct Figures {
    configurations: usize,
    refused: BTreeMap<&'static str, usize>,
    features: Features,
    unchanged: usize,
    insertions_only: usize,
    drifts: usize,
    drifts_refused: usize,
    mangled: usize,
    mangled_refused: usize,
    mangled_judged: usize,
    failures: usize,
}

fn reason(error: &EditError) -> &'static str {
    match error {
        EditError::Shared { .. } => "shared by an anchor or alias",
        EditError::Layout { how, .. } => how,
        EditError::Toml { .. } => "broken or dotted TOML",
        EditError::SeveralParts { .. } => "several CRI parts",
        EditError::Spelling { .. } => "the other spelling of a sysctl",
        EditError::Encoding { .. } => "encoding",
        _ => "other",
    }
}

fn broken(case: &Case, what: &str, text: &str) -> ! {
    panic!("seed {}: {what}\n--- before\n{}\n--- wanted {:?}\n--- text\n{text}\n", case.seed, case.text, case.desired)
}

/// Runs one case as far as it goes without Talos. The texts are for Talos to judge.
fn run(case: &Case, figures: &mut Figures) -> Option<Judged> {
    let fail = |what: &str, text: &str| -> ! {
        panic!(
            "seed {}: {what}\n--- before\n{}\n--- wanted {:?}\n--- text\n{text}\n",
            case.seed, case.text, case.desired
        )
    };
    let before = case.text.as_bytes();
    let applied = match edit(before, &case.desired, &Record::default(), case.backend) {
        Ok(applied) => applied,
        Err(error) if case.mangled && !matches!(error, EditError::Guard { .. }) => {
            figures.mangled_refused += 1;
            return None;
        }
        Err(
            error @ (EditError::Guard { .. }
            | EditError::Syntax { .. }
            | EditError::Duplicate { .. }
            | EditError::Structure { .. }),
        ) => fail(&error.to_string(), ""),
        Err(error) => {
            *figures.refused.entry(reason(&error)).or_default() += 1;
            return None;
        }
    };
    let after = String::from_utf8(applied.bytes.clone()).unwrap();
    let must = |result: Result<Edited, EditError>, what: &str, text: &str| match result {
        Ok(edited) => edited,
        Err(error) => fail(&format!("{what}: {error}"), text),
    };
    // Idempotent.
    let again = must(edit(&applied.bytes, &case.desired, &applied.record, case.backend), "editing again", &after);
    if again.bytes != applied.bytes || !again.changes.is_empty() || again.record != applied.record {
        fail("editing again changed something", &String::from_utf8_lossy(&again.bytes));
    }
    // Taking back, by way of the record's stored form.
    let record: Record = serde_json::from_str(&serde_json::to_string(&applied.record).unwrap()).unwrap();
    let back = must(edit(&applied.bytes, &Desired::default(), &record, case.backend), "taking back", &after);
    if back.bytes != before {
        fail("taking back gives other bytes", &format!("{after}\n--- back\n{}", String::from_utf8_lossy(&back.bytes)));
    }
    if !back.record.is_empty() {
        fail("taking back leaves a record", &format!("{:?}", back.record));
    }
    // An edit that only adds leaves the text whole: it is what remains when the additions are skipped.
    figures.unchanged += usize::from(applied.changes.is_empty());
    if applied.changes.iter().all(|change| change.action == Action::Add)
        && !case.text.contains("null")
        && !case.text.contains('~')
    {
        figures.insertions_only += 1;
        let mut rest = after.as_bytes().iter();
        if !before.iter().all(|byte| rest.any(|other| other == byte)) {
            fail("an edit that only adds took something away", &after);
        }
    }
    let foreign = if case.mangled { None } else { drift(case, &applied, &after, figures) };
    Some(Judged { before: case.text.clone(), after, foreign })
}

/// Somebody edits in between: something of their own, something of ours, or both.
fn drift(case: &Case, applied: &Edited, after: &str, figures: &mut Figures) -> Option<Foreign> {
    let mut dice = Dice::new(case.seed ^ 0xd21f7);
    // What a value says was fine and may be written in a way that cannot be changed; then mending is refused.
    let mut step =
        |bytes: &[u8], desired: &Desired, record: &Record, what: &str| match edit(bytes, desired, record, case.backend)
        {
            Ok(edited) => Some(edited),
            Err(EditError::Layout { .. } | EditError::Shared { .. }) => {
                figures.drifts_refused += 1;
                None
            }
            Err(error) => broken(case, &format!("{what}: {error}"), &String::from_utf8_lossy(bytes)),
        };
    let own = |text: &str| {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let gap = if text.ends_with('\n') { "" } else { end };
        text.replace("drift-before", "drift-after, and longer") + gap + "# somebody was here" + end
    };
    let expected = own(&case.text);
    let mut changed = own(after).into_bytes();
    // Some of ours is gone, or says something else.
    let meddled = dice.percent(50);
    if meddled {
        let mut other = case.desired.clone();
        other.modules.retain(|_| dice.percent(50));
        other.sysctls.retain(|_, _| dice.percent(50));
        for value in other.sysctls.values_mut() {
            *value = "7".into();
        }
        if dice.percent(50) {
            other.default_runtime = None;
        }
        changed = step(&changed, &other, &applied.record, "drift")?.bytes;
    }
    let mended = step(&changed, &case.desired, &applied.record, "mending")?;
    let back = step(&mended.bytes, &Desired::default(), &mended.record, "taking back after mending")?;
    let text = String::from_utf8_lossy(&back.bytes).into_owned();
    // A prior value whose entry somebody removed comes back where entries are added, so then only its lines are compared.
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    if text != expected && !(meddled && prior_exists(case) && sorted(&text) == sorted(&expected)) {
        broken(
            case,
            "taking back after somebody's edit leaves something else than that edit",
            &format!(
                "{}\n--- mended\n{}\n--- back\n{text}",
                String::from_utf8_lossy(&changed),
                String::from_utf8_lossy(&mended.bytes)
            ),
        );
    }
    // Somebody adds a module and a sysctl of theirs among ours, and they survive.
    let theirs = Desired {
        modules: vec![Module { name: dice.word(FOREIGN_MODULES).into(), parameters: None }],
        sysctls: BTreeMap::from([(dice.word(FOREIGN_SYSCTLS).to_owned(), "77".to_owned())]),
        default_runtime: None,
    };
    let with_theirs = step(after.as_bytes(), &theirs, &Record::default(), "somebody's keys")?;
    let back =
        step(&with_theirs.bytes, &Desired::default(), &applied.record, "taking back with somebody's keys among ours")?;
    figures.drifts += 1;
    Some(Foreign { theirs, back: String::from_utf8(back.bytes).unwrap() })
}

/// Whether a key of the desired stood in the configuration before.
fn prior_exists(case: &Case) -> bool {
    let seen = view(case.text.as_bytes(), CRI).unwrap();
    case.desired.sysctls.keys().any(|key| seen.sysctls.contains_key(key))
        || case.desired.modules.iter().any(|module| seen.modules.contains_key(&normal_name(&module.name)))
        || seen.default_runtime.is_some()
}

struct Foreign {
    theirs: Desired,
    back: String,
}

struct Judged {
    before: String,
    after: String,
    foreign: Option<Foreign>,
}

/// Compares what Talos reads before and after.
fn compare(case: &Case, judged: &Judged, before: &Reading, after: &Reading, back: Option<&Reading>) {
    let fail = |what: &str| -> ! {
        panic!(
            "seed {}: {what}\n--- before\n{}\n--- wanted {:?}\n--- after\n{}\n--- read before\n{before:?}\n--- read after\n{after:?}",
            case.seed, judged.before, case.desired, judged.after
        )
    };
    if case.mangled && !before.ok {
        return;
    }
    if !before.ok {
        fail("the generator made a configuration that Talos refuses");
    }
    if !after.ok {
        fail("Talos refuses the result");
    }
    if before.canonical_sha_of_rest != after.canonical_sha_of_rest {
        fail("Talos reads something else differently");
    }
    let desired = &case.desired;
    let is_ours = |name: &str| desired.modules.iter().any(|module| normal_name(&module.name) == normal_name(name));
    let foreign = |reading: &Reading| -> Vec<_> {
        reading.modules.iter().filter(|module| !is_ours(&module.name)).cloned().collect()
    };
    if foreign(before) != foreign(after) {
        fail("Talos reads foreign modules differently");
    }
    let last = |reading: &Reading, name: &str| {
        reading
            .modules
            .iter()
            .rfind(|module| normal_name(&module.name) == normal_name(name))
            .map(|module| module.parameters.clone().unwrap_or_default())
    };
    for module in &desired.modules {
        let wanted = module.parameters.clone().or_else(|| last(before, &module.name)).unwrap_or_default();
        if last(after, &module.name).as_ref() != Some(&wanted) {
            fail("Talos does not read a module as wanted");
        }
    }
    let count = |reading: &Reading| reading.modules.len();
    let new = desired.modules.iter().filter(|module| last(before, &module.name).is_none()).count();
    if count(after) != count(before) + new {
        fail("Talos reads another number of modules");
    }
    let mut sysctls = before.sysctls.clone();
    sysctls.extend(desired.sysctls.clone());
    if sysctls != after.sysctls {
        fail("Talos does not read the sysctls as wanted");
    }
    if let Err(what) = compare_files(case, before, after) {
        fail(what);
    }
    let seen = view(judged.after.as_bytes(), CRI).unwrap();
    for (key, value) in &after.sysctls {
        if seen.sysctls.get(key) != Some(value) {
            fail("the view reads a sysctl otherwise than Talos");
        }
    }
    for module in &after.modules {
        if seen.modules.get(&normal_name(&module.name)).map(|seen| &seen.parameters)
            != last(after, &module.name).as_ref()
        {
            fail("the view reads a module otherwise than Talos");
        }
    }
    if let (Some(back), Some(foreign)) = (back, &judged.foreign) {
        if !back.ok || back.canonical_sha_of_rest != before.canonical_sha_of_rest {
            fail(&format!("taking back with somebody's keys among ours: {back:?}\n{}", foreign.back));
        }
        let mut sysctls = before.sysctls.clone();
        sysctls.extend(foreign.theirs.sysctls.clone());
        if back.sysctls != sysctls {
            fail(&format!("somebody's sysctl is lost, or one of ours stays: {back:?}\n{}", foreign.back));
        }
        let names = |reading: &Reading| {
            let mut names: Vec<_> = reading.modules.iter().map(|module| module.name.clone()).collect();
            names.sort();
            names
        };
        let mut wanted = names(before);
        for module in &foreign.theirs.modules {
            if !wanted.contains(&module.name) {
                wanted.push(module.name.clone());
                wanted.sort();
            }
        }
        if names(back) != wanted || back.files != before.files || back.cri_customizations != before.cri_customizations {
            fail(&format!("somebody's keys are lost, or ours stay: {back:?}\n{}", foreign.back));
        }
    }
}

/// The files but for our part, and the runtime as containerd would read it.
fn compare_files(case: &Case, before: &Reading, after: &Reading) -> Result<(), &'static str> {
    let foreign =
        |reading: &Reading| -> Vec<_> { reading.files.iter().filter(|file| file.path != PART).cloned().collect() };
    if foreign(before) != foreign(after) {
        return Err("Talos reads a foreign file differently");
    }
    let parts = |reading: &Reading| -> BTreeMap<String, String> {
        let legacy = reading.files.iter().filter(|file| file.path == PART).map(|file| ("customization", &file.content));
        let documents = reading.cri_customizations.iter().map(|part| (part.name.as_str(), &part.content));
        legacy.chain(documents).map(|(name, content)| (format!("20-{name}.part"), content.clone())).collect()
    };
    let (old, new) = (parts(before), parts(after));
    for (name, content) in &new {
        let was = old.get(name).map_or("", String::as_str);
        if was == content {
            continue;
        }
        if case.desired.default_runtime.is_none() {
            return Err("a CRI fragment changed that nobody asked for");
        }
        if without_runtime(was) != without_runtime(content) {
            return Err("a CRI fragment says something else besides the runtime");
        }
    }
    if old.keys().any(|name| !new.contains_key(name)) {
        return Err("a CRI fragment is gone");
    }
    let Some(wanted) = &case.desired.default_runtime else { return Ok(()) };
    let effective = new.values().filter_map(|content| runtime(content)).rfind(|name| !name.is_empty());
    if effective.as_ref() != Some(&wanted.name) {
        return Err("the runtime is not the one that is wanted");
    }
    let file = after.files.iter().find(|file| file.path == PART);
    let as_wanted = file.is_some_and(|file| file.op == "create" && file.permissions.ends_with("600"));
    if before.files.len() < after.files.len() && !as_wanted {
        return Err("the new part is not as Talos wants it");
    }
    Ok(())
}

fn table(content: &str) -> toml_edit::DocumentMut {
    content.parse().unwrap_or_else(|error| panic!("{error}\n{content}"))
}

fn runtime(content: &str) -> Option<String> {
    let document = table(content);
    let containerd = document.get("plugins")?.get(CRI)?.get("containerd")?;
    containerd.get("default_runtime_name")?.as_str().map(str::to_owned)
}

/// What a fragment says besides the runtime; empty tables say nothing.
fn without_runtime(content: &str) -> BTreeMap<String, String> {
    fn walk(path: &str, item: &toml_edit::Item, into: &mut BTreeMap<String, String>) {
        match item.as_table_like() {
            Some(table) => table.iter().for_each(|(key, item)| walk(&format!("{path}/{key}"), item, into)),
            None => {
                into.insert(path.to_owned(), item.to_string().trim().to_owned());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk("", table(content).as_item(), &mut all);
    all.remove(&format!("/plugins/{CRI}/containerd/default_runtime_name"));
    all
}

/// Runs the configurations with these seeds.
fn prove(seeds: std::ops::Range<u64>, bases: &[Base]) -> Figures {
    let mut figures = Figures::default();
    let mut judged = Vec::new();
    let sound = seeds.clone().map(|seed| case(seed, bases));
    for case in sound.chain(seeds.map(|seed| mangled(seed, bases))) {
        if case.mangled {
            figures.mangled += 1;
        } else {
            figures.configurations += 1;
            for name in case.features.0.keys() {
                figures.features.count(name);
            }
        }
        if let Some(done) = figures.attempt(|figures| run(&case, figures)) {
            judged.push((case, done));
        }
    }
    for backend in [Backend::V1Alpha1, Backend::Documents] {
        let own: Vec<_> = judged.iter().filter(|(case, _)| case.backend == backend).collect();
        let mut texts: Vec<&[u8]> = Vec::new();
        for (case, done) in &own {
            texts.push(case.text.as_bytes());
            if let Some(done) = done {
                texts.push(done.after.as_bytes());
                texts.extend(done.foreign.iter().map(|foreign| foreign.back.as_bytes()));
            }
        }
        let mut readings = judge::read(minor_of(backend), &texts).into_iter();
        for (case, done) in &own {
            let before = readings.next().unwrap();
            match done {
                Some(done) => {
                    let after = readings.next().unwrap();
                    let back = done.foreign.as_ref().and_then(|_| readings.next());
                    figures.mangled_judged += usize::from(case.mangled && before.ok);
                    figures.attempt(|_| compare(case, done, &before, &after, back.as_ref()));
                }
                None if case.mangled => {}
                None => {
                    figures.attempt(|_| {
                        assert!(before.ok, "seed {}: Talos refuses it too: {}\n{}", case.seed, before.error, case.text);
                    });
                }
            }
        }
    }
    figures
}

impl Figures {
    /// A failure is kept, so that one run shows them all.
    fn attempt<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step(self)));
        self.failures += usize::from(done.is_err());
        done.ok()
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn edits_are_exact_and_talos_reads_them_as_intended() {
    let count = number("CONFIG_PROOF_COUNT").unwrap_or(200);
    let seed = number("CONFIG_PROOF_SEED").unwrap_or(2026);
    let bases = bases();
    let mut total = Figures::default();
    let started = std::time::Instant::now();
    let mut at = seed;
    while at < seed + count {
        let end = (at + 250).min(seed + count);
        let figures = prove(at..end, &bases);
        total.configurations += figures.configurations;
        total.unchanged += figures.unchanged;
        total.insertions_only += figures.insertions_only;
        total.drifts += figures.drifts;
        total.drifts_refused += figures.drifts_refused;
        total.mangled += figures.mangled;
        total.mangled_refused += figures.mangled_refused;
        total.mangled_judged += figures.mangled_judged;
        total.failures += figures.failures;
        for (name, count) in figures.features.0 {
            *total.features.0.entry(name).or_default() += count;
        }
        for (name, count) in figures.refused {
            *total.refused.entry(name).or_default() += count;
        }
        at = end;
    }
    let refused: usize = total.refused.values().sum();
    println!(
        "{} configurations, seeds {seed} to {}, in {:?}",
        total.configurations,
        seed + count - 1,
        started.elapsed()
    );
    println!(
        "{} edited, of these {} as wanted already, {} by additions alone; {} drifts and {} refused to mend",
        total.configurations - refused,
        total.unchanged,
        total.insertions_only,
        total.drifts,
        total.drifts_refused
    );
    println!("{refused} refused ({:.2} %)", 100.0 * refused as f64 / total.configurations as f64);
    for (reason, count) in &total.refused {
        println!("  {count:6} {reason}");
    }
    println!(
        "{} broken at random: {} refused, {} edited and judged by Talos, the rest refused by Talos as they were",
        total.mangled, total.mangled_refused, total.mangled_judged
    );
    println!("features");
    for (name, count) in &total.features.0 {
        println!("  {count:6} {name}");
    }
    assert_eq!(total.failures, 0, "failures, each printed above with its seed");
    assert!(refused * 20 < total.configurations, "more than 5 % are refused");
    let least = if count >= 10_000 { 300 } else { 1 };
    let missing: Vec<_> =
        WANTED.iter().filter(|name| total.features.0.get(*name).copied().unwrap_or(0) < least).collect();
    assert!(missing.is_empty(), "seen in fewer than {least} configurations: {missing:?}");
}
