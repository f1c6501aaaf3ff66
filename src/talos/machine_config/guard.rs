//! The proof that an edit changed our fragments and nothing else. Nothing leaves [`edit`](super::edit) without it.
//!
//! It shares the parser and the places of our keys with the edit, and nothing of how the edit is made. From the text
//! before and the text after it takes what is ours out, each for itself, and compares: the bytes outside the edits; the
//! parser's events, with styles, anchors and tags; the comments; that no edit touches a byte of somebody's scalar,
//! alias, comment or document mark; that no container of somebody's is gone; and what a reader sees of our keys.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use granit_parser::ScalarStyle;

use super::record::{Home, ModuleRecord, Record, Token};
use super::session::Session;
use super::splice::Hunk;
use super::tree::{Id, Kind, Tree};
use super::{Desired, EditError, cri_toml, fragment, locate, modules, normal_name, runtime, source, sysctls, view};

/// Proves the session's edit, or says which check it fails.
pub(super) fn check(session: &mut Session, desired: &Desired, before: &Record) -> Result<(), EditError> {
    #[cfg(test)]
    sabotage::commit(session);
    session.hunks.trim(&session.original, &session.text);
    let hunks = &session.hunks.0;
    let failed = |check| {
        let at = hunks.first().map_or(0, |hunk| hunk.before.start);
        EditError::Guard { line: source::line_of(&session.original, at), check }
    };
    if !same_outside(&session.original, &session.text, hunks) {
        return Err(failed("bytes outside the edits differ"));
    }
    if hunks.is_empty() {
        let tree = session.tree()?;
        return seen_as_wanted(&tree, desired).map_err(failed);
    }
    let old = Tree::parse(&session.original)?;
    let new = session.tree().map_err(|_| failed("the result cannot be read"))?;
    let records = [before, &session.record];
    let (theirs_old, theirs_new) = (Theirs::of(&old, records)?, Theirs::of(&new, records)?);
    if theirs_old.events != theirs_new.events {
        if swallows(&theirs_old.events, &theirs_new.events) {
            return Err(EditError::Layout {
                line: source::line_of(&session.original, hunks.first().map_or(0, |hunk| hunk.before.start)),
                path: "what stands before our lines".into(),
                how: "a block scalar that would take in the blank lines or comments behind ours",
                remedy: "without blank lines or comments there",
            });
        }
        return Err(failed("what is not ours reads differently"));
    }
    if comments(&old) != comments(&new) {
        return Err(failed("a comment differs"));
    }
    let touched = hunks.iter().any(|hunk| {
        theirs_old.spans.iter().any(|span| touches(&hunk.before, span))
            || theirs_new.spans.iter().any(|span| touches(&hunk.after, span))
    });
    if touched {
        return Err(failed("an edit reaches into something that is not ours"));
    }
    let made = |path: &str| {
        before.containers.iter().any(|(made, token)| {
            let below = path.strip_prefix(made.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            below && *token == Token::Absent
        })
    };
    if theirs_old.containers.iter().any(|path| !theirs_new.containers.contains(path) && !made(path)) {
        return Err(failed("a container that is not ours is gone"));
    }
    seen_as_wanted(&new, desired).map_err(failed)?;
    taken_back(&old, &new, before, &session.record)?.map_err(failed)
}

/// Whether the first difference is the text of a block scalar: the lines around ours are then not free to be moved
/// together, which is no fault of the edit.
fn swallows(old: &[Event<'_>], new: &[Event<'_>]) -> bool {
    let block = |event: &Event<'_>| matches!(event, Event::Scalar { style, .. } if fragment::is_block(*style));
    old.iter().zip(new).find(|(old, new)| old != new).is_some_and(|(old, new)| block(old) && block(new))
}

fn same_outside(before: &str, after: &str, hunks: &[Hunk]) -> bool {
    let (mut old, mut new) = (0, 0);
    for hunk in hunks {
        let same = match (before.get(old..hunk.before.start), after.get(new..hunk.after.start)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        };
        if !same {
            return false;
        }
        (old, new) = (hunk.before.end, hunk.after.end);
    }
    before.get(old..).is_some_and(|rest| after.get(new..) == Some(rest))
}

fn touches(hunk: &Range<usize>, span: &Range<usize>) -> bool {
    if hunk.is_empty() {
        span.start < hunk.start && hunk.start < span.end
    } else {
        hunk.start < span.end && span.start < hunk.end
    }
}

fn comments<'s>(tree: &'s Tree) -> Vec<&'s str> {
    tree.comments.iter().map(|comment| &tree.text[comment.clone()]).collect()
}

