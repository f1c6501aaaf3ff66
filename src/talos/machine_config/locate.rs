//! Finding the documents and keys that are ours to edit, and refusing those that stand for more than their own place.

use std::ops::Range;

use super::tree::{Id, Kind, Tree};
use super::{EditError, place, source};

/// The kinds of documents that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DocumentKind {
    V1Alpha1,
    Module(String),
    Sysctl,
    Cri(String),
    Other,
}

/// A document, by its place in the stream.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) index: usize,
    pub(super) root: Id,
    pub(super) kind: DocumentKind,
}

/// All documents. Two of the same kind and name are refused, as Talos refuses them.
pub(super) fn documents(tree: &Tree) -> Result<Vec<Located>, EditError> {
    let mut found: Vec<Located> = Vec::with_capacity(tree.documents.len());
    for (index, document) in tree.documents.iter().enumerate() {
        let kind = kind_of(tree, document.root)?;
        if kind != DocumentKind::Other
            && let Some(first) = found.iter().find(|other| other.kind == kind)
        {
            return Err(EditError::Duplicate {
                line: tree.line(document.root),
                first: tree.line(first.root),
                path: describe(&kind),
            });
        }
        found.push(Located { index, root: document.root, kind });
    }
    Ok(found)
}

/// What a document is called in a message.
pub(super) fn describe(kind: &DocumentKind) -> String {
    match kind {
        DocumentKind::V1Alpha1 => "the v1alpha1 document".into(),
        DocumentKind::Module(name) => format!("the document KernelModuleConfig/{name}"),
        DocumentKind::Sysctl => "the document SysctlConfig".into(),
        DocumentKind::Cri(name) => format!("the document CRICustomizationConfig/{name}"),
        DocumentKind::Other => "a document".into(),
    }
}

fn kind_of(tree: &Tree, root: Id) -> Result<DocumentKind, EditError> {
    let text = |name: &str| -> Result<Option<String>, EditError> {
        let value = field(tree, root, name, name)?.map(|(_, value)| tree.resolve(value));
        Ok(value.and_then(|value| tree.scalar(value)).map(|(text, _)| text.to_owned()))
    };
    let Some(kind) = text("kind")? else {
        for key in ["machine", "cluster", "debug", "persist"] {
            if field(tree, root, key, key)?.is_some() {
                return Ok(DocumentKind::V1Alpha1);
            }
        }
        let bare = text("apiVersion")?.is_some_and(|version| version == "v1alpha1");
        return Ok(if bare { DocumentKind::V1Alpha1 } else { DocumentKind::Other });
    };
    let name = text("name")?.unwrap_or_default();
    Ok(match kind.as_str() {
        "KernelModuleConfig" => DocumentKind::Module(name),
        "SysctlConfig" => DocumentKind::Sysctl,
        "CRICustomizationConfig" => DocumentKind::Cri(name),
        _ => DocumentKind::Other,
    })
}

/// The v1alpha1 document.
pub(super) fn v1alpha1(tree: &Tree) -> Result<Option<Located>, EditError> {
    Ok(documents(tree)?.into_iter().find(|document| document.kind == DocumentKind::V1Alpha1))
}

/// The entry of a mapping with this key, as it is written there. A second one is refused, and so is a key that only a
/// merge supplies.
pub(super) fn field(tree: &Tree, mapping: Id, name: &str, path: &str) -> Result<Option<(Id, Id)>, EditError> {
    let mapping = tree.resolve(mapping);
    let mut found: Option<(Id, Id)> = None;
    let mut merge = None;
    for (key, value) in tree.entries(mapping) {
        let text = tree.scalar(tree.resolve(*key)).map(|(text, _)| text);
        if text == Some(name) {
            if let Some((first, _)) = found {
                return Err(EditError::Duplicate { line: tree.line(*key), first: tree.line(first), path: path.into() });
            }
            found = Some((*key, *value));
        } else if text == Some("<<") {
            merge = Some((*key, *value));
        }
    }
    match (found, merge) {
        (None, Some((key, value))) if supplies(tree, value, name, 8) => {
            Err(EditError::Shared { line: tree.line(key), path: path.into(), how: "supplied by a merge key (<<)" })
        }
        _ => Ok(found),
    }
}

/// The value behind a way of keys, read as Talos reads it: through aliases and merge keys.
pub(super) fn read(tree: &Tree, root: Id, keys: &[&str]) -> Option<Id> {
    keys.iter().try_fold(tree.resolve(root), |at, key| read_field(tree, at, key, 8).map(|value| tree.resolve(value)))
}

