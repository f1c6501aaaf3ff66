//! The mappings and sequences that our keys stand in: made when they are missing, given back when they are empty.

use super::place::{self, Child, Container};
use super::record::{Home, Token};
use super::session::Session;
use super::splice::Splice;
use super::tree::{Id, Kind, Tree};
use super::{EditError, locate, runtime};

/// One step down from a document's root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    key: &'static str,
    path: &'static str,
    empty: &'static str,
}

const MACHINE: Step = Step { key: "machine", path: "machine", empty: "{}" };
/// The way to the list of modules.
pub(super) const MODULES: &[Step] = &[
    MACHINE,
    Step { key: "kernel", path: "machine.kernel", empty: "{}" },
    Step { key: "modules", path: "machine.kernel.modules", empty: "[]" },
];
/// The way to the sysctls.
pub(super) const SYSCTLS: &[Step] = &[MACHINE, Step { key: "sysctls", path: "machine.sysctls", empty: "{}" }];
/// The way to the files.
pub(super) const FILES: &[Step] = &[MACHINE, Step { key: "files", path: "machine.files", empty: "[]" }];
/// The way to the sysctls of a `SysctlConfig` document.
pub(super) const PARAMS: &[Step] = &[Step { key: "params", path: "SysctlConfig.params", empty: "{}" }];

/// Everything that is given back when empty, inside out.
const ALL: &[&[Step]] = &[MODULES, MODULES.split_at(2).0, SYSCTLS, FILES, PARAMS, &[MACHINE]];

impl Step {
    fn expected(self) -> &'static str {
        if self.empty == "[]" { "a sequence" } else { "a mapping" }
    }
}

/// How far the way into a document goes.
enum Way {
    /// To the end: a collection, or the nothing behind the last key that lines can be put under.
    Through(Container),
    /// To this container, which lacks the step with this number.
    Lacks(Container, usize),
    /// To a token that stands for nothing and must become a collection first.
    Token { colon: usize, value: Id, step: usize },
}

fn walk(tree: &Tree, root: Id, steps: &[Step]) -> Result<Way, EditError> {
    let mut at = Container { id: root, colon: None, key: None, path: "the document".into() };
    locate::unshared(tree, root, &at.path)?;
    for (number, step) in steps.iter().enumerate() {
        let Some((key, value)) = locate::field(tree, at.id, step.key, step.path)? else {
            return Ok(Way::Lacks(at, number));
        };
        let colon = locate::colon(tree, key, step.path)?;
        locate::unshared(tree, value, step.path)?;
        let null = tree.is_null(value);
        // An anchor that nobody uses stays before what is put there, if that can go on the lines below.
        let node = tree.node(value);
        if null && (node.tag.is_some() || (node.anchor.is_some() && (!tree.is_blank(value) || tree.is_flow(at.id)))) {
            return Err(EditError::Layout {
                line: tree.line(value),
                path: step.path.into(),
                how: "an anchor or a tag with nothing behind it",
                remedy: "without it",
            });
        }
        match &tree.node(value).kind {
            Kind::Mapping { .. } if step.empty == "{}" => {}
            Kind::Sequence { .. } if step.empty == "[]" => {}
            _ if null && tree.is_blank(value) && !tree.is_flow(at.id) => {}
            _ if null => return Ok(Way::Token { colon, value, step: number }),
            _ => {
                return Err(EditError::Structure {
                    line: tree.line(value),
                    path: step.path.into(),
                    found: locate::found(tree, value),
                    expected: step.expected(),
                });
            }
        }
        at = Container { id: value, colon: Some(colon), key: Some(key), path: step.path.into() };
    }
    Ok(Way::Through(at))
}

/// The container at the end of the way, when it is there as a collection.
pub(super) fn find(tree: &Tree, root: Id, steps: &[Step]) -> Result<Option<Container>, EditError> {
    Ok(match walk(tree, root, steps)? {
        Way::Through(container) if !tree.is_null(container.id) => Some(container),
        _ => None,
    })
}

/// Makes what is missing on the way and puts a child in at its end. `root` finds the document, anew at every step.
pub(super) fn put(
    session: &mut Session,
    steps: &[Step],
    root: impl Fn(&Tree) -> Result<Id, EditError>,
    child: &Child,
) -> Result<usize, EditError> {
    // Every step is made once and every token replaced once, so more rounds mean that what is written is not found again.
    for _ in 0..=2 * steps.len() {
        let tree = session.tree()?;
        let (splice, notes, done) = match walk(&tree, root(&tree)?, steps)? {
            Way::Through(container) => {
                let notes = empty_token(&tree, &container).into_iter().collect();
                (place::put(&tree, &container, child)?, notes, true)
            }
            Way::Lacks(container, number) => {
                let step = steps[number];
                let mut notes: Vec<_> = empty_token(&tree, &container).into_iter().collect();
                notes.push((step.path.to_owned(), Token::Absent));
                (place::put(&tree, &container, &Child::Empty(step.key.into(), step.empty))?, notes, false)
            }
            Way::Token { colon, value, step } => {
                let step = steps[step];
                let span = tree.node(value).span.clone();
                let note = (step.path.to_owned(), Token::Text(tree.text[span.clone()].to_owned()));
                let splice = if span.is_empty() {
                    Splice::insert(colon + 1, format!(" {}", step.empty))
                } else {
                    Splice::replace(span, step.empty)
                };
                (splice, vec![note], false)
            }
        };
        for (path, token) in notes {
            session.note(path, token);
        }
        let at = splice.range.start;
        session.apply(vec![splice]);
        if done {
            return Ok(at);
        }
    }
    Err(EditError::Layout {
        line: 1,
        path: steps.last().map_or_else(String::new, |step| step.path.to_owned()),
        how: "text in which a key that is written there is not found again",
        remedy: "in plain block style",
    })
}