/// What is not ours in a configuration, as the parser reads it.
#[derive(Default)]
struct Theirs<'s> {
    events: Vec<Event<'s>>,
    spans: Vec<Range<usize>>,
    containers: BTreeSet<&'static str>,
}

#[derive(PartialEq)]
enum Event<'s> {
    Document {
        marked: bool,
    },
    DocumentEnd {
        marked: bool,
    },
    Open {
        flow: bool,
        sequence: bool,
        anchor: Option<&'s str>,
        tag: Option<String>,
    },
    Close,
    Scalar {
        value: String,
        style: ScalarStyle,
        anchor: Option<&'s str>,
        tag: Option<String>,
    },
    Alias(&'s str),
    /// A value of ours that stands behind a key that is not.
    Ours,
    /// A CRI fragment: its lines but ours.
    Lines {
        lines: Vec<String>,
        style: ScalarStyle,
    },
}

/// How a node is treated when what is ours is taken out.
enum Treatment {
    /// The whole entry, item or document is ours.
    Out,
    /// The value is ours, the key before it is not.
    ValueOnly,
    /// A CRI fragment's text with our setting in it.
    Lines(Vec<String>),
}

impl<'s> Theirs<'s> {
    fn of(tree: &'s Tree, records: [&Record; 2]) -> Result<Self, EditError> {
        let mut treatments = HashMap::new();
        treat_modules(tree, records, &mut treatments)?;
        treat_sysctls(tree, records, &mut treatments)?;
        treat_runtime(tree, records, &mut treatments)?;
        let mut theirs = Self::default();
        treat_containers(tree, records, &mut treatments, &mut theirs.containers)?;
        for document in &tree.documents {
            if matches!(treatments.get(&document.root), Some(Treatment::Out)) {
                continue;
            }
            theirs.events.push(Event::Document { marked: document.marker.is_some() });
            theirs.spans.extend(document.marker.clone());
            theirs.add(tree, document.root, &treatments);
            theirs.events.push(Event::DocumentEnd { marked: document.end.is_some() });
            theirs.spans.extend(document.end.clone());
        }
        theirs.spans.extend(tree.comments.iter().cloned());
        Ok(theirs)
    }

    fn add(&mut self, tree: &'s Tree, id: Id, treatments: &HashMap<Id, Treatment>) {
        let node = tree.node(id);
        let anchor = node.anchor.as_ref().map(|(_, range)| &tree.text[range.clone()]);
        let tag = node.tag.as_ref().map(|(tag, _)| tag.clone());
        self.spans.extend(node.anchor.iter().map(|(_, range)| range.clone()));
        self.spans.extend(node.tag.iter().map(|(_, range)| range.clone()));
        match &node.kind {
            Kind::Scalar { style, .. } if matches!(treatments.get(&id), Some(Treatment::Lines(_))) => {
                if let Some(Treatment::Lines(lines)) = treatments.get(&id) {
                    self.events.push(Event::Lines { lines: lines.clone(), style: *style });
                }
            }
            Kind::Scalar { value, style } => {
                self.spans.push(node.span.clone());
                self.events.push(Event::Scalar { value: value.to_string(), style: *style, anchor, tag });
            }
            Kind::Alias(_) => {
                self.spans.push(node.span.clone());
                self.events.push(Event::Alias(&tree.text[node.span.clone()]));
            }
            Kind::Mapping { flow, entries } => {
                self.events.push(Event::Open { flow: *flow, sequence: false, anchor, tag });
                self.brackets(tree, id);
                for (key, value) in entries {
                    if !matches!(treatments.get(key), Some(Treatment::Out)) {
                        let end = tree.node(*key).span.end;
                        let spaces = tree.text[end..].len() - tree.text[end..].trim_start_matches([' ', '\t']).len();
                        if tree.text[end + spaces..].starts_with(':') {
                            self.spans.push(end + spaces..end + spaces + 1);
                        }
                    }
                    match treatments.get(key) {
                        Some(Treatment::Out) => {}
                        Some(Treatment::ValueOnly) => {
                            self.add(tree, *key, treatments);
                            self.events.push(Event::Ours);
                        }
                        _ => {
                            self.add(tree, *key, treatments);
                            self.add(tree, *value, treatments);
                        }
                    }
                }
                self.events.push(Event::Close);
            }
            Kind::Sequence { flow, items } => {
                self.events.push(Event::Open { flow: *flow, sequence: true, anchor, tag });
                self.brackets(tree, id);
                for item in items.iter().filter(|item| !matches!(treatments.get(item), Some(Treatment::Out))) {
                    let start = tree.node(*item).start();
                    let line = source::line_start(&tree.text, start);
                    if let Some(dash) = tree.text[line..start].rfind('-').filter(|_| !flow) {
                        self.spans.push(line + dash..line + dash + 1);
                    }
                    self.add(tree, *item, treatments);
                }
                self.events.push(Event::Close);
            }
        }
    }
}