fn read_field(tree: &Tree, mapping: Id, name: &str, depth: usize) -> Option<Id> {
    let depth = depth.checked_sub(1)?;
    let mapping = tree.resolve(mapping);
    let key_is = |key: Id, name: &str| tree.scalar(tree.resolve(key)).is_some_and(|(text, _)| text == name);
    let own = tree.entries(mapping).iter().find(|(key, _)| key_is(*key, name)).map(|(_, value)| *value);
    own.or_else(|| {
        let (_, merged) = tree.entries(mapping).iter().find(|(key, _)| key_is(*key, "<<"))?;
        let merged = tree.resolve(*merged);
        match tree.items(merged) {
            [] => read_field(tree, merged, name, depth),
            sources => sources.iter().find_map(|source| read_field(tree, *source, name, depth)),
        }
    })
}

/// Whether what a merge key names has this key. In doubt, as when merges are nested deeply, it has.
fn supplies(tree: &Tree, source: Id, name: &str, depth: usize) -> bool {
    let source = tree.resolve(source);
    match &tree.node(source).kind {
        _ if depth == 0 => true,
        Kind::Sequence { items, .. } => items.iter().any(|item| supplies(tree, *item, name, depth - 1)),
        Kind::Mapping { entries, .. } => entries.iter().any(|(key, value)| match tree.scalar(tree.resolve(*key)) {
            Some(("<<", _)) => supplies(tree, *value, name, depth - 1),
            Some((text, _)) => text == name,
            None => true,
        }),
        Kind::Scalar { .. } => false,
        Kind::Alias(_) => true,
    }
}

/// Refuses a node whose change would be seen elsewhere.
pub(super) fn unshared(tree: &Tree, id: Id, path: &str) -> Result<(), EditError> {
    let node = tree.node(id);
    let how = match (&node.kind, &node.anchor) {
        (Kind::Alias(_), _) => "an alias (*) of a value that stands elsewhere",
        (_, Some((anchor, _))) if tree.used_anchors.contains(anchor) => {
            "the value of an anchor (&) that is used elsewhere"
        }
        _ => return Ok(()),
    };
    Err(EditError::Shared { line: tree.line(id), path: path.into(), how })
}

/// The offset of the colon between a key and its value; refuses a key that is not written as `key: value`.
pub(super) fn colon(tree: &Tree, key: Id, path: &str) -> Result<usize, EditError> {
    let node = tree.node(key);
    let refuse =
        |how| Err(EditError::Layout { line: tree.line(key), path: path.into(), how, remedy: "as `key: value`" });
    if matches!(node.kind, Kind::Alias(_)) || node.has_properties() {
        return refuse("a key with an anchor, an alias or a tag");
    }
    let before = tree.text[..node.start()].trim_end_matches([' ', '\t']);
    if before.ends_with('?') {
        return refuse("a complex key (? key)");
    }
    let after = &tree.text[node.span.end..];
    let spaces = after.len() - after.trim_start_matches([' ', '\t']).len();
    if after[spaces..].starts_with(':') {
        Ok(node.span.end + spaces)
    } else {
        refuse("a key without a colon behind it")
    }
}

/// What stands between a colon and the end of the value behind it, which may be nothing.
pub(super) fn behind_colon(tree: &Tree, colon: usize, value: Id) -> Range<usize> {
    colon + 1..place::end(tree, value).max(colon + 1)
}

/// The offset of the dash of an item of a block sequence, which stands behind `from`.
pub(super) fn dash(tree: &Tree, from: usize, item: Id, path: &str) -> Result<usize, EditError> {
    let to = tree.node(item).start();
    let mut at = from;
    while at < to {
        let next = tree.comments_in(at..to).first();
        let end = next.map_or(to, |comment| comment.start);
        if let Some(dash) = tree.text[at..end].find('-') {
            return Ok(at + dash);
        }
        at = next.map_or(to, |comment| comment.end);
    }
    Err(EditError::Layout {
        line: source::line_of(&tree.text, to),
        path: path.into(),
        how: "an item whose dash cannot be found",
        remedy: "as `- item`",
    })
}

/// Behind what the dash of an item stands: the item before, or the key and the sequence's own anchor and tag.
pub(super) fn dash_from(tree: &Tree, sequence: Id, index: usize, colon: usize) -> usize {
    if index > 0 {
        return tree.node(tree.items(sequence)[index - 1]).span.end;
    }
    let node = tree.node(sequence);
    let anchor = node.anchor.as_ref().map_or(0, |(_, range)| range.end);
    let tag = node.tag.as_ref().map_or(0, |(_, range)| range.end);
    anchor.max(tag).max(colon + 1)
}

/// What a node is, for a message.
pub(super) fn found(tree: &Tree, id: Id) -> &'static str {
    match tree.node(id).kind {
        Kind::Mapping { .. } => "a mapping",
        Kind::Sequence { .. } => "a sequence",
        Kind::Alias(_) => "an alias",
        Kind::Scalar { .. } => "a scalar",
    }
}
