//! What is said of two addresses that stand for one object of a cluster.

use plugin::{Diagnostics, Path};

/// Two `import` blocks of one walk. The second is refused: nothing is in the state yet.
pub(crate) fn imported(what: &str, path: Path, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        path,
        "Two addresses import one object",
        format!("Two `import` blocks name {what}, each for an address of its own. Both resources would then manage it: each would undo the other's changes, and a destroy of one would take it from both. Keep one of the blocks, with its resource."),
    );
}

/// Two stored objects, or one that is imported while another address has it. A warning, since it must not stop the
/// `terraform destroy` or the plan by which somebody gets out of it.
pub(crate) fn managed(what: &str, path: Path, diagnostics: &mut Diagnostics) {
    diagnostics.warn(
        path,
        "Two addresses manage one object",
        format!("Another address of this configuration has {what} too: each undoes the other's changes, and a destroy of one takes it from both. Keep one: `terraform state rm ADDRESS` takes the other out of the state and leaves the object alone, and then its block has to go. A resource that was renamed needs a `moved` block instead of an import."),
    );
}