impl Theirs<'_> {
    /// The brackets of a flow collection are as much its owner's as what is in them.
    fn brackets(&mut self, tree: &Tree, id: Id) {
        if tree.is_flow(id) {
            let span = &tree.node(id).span;
            self.spans.push(span.start..span.start + 1);
            self.spans.push(span.end - 1..span.end);
        }
    }
}

fn treat_modules(tree: &Tree, records: [&Record; 2], treatments: &mut HashMap<Id, Treatment>) -> Result<(), EditError> {
    for occurrence in modules::occurrences(tree)? {
        let name = normal_name(&occurrence.name);
        let mut known = records.iter().filter_map(|record| record.modules.get(&name)).peekable();
        if known.peek().is_none() {
            continue;
        }
        if known.any(|module| matches!(module, ModuleRecord::Ours { .. })) {
            treatments.insert(occurrence.mapping, Treatment::Out);
        } else if let Some((key, _)) = locate::field(tree, occurrence.mapping, "parameters", "parameters")? {
            treatments.insert(key, Treatment::Out);
        }
    }
    Ok(())
}

fn treat_sysctls(tree: &Tree, records: [&Record; 2], treatments: &mut HashMap<Id, Treatment>) -> Result<(), EditError> {
    for occurrence in sysctls::occurrences(tree)? {
        let places = |record: &&Record| {
            record.sysctls.get(&occurrence.name).and_then(|places| places.get(&occurrence.home)).cloned()
        };
        let priors: Vec<_> = records.iter().filter_map(places).collect();
        if priors.iter().any(Option::is_none) {
            treatments.insert(occurrence.key, Treatment::Out);
        } else if !priors.is_empty() {
            treatments.insert(occurrence.key, Treatment::ValueOnly);
        }
    }
    Ok(())
}

fn treat_runtime(tree: &Tree, records: [&Record; 2], treatments: &mut HashMap<Id, Treatment>) -> Result<(), EditError> {
    for part in runtime::parts(tree)? {
        for runtime in records.iter().filter_map(|record| record.default_runtime.as_ref()) {
            let Some(place) = runtime.places.iter().find(|place| place.fragment == part.name) else { continue };
            let lines = cri_toml::foreign_lines(&part.text, &runtime.cri_plugin, place.made_table).unwrap_or_default();
            if place.made_fragment && lines.is_empty() {
                treatments.insert(part.mapping, Treatment::Out);
            } else if let Some(content) = part.content {
                treatments.entry(content).or_insert(Treatment::Lines(lines));
            }
        }
    }
    Ok(())
}

/// Containers that we made or filled are out where nothing of somebody's is in them. Those that are there at all, out or
/// not, are listed.
fn treat_containers(
    tree: &Tree,
    records: [&Record; 2],
    treatments: &mut HashMap<Id, Treatment>,
    there: &mut BTreeSet<&'static str>,
) -> Result<(), EditError> {
    let recorded: HashSet<_> = records.iter().flat_map(|record| record.containers.keys().map(String::as_str)).collect();
    for document in locate::documents(tree)? {
        let ways: &[(&str, &[&str])] = match document.kind {
            locate::DocumentKind::V1Alpha1 => &[
                ("machine.kernel.modules", &["machine", "kernel", "modules"]),
                ("machine.kernel", &["machine", "kernel"]),
                ("machine.sysctls", &["machine", "sysctls"]),
                ("machine.files", &["machine", "files"]),
                ("machine", &["machine"]),
            ],
            locate::DocumentKind::Sysctl => &[("SysctlConfig.params", &["params"])],
            _ => &[],
        };
        for (path, keys) in ways {
            let Some((last, parents)) = keys.split_last() else { continue };
            let Some(parent) = locate::read(tree, document.root, parents) else { continue };
            let Some((key, value)) = locate::field(tree, parent, last, path).ok().flatten() else { continue };
            there.insert(path);
            if recorded.contains(path) && is_out(tree, value, treatments) {
                treatments.insert(key, Treatment::Out);
            }
        }
        if document.kind == locate::DocumentKind::Sysctl {
            there.insert("SysctlConfig");
            let head = |key: Id| matches!(tree.scalar(key), Some(("apiVersion" | "kind", _)));
            let bare = |(key, value): &(Id, Id)| {
                head(*key)
                    || matches!(treatments.get(key), Some(Treatment::Out))
                    || (matches!(tree.scalar(*key), Some(("params", _))) && is_out(tree, *value, treatments))
            };
            if recorded.contains("SysctlConfig") && tree.entries(document.root).iter().all(bare) {
                treatments.insert(document.root, Treatment::Out);
            }
        }
    }
    Ok(())
}

