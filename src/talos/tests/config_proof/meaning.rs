//! What is shown with Talos's own parser: the meaning.

use std::collections::{BTreeMap, BTreeSet};

use talos::machine_config::{normal_name, view};

use super::CRI;
use super::case::Case;
use super::content::PART;
use super::exact::{Judged, Later};
use super::talos::{Module, Reading};

/// Compares what Talos reads before and after.
pub(crate) fn compare(case: &Case, judged: &Judged, before: &Reading, after: &Reading, later: &[Reading]) {
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
    for (later, reading) in judged.later.iter().zip(later) {
        if let Err(what) = compare_later(later, before, reading) {
            fail(&format!("{}: {what}: {reading:?}\n{}", later.what, later.text));
        }
    }
}

/// Whether a configuration that went through other hands says what it said at first, but for what they did.
fn compare_later(later: &Later, before: &Reading, reading: &Reading) -> Result<(), &'static str> {
    if !reading.ok || reading.canonical_sha_of_rest != before.canonical_sha_of_rest {
        return Err("Talos reads something else differently");
    }
    let is_gone = |name: &str| later.gone.modules.iter().any(|gone| normal_name(&gone.name) == normal_name(name));
    let mut modules: Vec<_> = before.modules.iter().filter(|module| !is_gone(&module.name)).cloned().collect();
    for added in &later.added.modules {
        if modules.iter().all(|module| module.name != added.name) {
            modules.push(Module { name: added.name.clone(), parameters: Some(Vec::new()) });
        }
    }
    let sorted = |mut modules: Vec<Module>| {
        modules.sort_by(|one, other| one.name.cmp(&other.name));
        modules
    };
    if sorted(modules) != sorted(reading.modules.clone()) {
        return Err("Talos reads other modules");
    }
    let mut sysctls = before.sysctls.clone();
    sysctls.retain(|key, _| !later.gone.sysctls.contains_key(key));
    sysctls.extend(later.added.sysctls.clone());
    if sysctls != reading.sysctls {
        return Err("Talos reads other sysctls");
    }
    if later.gone.default_runtime.is_none() {
        if reading.files != before.files || reading.cri_customizations != before.cri_customizations {
            return Err("Talos reads other files");
        }
        return Ok(());
    }
    let (old, new) = (parts(before), parts(reading));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let text = |parts: &BTreeMap<String, String>, name| without_runtime(parts.get(name).map_or("", String::as_str));
    if names.into_iter().any(|name| text(&old, name) != text(&new, name)) {
        return Err("a CRI fragment says something else besides the runtime");
    }
    Ok(())
}

fn parts(reading: &Reading) -> BTreeMap<String, String> {
    let legacy = reading.files.iter().filter(|file| file.path == PART).map(|file| ("customization", &file.content));
    let documents = reading.cri_customizations.iter().map(|part| (part.name.as_str(), &part.content));
    legacy.chain(documents).map(|(name, content)| (format!("20-{name}.part"), content.clone())).collect()
}

/// The files but for our part, and the runtime as containerd would read it.
fn compare_files(case: &Case, before: &Reading, after: &Reading) -> Result<(), &'static str> {
    let foreign =
        |reading: &Reading| -> Vec<_> { reading.files.iter().filter(|file| file.path != PART).cloned().collect() };
    if foreign(before) != foreign(after) {
        return Err("Talos reads a foreign file differently");
    }
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
