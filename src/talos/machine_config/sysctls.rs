//! Sysctls: `machine.sysctls`, and the `SysctlConfig` document, which wins.

use super::containers::{self, PARAMS, SYSCTLS};
use super::fragment::{Fragment, Style, quote};
use super::locate::{self, DocumentKind};
use super::modules::v1alpha1_root;
use super::place::{self, Child, Container};
use super::record::{Home, Record, Token};
use super::session::Session;
use super::splice::Splice;
use super::tree::{Id, Tree};
use super::{Action, Backend, Change, EditError, Form, Place, Subject, documents, fragment};

/// One entry that sets a sysctl.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    pub(super) home: Home,
    pub(super) document: usize,
    root: Id,
    pub(super) key: Id,
    pub(super) value: Id,
    pub(super) name: String,
    /// The value as Talos reads it: a number is its text, nothing is the empty string.
    pub(super) text: String,
    pub(super) line: usize,
}

impl Occurrence {
    pub(super) fn place(&self) -> Place {
        let form = match self.home {
            Home::V1alpha1 => Form::V1Alpha1,
            Home::Document => Form::Document,
        };
        Place { document: self.document + 1, line: self.line, form }
    }

    fn path(&self) -> String {
        match self.home {
            Home::V1alpha1 => format!("machine.sysctls.{}", self.name),
            Home::Document => format!("SysctlConfig.params.{}", self.name),
        }
    }
}

/// All of them, in the order in which Talos takes them: the last one of a key counts.
pub(super) fn occurrences(tree: &Tree) -> Result<Vec<Occurrence>, EditError> {
    let documents = locate::documents(tree)?;
    let mut found = Vec::new();
    for (kind, home, keys) in [
        (DocumentKind::V1Alpha1, Home::V1alpha1, ["machine", "sysctls"].as_slice()),
        (DocumentKind::Sysctl, Home::Document, ["params"].as_slice()),
    ] {
        for document in documents.iter().filter(|document| document.kind == kind) {
            let Some(mapping) = locate::read(tree, document.root, keys) else { continue };
            for (key, value) in entries(tree, mapping, 8) {
                let Some((name, _)) = tree.scalar(tree.resolve(key)) else { continue };
                let resolved = tree.resolve(value);
                let text = if tree.is_null(resolved) { "" } else { tree.scalar(resolved).map_or("", |(text, _)| text) };
                found.push(Occurrence {
                    home,
                    document: document.index,
                    root: document.root,
                    key,
                    value,
                    name: name.to_owned(),
                    text: text.to_owned(),
                    line: tree.line(key),
                });
            }
        }
    }
    Ok(found)
}

/// The entries of a mapping, those that merge keys supply first: its own win.
fn entries(tree: &Tree, mapping: Id, depth: usize) -> Vec<(Id, Id)> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let is_merge = |key: Id| tree.scalar(key).is_some_and(|(text, _)| text == "<<");
    let mut all = Vec::new();
    for (_, value) in tree.entries(mapping).iter().filter(|(key, _)| is_merge(*key)) {
        let source = tree.resolve(*value);
        match tree.items(source) {
            [] => all.extend(entries(tree, source, depth)),
            sources => {
                all.extend(sources.iter().rev().flat_map(|source| entries(tree, tree.resolve(*source), depth)));
            }
        }
    }
    all.extend(tree.entries(mapping).iter().filter(|(key, _)| !is_merge(*key)));
    all
}

fn of_key(tree: &Tree, name: &str) -> Result<Vec<Occurrence>, EditError> {
    let mut all = occurrences(tree)?;
    all.retain(|occurrence| occurrence.name == name);
    Ok(all)
}

/// The file below /proc/sys that a key means: when its first separator is a slash, slashes separate and dots are
/// part of a name, and the other way round.
fn file(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(at) if key[at..].starts_with('.') => key
            .chars()
            .map(|char| match char {
                '.' => '/',
                '/' => '.',
                char => char,
            })
            .collect(),
        _ => key.to_owned(),
    }
}

