//! The proof that an edit changed our fragments and nothing else. Nothing leaves [`edit`](super::edit) without it.
//!
//! It shares the parser and the places of our keys with the edit, and nothing of how the edit is made. From the text
//! before and the text after it takes what is ours out, each for itself, and compares: the bytes outside the edits; the
//! parser's events, with styles, anchors and tags; the comments; that no edit touches a byte of somebody's scalar,
//! alias, comment or document mark; that no container of somebody's is gone; and what a reader sees of our keys.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::record::{Home, ModuleRecord, Record, Token};
use super::session::Session;
use super::splice::Hunk;
use super::tree::Tree;
use super::{Desired, EditError, fragment, modules, normal_name, source, sysctls, view};

mod theirs;

use theirs::{Event, Theirs};

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
    let block = |event: &Event<'_>| matches!(event, Event::Scalar { style, .. } | Event::Lines { style, .. } if fragment::is_block(*style));
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

fn comments(tree: &Tree) -> Vec<&str> {
    tree.comments.iter().map(|comment| &tree.text[comment.clone()]).collect()
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
