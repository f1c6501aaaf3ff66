//! The edit as a whole: take back what is no longer wanted, write what is, give empty containers back, prove it.

use std::collections::BTreeSet;

use super::record::{Home, ModuleRecord, Record, SysctlRecord, Token};
use super::session::Session;
use super::tree::Tree;
use super::{
    Backend, Desired, EditError, Edited, Form, View, desired, guard, modules, normal_name, runtime, source, sysctls,
    view,
};

/// Brings a configuration to what is wanted, and takes back what the record says is ours and is wanted no longer.
///
/// Editing the result again changes nothing; editing it towards `Desired::default()` gives the bytes back that were
/// there before, but for what somebody else did in between, which stays.
///
/// # Errors
/// Something cannot be edited exactly, or cannot be written at all. Nothing is changed then.
pub fn edit(bytes: &[u8], desired: &Desired, record: &Record, backend: Backend) -> Result<Edited, EditError> {
    desired::check(desired)?;
    let mut session = Session::new(bytes, record)?;
    // What cannot be read is refused before anything is done, whether it is in the way or not.
    let plugin = desired.default_runtime.as_ref().map_or("", |runtime| runtime.cri_plugin.as_str());
    view::of_tree(&*session.tree()?, plugin)?;
    take_back(&mut session, desired)?;
    for module in &desired.modules {
        modules::set(&mut session, module, backend)?;
    }
    for (key, value) in &desired.sysctls {
        sysctls::set(&mut session, key, value, backend)?;
    }
    if let Some(wanted) = &desired.default_runtime {
        runtime::set(&mut session, wanted, backend)?;
    }
    session.tidy()?;
    sysctls::tidy(&mut session)?;
    guard::check(&mut session, desired, record)?;
    Ok(Edited {
        bytes: session.text.into_bytes(),
        record: session.record,
        changes: session.changes,
        touches_files: session.touches_files,
    })
}

fn take_back(session: &mut Session, desired: &Desired) -> Result<(), EditError> {
    let wanted: BTreeSet<_> = desired.modules.iter().map(|module| normal_name(&module.name)).collect();
    let dropped: Vec<_> = session.record.modules.keys().filter(|name| !wanted.contains(*name)).cloned().collect();
    for name in dropped {
        modules::revert(session, &name)?;
    }
    let dropped: Vec<_> =
        session.record.sysctls.keys().filter(|key| !desired.sysctls.contains_key(*key)).cloned().collect();
    for key in dropped {
        sysctls::revert(session, &key)?;
    }
    let plugin = desired.default_runtime.as_ref().map(|runtime| runtime.cri_plugin.as_str());
    if session.record.default_runtime().is_some_and(|owned| Some(owned) != plugin) {
        runtime::revert(session)?;
    }
    Ok(())
}

/// Takes what of the wanted stands in a configuration for ours, as if it had not been there before us: for an import.
///
/// # Errors
/// The configuration is not one that Talos takes.
pub fn adopt(bytes: &[u8], desired: &Desired) -> Result<Record, EditError> {
    let tree = Tree::parse(source::text(bytes)?)?;
    let view: View = view::of_tree(&tree, "")?;
    let mut record = Record::default();
    let home = |form| match form {
        Form::V1Alpha1 => Home::V1alpha1,
        Form::Document => Home::Document,
    };
    for name in desired.modules.iter().map(|module| normal_name(&module.name)) {
        if let Some(found) = view.modules.get(&name)
            && let Some(first) = found.places.first()
        {
            let ours = ModuleRecord::Ours { home: home(first.form), count: found.places.len(), other: None };
            record.modules.insert(name, ours);
            if first.form == Form::V1Alpha1 {
                // A container counts as made by us, so that it goes with the last of ours if nothing else is in it.
                for path in ["machine.kernel", "machine.kernel.modules"] {
                    record.containers.insert(path.into(), Token::Absent);
                }
            }
        }
    }
    for key in desired.sysctls.keys() {
        if let Some(places) = view.sysctl_places.get(key) {
            if places.iter().any(|place| place.form == Form::V1Alpha1) {
                record.containers.insert("machine.sysctls".into(), Token::Absent);
            }
            let ours = places.iter().map(|place| (home(place.form), None));
            record.sysctls.insert(key.clone(), SysctlRecord::from_iter(ours));
        }
    }
    sysctls::adopt_document(&tree, &mut record)?;
    if let Some(wanted) = &desired.default_runtime {
        record.default_runtime = runtime::adopt(&tree, wanted)?;
    }
    Ok(record)
}