/// Brings one sysctl to what is wanted.
pub(super) fn set(session: &mut Session, name: &str, wanted: &str, backend: Backend) -> Result<(), EditError> {
    let tree = session.tree()?;
    let mut all = occurrences(&tree)?;
    if let Some(other) = all.iter().find(|other| other.name != name && file(&other.name) == file(name)) {
        return Err(EditError::Spelling { line: other.line, wanted: name.to_owned() });
    }
    all.retain(|occurrence| occurrence.name == name);
    let Some(last) = all.pop() else {
        return add(session, name, wanted, backend);
    };
    let splice = if last.text == wanted { None } else { Some(replace(&tree, &last, &quote(wanted))?) };
    let prior = tree.text[tree.node(last.value).span.clone()].to_owned();
    let change = splice.is_some().then(|| Change {
        subject: Subject::Sysctl(name.to_owned()),
        action: Action::Set,
        place: last.place(),
        before: Some(last.text.clone()),
        after: Some(wanted.to_owned()),
    });
    // Recorded when the key becomes ours, and again only in a place where somebody overrode ours.
    let record = session.record.sysctls.entry(name.to_owned()).or_default();
    if record.is_empty() || splice.is_some() {
        record.entry(last.home).or_insert(Some(prior));
    }
    session.apply(splice.into_iter().collect());
    session.changes.extend(change);
    Ok(())
}

fn add(session: &mut Session, name: &str, wanted: &str, backend: Backend) -> Result<(), EditError> {
    let child = Child::Entry(name.to_owned(), Fragment::Quoted(wanted.to_owned()));
    let (home, at) = match backend {
        Backend::V1Alpha1 => {
            (Home::V1alpha1, containers::put(session, SYSCTLS, v1alpha1_root("machine.sysctls"), &child)?)
        }
        Backend::Documents => (Home::Document, add_to_document(session, name, wanted, &child)?),
    };
    let place = session.place(at, home)?;
    // Ours even if the record has a value of theirs: somebody took that out.
    session.record.sysctls.entry(name.to_owned()).or_default().insert(home, None);
    session.changes.push(Change {
        subject: Subject::Sysctl(name.to_owned()),
        action: Action::Add,
        place,
        before: None,
        after: Some(wanted.to_owned()),
    });
    Ok(())
}

fn add_to_document(session: &mut Session, name: &str, wanted: &str, child: &Child) -> Result<usize, EditError> {
    let tree = session.tree()?;
    if document(&tree)?.is_some() {
        let root = |tree: &Tree| {
            document(tree)?.map(|document| document.root).ok_or(EditError::NoV1Alpha1 { path: "SysctlConfig".into() })
        };
        return containers::put(session, PARAMS, root, child);
    }
    let params = Fragment::Mapping(vec![(name.to_owned(), Fragment::Quoted(wanted.to_owned()))]);
    let lines = ["apiVersion: v1alpha1".to_owned(), "kind: SysctlConfig".to_owned()]
        .into_iter()
        .chain(params.entry("params", Style::TALOS))
        .collect();
    let at = documents::append(session, lines)?;
    session.record.containers.insert("SysctlConfig".into(), Token::Absent);
    Ok(at)
}

fn document(tree: &Tree) -> Result<Option<locate::Located>, EditError> {
    Ok(locate::documents(tree)?.into_iter().find(|document| document.kind == DocumentKind::Sysctl))
}

/// Takes a sysctl back: out, where it was not, else with the value that it had, as it was written.
pub(super) fn revert(session: &mut Session, name: &str) -> Result<(), EditError> {
    for (home, prior) in session.record.sysctls.remove(name).unwrap_or_default() {
        revert_one(session, name, home, prior)?;
    }
    Ok(())
}

fn revert_one(session: &mut Session, name: &str, home: Home, prior: Option<String>) -> Result<(), EditError> {
    let tree = session.tree()?;
    let all = of_key(&tree, name)?;
    let Some(own) = all.iter().rfind(|occurrence| occurrence.home == home) else { return Ok(()) };
    let (splices, action) = match &prior {
        None => (take(&tree, own)?, Action::Remove),
        Some(raw) if *raw == tree.text[tree.node(own.value).span.clone()] => (Vec::new(), Action::Restore),
        Some(raw) => (vec![replace(&tree, own, raw)?], Action::Restore),
    };
    let change = (!splices.is_empty()).then(|| Change {
        subject: Subject::Sysctl(name.to_owned()),
        action,
        place: own.place(),
        before: Some(own.text.clone()),
        after: prior,
    });
    session.apply(splices);
    session.changes.extend(change);
    Ok(())
}