/// Whether nothing is left of a container once what is ours is out.
fn is_out(tree: &Tree, id: Id, treatments: &HashMap<Id, Treatment>) -> bool {
    let out = |id: &Id| matches!(treatments.get(id), Some(Treatment::Out));
    match &tree.node(id).kind {
        Kind::Mapping { entries, .. } => entries.iter().all(|(key, _)| out(key)),
        Kind::Sequence { items, .. } => items.iter().all(out),
        _ => tree.is_null(id),
    }
}

/// Whether a reader sees what is wanted.
fn seen_as_wanted(tree: &Tree, desired: &Desired) -> Result<(), &'static str> {
    let plugin = desired.default_runtime.as_ref().map_or("", |runtime| runtime.cri_plugin.as_str());
    let Ok(seen) = view::of_tree(tree, plugin) else { return Err("the result cannot be read") };
    let modules = desired.modules.iter().all(|module| {
        seen.modules
            .get(&normal_name(&module.name))
            .is_some_and(|seen| module.parameters.as_ref().is_none_or(|wanted| seen.parameters == *wanted))
    });
    let sysctls = desired.sysctls.iter().all(|(key, value)| seen.sysctls.get(key) == Some(value));
    let runtime =
        desired.default_runtime.as_ref().is_none_or(|wanted| seen.default_runtime.as_ref() == Some(&wanted.name));
    if modules && sysctls && runtime { Ok(()) } else { Err("the result does not say what is wanted") }
}

/// Whether what is no longer ours is gone, or says again what it said before.
fn taken_back(old: &Tree, new: &Tree, before: &Record, after: &Record) -> Result<Result<(), &'static str>, EditError> {
    let count = |tree: &Tree| -> Result<BTreeMap<String, usize>, EditError> {
        let mut counts = BTreeMap::new();
        for occurrence in modules::occurrences(tree)? {
            *counts.entry(normal_name(&occurrence.name)).or_insert(0) += 1;
        }
        Ok(counts)
    };
    let (was, is) = (count(old)?, count(new)?);
    let of = |counts: &BTreeMap<String, usize>, name: &str| counts.get(name).copied().unwrap_or_default();
    for (name, module) in before.modules.iter().filter(|(name, _)| !after.modules.contains_key(*name)) {
        let ours = match module {
            ModuleRecord::Ours { count, .. } => *count,
            ModuleRecord::Theirs { .. } => 0,
        };
        if of(&is, name) != of(&was, name).saturating_sub(ours) {
            return Ok(Err("a module that was taken back stands there in another number"));
        }
    }
    let lost = after.modules.iter().filter(|(name, _)| of(&was, name) > of(&is, name));
    if lost.count() > 0 {
        return Ok(Err("a module is gone that was to stay"));
    }
    let sysctls: HashMap<(String, Home), &str> = sysctls::occurrences(new)?
        .into_iter()
        .map(|found| ((found.name, found.home), &new.text[new.node(found.value).span.clone()]))
        .collect();
    for (name, places) in before.sysctls.iter().filter(|(name, _)| !after.sysctls.contains_key(*name)) {
        for (home, prior) in places {
            let seen = sysctls.get(&(name.clone(), *home));
            if seen.is_some() && seen.copied() != prior.as_deref() {
                return Ok(Err("a sysctl that was taken back says something else than before"));
            }
        }
    }
    Ok(Ok(()))
}

/// Faults that a test puts into an edit, to see that each is caught.
#[cfg(test)]
pub(super) mod sabotage {
    use std::cell::RefCell;

    use super::super::session::Session;

    type Fault = Box<dyn FnOnce(&mut Session)>;

    thread_local! {
        static FAULT: RefCell<Option<Fault>> = const { RefCell::new(None) };
    }

    /// Spoils the next edit of this thread, just before its proof.
    pub(in super::super) fn plan(fault: impl FnOnce(&mut Session) + 'static) {
        FAULT.with(|slot| *slot.borrow_mut() = Some(Box::new(fault)));
    }

    pub(super) fn commit(session: &mut Session) {
        if let Some(fault) = FAULT.with(|slot| slot.borrow_mut().take()) {
            fault(session);
        }
    }
}
