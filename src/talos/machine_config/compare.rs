//! Two configurations of one node beside each other: the active one and the one that its next boot takes.

use super::record::{Record, Token};
use super::tree::{Id, Kind, Tree};
use super::{Backend, Desired, adopt, edit, locate, runtime, source};

/// Whether two configurations are byte for byte the same once all that `desired` names is taken out of both, whoever put
/// it there. What cannot be taken out exactly counts as different.
#[must_use]
pub fn same_but_for(one: &[u8], other: &[u8], desired: &Desired) -> bool {
    let rest = |bytes: &[u8]| {
        let record = adopt(bytes, desired).ok()?.with_all_around();
        edit(bytes, &Desired::default(), &record, Backend::V1Alpha1).ok().map(|edited| edited.bytes)
    };
    rest(one).is_some_and(|one| rest(other) == Some(one))
}

/// Whether `machine.files` says the same in both, so that Talos needs no reboot for it. What cannot be read is different.
#[must_use]
pub fn same_files(one: &[u8], other: &[u8]) -> bool {
    matches!((files(one), files(other)), (Some(one), Some(other)) if one == other)
}

fn files(bytes: &[u8]) -> Option<String> {
    let tree = Tree::parse(source::text(bytes).ok()?).ok()?;
    let Some(document) = locate::v1alpha1(&tree).ok()? else { return Some(String::new()) };
    let mut text = String::new();
    for item in
        locate::read(&tree, document.root, &["machine", "files"]).map(|files| tree.items(files)).unwrap_or_default()
    {
        meaning(&tree, *item, &mut text)?;
    }
    Some(text)
}

/// A value without its style. `None`: an alias whose anchor was not seen.
fn meaning(tree: &Tree, id: Id, into: &mut String) -> Option<()> {
    match &tree.node(id).kind {
        Kind::Scalar { value, .. } => into.push_str(&format!("{value:?} ")),
        Kind::Alias(target) => meaning(tree, (*target)?, into)?,
        Kind::Sequence { items, .. } => {
            into.push('[');
            items.iter().try_for_each(|item| meaning(tree, *item, into))?;
            into.push(']');
        }
        Kind::Mapping { entries, .. } => {
            let mut fields = Vec::new();
            for (key, value) in entries {
                let mut field = String::new();
                meaning(tree, *key, &mut field)?;
                meaning(tree, *value, &mut field)?;
                fields.push(field);
            }
            fields.sort();
            into.push_str(&format!("{{{}}}", fields.concat()));
        }
    }
    Some(())
}

impl Record {
    /// The record of an adoption, as if the table and the list around the default runtime had been made by us too. Where
    /// something else is in them they stay all the same.
    fn with_all_around(mut self) -> Self {
        for place in self.default_runtime.iter_mut().flat_map(|runtime| &mut runtime.places) {
            place.made_table = true;
            if place.fragment == runtime::LEGACY {
                self.containers.insert("machine.files".into(), Token::Absent);
            }
        }
        self
    }
}