/// The mapping that an occurrence stands in, if an edit there changes that mapping alone.
fn strict(tree: &Tree, own: &Occurrence) -> Result<Container, EditError> {
    let steps = if own.home == Home::V1alpha1 { SYSCTLS } else { PARAMS };
    let shared = || EditError::Shared { line: own.line, path: own.path(), how: "supplied from elsewhere" };
    let container = containers::find(tree, own.root, steps)?.ok_or_else(shared)?;
    match locate::field(tree, container.id, &own.name, &own.path())? {
        Some((key, _)) if key == own.key => Ok(container),
        _ => Err(shared()),
    }
}

fn take(tree: &Tree, own: &Occurrence) -> Result<Vec<Splice>, EditError> {
    let container = strict(tree, own)?;
    locate::unshared(tree, own.value, &own.path())?;
    let index = tree.entries(container.id).iter().position(|(key, _)| *key == own.key).unwrap_or_default();
    place::take(tree, &container, index)
}

/// Replaces a value in place. `raw` may be empty: the nothing behind a colon.
fn replace(tree: &Tree, own: &Occurrence, raw: &str) -> Result<Splice, EditError> {
    let path = own.path();
    strict(tree, own)?;
    let colon = locate::colon(tree, own.key, &path)?;
    locate::unshared(tree, own.value, &path)?;
    let node = tree.node(own.value);
    let written = &tree.text[node.span.clone()];
    let several_lines =
        tree.scalar(own.value).is_none_or(|(_, style)| fragment::is_block(style)) || written.contains('\n');
    let tagged = node.tag.as_ref().is_some_and(|(tag, _)| tag != "str");
    if several_lines || tagged || (node.has_properties() && (written.is_empty() || raw.is_empty())) {
        return Err(EditError::Layout {
            line: own.line,
            path,
            how: "a value with an anchor, a tag or several lines",
            remedy: "as a plain or quoted value on one line",
        });
    }
    Ok(match (written.is_empty(), raw.is_empty()) {
        (true, _) => Splice::insert(colon + 1, format!(" {raw}")),
        (false, true) => place::empty(&tree.text, colon + 1..node.span.end),
        (false, false) => Splice::replace(node.span.clone(), raw),
    })
}

/// Takes the document for ours in which nothing but our sysctls is.
pub(super) fn adopt_document(tree: &Tree, record: &mut Record) -> Result<(), EditError> {
    let ours: Vec<_> = occurrences(tree)?.into_iter().filter(|found| found.home == Home::Document).collect();
    if !ours.is_empty() && ours.iter().all(|found| record.sysctls.contains_key(&found.name)) {
        record.containers.insert("SysctlConfig".into(), Token::Absent);
    }
    Ok(())
}

/// Takes the document out that we made, once nothing is in it any more.
pub(super) fn tidy(session: &mut Session) -> Result<(), EditError> {
    if !session.record.containers.contains_key("SysctlConfig") {
        return Ok(());
    }
    let tree = session.tree()?;
    let splices = match document(&tree)? {
        Some(found) => {
            let bare = tree.entries(found.root).iter().all(|(key, value)| match tree.scalar(*key) {
                Some(("apiVersion" | "kind", _)) => true,
                Some(("params", _)) => {
                    tree.is_null(*value) || (tree.entries(*value).is_empty() && tree.is_flow(*value))
                }
                _ => false,
            });
            bare.then(|| documents::remove(&tree, &found)).transpose()?
        }
        None => Some(Vec::new()),
    };
    let done = splices.is_some() || !session.record.sysctls.values().any(|sysctl| sysctl.contains_key(&Home::Document));
    session.apply(splices.unwrap_or_default());
    if done {
        session.record.containers.remove("SysctlConfig");
    }
    Ok(())
}
