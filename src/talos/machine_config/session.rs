//! One edit in the making: the text as it is by now, and everything that was done to it.

use std::cell::RefCell;
use std::rc::Rc;

use super::record::{Home, Record};
use super::splice::{Hunks, Splice};
use super::tree::Tree;
use super::{Change, EditError, Form, Place, source};

pub(super) struct Session {
    pub(super) original: String,
    pub(super) text: String,
    tree: RefCell<Option<Rc<Tree>>>,
    pub(super) hunks: Hunks,
    pub(super) record: Record,
    pub(super) changes: Vec<Change>,
    pub(super) touches_files: bool,
}

impl Session {
    pub(super) fn new(bytes: &[u8], record: &Record) -> Result<Self, EditError> {
        record.check_version()?;
        let text = source::text(bytes)?;
        Ok(Self {
            original: text.to_owned(),
            text: text.to_owned(),
            tree: RefCell::default(),
            hunks: Hunks::default(),
            record: record.clone(),
            changes: Vec::new(),
            touches_files: false,
        })
    }

    /// The text as it is by now. It is read anew after every change, so that no offset is ever stale.
    pub(super) fn tree(&self) -> Result<Rc<Tree>, EditError> {
        if let Some(tree) = &*self.tree.borrow() {
            return Ok(Rc::clone(tree));
        }
        let tree = Rc::new(Tree::parse(&self.text)?);
        *self.tree.borrow_mut() = Some(Rc::clone(&tree));
        Ok(tree)
    }

    /// Carries out splices that were made for the text as it is, in order and apart from each other.
    pub(super) fn apply(&mut self, splices: Vec<Splice>) {
        if !splices.is_empty() {
            self.tree = RefCell::default();
        }
        for splice in splices.into_iter().rev() {
            self.hunks.push(&splice);
            self.text.replace_range(splice.range, &splice.text);
        }
    }
}

impl Session {
    /// The place of something that was just written at an offset.
    pub(super) fn place(&self, at: usize, home: Home) -> Result<Place, EditError> {
        let tree = self.tree()?;
        // The offset may be that of the line end before the first new line.
        let at = if self.text[at..].starts_with(['\r', '\n']) { source::line_end(&self.text, at) } else { at };
        let starts = tree
            .documents
            .iter()
            .map(|document| document.marker.as_ref().map_or(tree.node(document.root).start(), |marker| marker.start));
        let document = starts.filter(|start| *start <= at).count().max(1);
        let form = match home {
            Home::V1alpha1 => Form::V1Alpha1,
            Home::Document => Form::Document,
        };
        Ok(Place { document, line: source::line_of(&self.text, at), form })
    }
}
