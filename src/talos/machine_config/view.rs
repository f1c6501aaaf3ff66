//! What a configuration says, read as Talos reads it: through aliases and merge keys, both forms of every setting.

use super::tree::Tree;
use super::{EditError, ModuleView, View, locate, modules, normal_name, runtime, source, sysctls};

/// Reads a configuration.
///
/// # Errors
/// The configuration is not one that Talos takes.
pub fn view(bytes: &[u8], cri_plugin: &str) -> Result<View, EditError> {
    of_tree(&Tree::parse(source::text(bytes)?)?, cri_plugin)
}

pub(super) fn of_tree(tree: &Tree, cri_plugin: &str) -> Result<View, EditError> {
    let mut view = View { has_v1alpha1: locate::v1alpha1(tree)?.is_some(), ..View::default() };
    for module in modules::occurrences(tree)? {
        let place = module.place();
        let entry = view.modules.entry(normal_name(&module.name)).or_insert_with(|| ModuleView {
            name: String::new(),
            parameters: Vec::new(),
            places: Vec::new(),
        });
        entry.name = module.name;
        entry.parameters = module.parameters;
        entry.places.push(place);
    }
    for sysctl in sysctls::occurrences(tree)? {
        view.sysctl_places.entry(sysctl.name.clone()).or_default().push(sysctl.place());
        view.sysctls.insert(sysctl.name, sysctl.text);
    }
    runtime::view(tree, cri_plugin, &mut view)?;
    Ok(view)
}