/// What stands in the place of an empty container, to be noted when something is put into it.
fn empty_token(tree: &Tree, container: &Container) -> Option<(String, Token)> {
    container.key?;
    let span = tree.node(container.id).span.clone();
    let empty =
        tree.is_null(container.id) || (tree.entries(container.id).is_empty() && tree.items(container.id).is_empty());
    // A comment within is somebody's text: it stays in place anyhow, since the brackets do.
    (empty && tree.comments_in(span.clone()).is_empty())
        .then(|| (container.path.clone(), Token::Text(tree.text[span].to_owned())))
}

impl Session {
    /// Notes what stood in a container's place, once: a container that is in the record and merely empty was emptied
    /// by somebody, while one that is gone is made anew in the place of nothing.
    fn note(&mut self, path: String, token: Token) {
        if token == Token::Absent {
            self.record.containers.insert(path, token);
        } else {
            self.record.containers.entry(path).or_insert(token);
        }
    }

    /// Gives back every container of ours that is empty by now.
    pub(super) fn tidy(&mut self) -> Result<(), EditError> {
        ALL.iter().try_for_each(|steps| self.tidy_one(steps))
    }

    fn tidy_one(&mut self, steps: &[Step]) -> Result<(), EditError> {
        let (Some(step), Some(token)) =
            (steps.last(), steps.last().and_then(|step| self.record.containers.get(step.path)))
        else {
            return Ok(());
        };
        let tree = self.tree()?;
        let root = document(&tree, step.path)?;
        let splices = match root {
            Some(root) => give_back(&tree, root, steps, token)?,
            None => Some(Vec::new()),
        };
        match splices {
            Some(splices) => {
                self.apply(splices);
                self.record.containers.remove(step.path);
            }
            None if !self.lives_in(step.path) => {
                self.record.containers.remove(step.path);
            }
            None => {}
        }
        Ok(())
    }

    /// Whether one of our keys stands in a container, so that it may be emptied by us later on.
    fn lives_in(&self, path: &str) -> bool {
        let record = &self.record;
        let modules = record.modules.values().any(|module| module.home() == Some(Home::V1alpha1));
        let sysctls = |home| record.sysctls.values().any(|sysctl| sysctl.contains_key(&home));
        let files = record
            .default_runtime
            .as_ref()
            .is_some_and(|runtime| runtime.places.iter().any(|place| place.fragment == runtime::LEGACY));
        match path {
            "machine" => modules || sysctls(Home::V1alpha1) || files,
            "machine.kernel" | "machine.kernel.modules" => modules,
            "machine.sysctls" => sysctls(Home::V1alpha1),
            "machine.files" => files,
            _ => sysctls(Home::Document),
        }
    }
}

/// The root of the document that a path starts in.
fn document(tree: &Tree, path: &str) -> Result<Option<Id>, EditError> {
    let wanted =
        if path.starts_with("machine") { locate::DocumentKind::V1Alpha1 } else { locate::DocumentKind::Sysctl };
    Ok(locate::documents(tree)?.into_iter().find(|document| document.kind == wanted).map(|document| document.root))
}

/// How an empty container becomes what it was; `None` when there is still something in it.
fn give_back(tree: &Tree, root: Id, steps: &[Step], token: &Token) -> Result<Option<Vec<Splice>>, EditError> {
    let (parents, own) = steps.split_at(steps.len() - 1);
    let Way::Through(parent) = walk(tree, root, parents)? else { return Ok(Some(Vec::new())) };
    let step = own[0];
    let Some((key, value)) = locate::field(tree, parent.id, step.key, step.path)? else { return Ok(Some(Vec::new())) };
    let empty = tree.is_null(value)
        || (matches!(tree.node(value).kind, Kind::Mapping { .. } | Kind::Sequence { .. })
            && tree.entries(value).is_empty()
            && tree.items(value).is_empty());
    if !empty || tree.node(value).has_properties() {
        return Ok(None);
    }
    let colon = locate::colon(tree, key, step.path)?;
    let span = tree.node(value).span.clone();
    Ok(match token {
        _ if !tree.comments_in(span.clone()).is_empty() => None,
        Token::Absent => {
            let index = tree.entries(parent.id).iter().position(|(other, _)| *other == key).unwrap_or_default();
            Some(place::take(tree, &parent, index)?)
        }
        Token::Text(text) if *text == tree.text[span.clone()] => Some(Vec::new()),
        Token::Text(text) if text.is_empty() => Some(vec![place::empty(&tree.text, colon + 1..span.end)]),
        Token::Text(text) if span.is_empty() => Some(vec![Splice::insert(colon + 1, format!(" {text}"))]),
        Token::Text(text) => Some(vec![Splice::replace(span, text.clone())]),
    })
}
