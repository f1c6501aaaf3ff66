//! What is left of a configuration when everything of ours is taken out of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use granit_parser::ScalarStyle;

use super::super::record::{ModuleRecord, Record};
use super::super::tree::{Id, Kind, Tree};
use super::super::{EditError, cri_toml, locate, modules, normal_name, runtime, source, sysctls};

/// What is not ours in a configuration, as the parser reads it.
#[derive(Default)]
pub(super) struct Theirs<'s> {
    pub(super) events: Vec<Event<'s>>,
    pub(super) spans: Vec<Range<usize>>,
    pub(super) containers: BTreeSet<&'static str>,
}

/// An event of the parser's, as far as it counts.
#[derive(PartialEq)]
pub(super) enum Event<'s> {
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
    /// A block collection of somebody's of which everything in it is ours, or the nothing that is left of one: the two read
    /// the same once ours is out.
    Emptied,
    /// A CRI fragment's text with our setting in it.
    Lines(Vec<String>),
}

impl<'s> Theirs<'s> {
    pub(super) fn of(tree: &'s Tree, records: [&Record; 2]) -> Result<Self, EditError> {
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
        if matches!(treatments.get(&id), Some(Treatment::Emptied)) {
            self.events.push(Event::Ours);
            return;
        }
        match &node.kind {
            Kind::Scalar { style, .. } if matches!(treatments.get(&id), Some(Treatment::Lines(_))) => {
                if let Some(Treatment::Lines(lines)) = treatments.get(&id) {
                    self.events.push(Event::Lines { lines: lines.clone(), style: *style });
                }
            }
            Kind::Scalar { value, style } => {
                // Whether the line end behind a block scalar counts, its value tells.
                let written = tree.text[node.span.clone()].trim_end_matches(['\r', '\n']).len();
                self.spans.push(node.span.start..node.span.start + written);
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
            if !is_out(tree, value, treatments) {
                continue;
            }
            if recorded.contains(path) {
                treatments.insert(key, Treatment::Out);
            } else if tree.node(value).tag.is_none() && is_emptied(tree, value) {
                treatments.insert(value, Treatment::Emptied);
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

/// Whether a container is a block collection with something in it, or the nothing behind a key.
fn is_emptied(tree: &Tree, id: Id) -> bool {
    match &tree.node(id).kind {
        Kind::Mapping { flow, entries } => !flow && !entries.is_empty(),
        Kind::Sequence { flow, items } => !flow && !items.is_empty(),
        Kind::Scalar { .. } => tree.node(id).span.is_empty(),
        Kind::Alias(_) => false,
    }
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
