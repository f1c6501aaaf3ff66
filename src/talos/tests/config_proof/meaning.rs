//! What is shown with Talos's own parser: the meaning.

use std::collections::BTreeMap;

use talos::machine_config::{normal_name, view};

use super::CRI;
use super::case::Case;
use super::content::PART;
use super::exact::Judged;
use super::talos::Reading;

/// Compares what Talos reads before and after.
pub(crate) fn compare(case: &Case, judged: &Judged, before: &Reading, after: &Reading, back: Option<&Reading>) {
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
