//! A configuration as a tree of nodes that know their bytes, made from the parser's events.
//!
//! The parser is granit-parser: the one in the tree already (serde-saphyr stands on it), with byte ranges, comments,
//! anchors, tags and styles as events, and with libyaml's reading of what the two schools of YAML see differently.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

use super::{EditError, source};

pub(super) type Id = usize;

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar {
        value: String,
        style: ScalarStyle,
    },
    Mapping {
        flow: bool,
        entries: Vec<(Id, Id)>,
    },
    Sequence {
        flow: bool,
        items: Vec<Id>,
    },
    /// The node that is meant, when it was seen (an anchor may stand on an enclosing node).
    Alias(Option<Id>),
}

/// A node and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The value. Of a block collection, from its first to its last leaf; of a block scalar, from its header to its
    /// last line that is part of the value.
    pub(super) span: Range<usize>,
    pub(super) anchor: Option<(usize, Range<usize>)>,
    pub(super) tag: Option<(String, Range<usize>)>,
}

impl Node {
    /// Where it starts, its anchor and tag included.
    pub(super) fn start(&self) -> usize {
        let anchor = self.anchor.as_ref().map_or(usize::MAX, |(_, range)| range.start);
        let tag = self.tag.as_ref().map_or(usize::MAX, |(_, range)| range.start);
        self.span.start.min(anchor).min(tag)
    }

    pub(super) fn has_properties(&self) -> bool {
        self.anchor.is_some() || self.tag.is_some()
    }
}

/// A document.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Its `---`.
    pub(super) marker: Option<Range<usize>>,
    pub(super) root: Id,
    /// Its `...`.
    pub(super) end: Option<Range<usize>>,
}

/// A parsed configuration.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) text: String,
    pub(super) nodes: Vec<Node>,
    pub(super) documents: Vec<Document>,
    pub(super) comments: Vec<Range<usize>>,
    /// The anchors that some alias uses.
    pub(super) used_anchors: HashSet<usize>,
}

impl Tree {
    pub(super) fn parse(text: &str) -> Result<Self, EditError> {
        let options = granit_parser::options! {
            emit_anchor_events: true,
            block_scalar_eof_without_line_feed: true,
            // Talos's generated examples are long runs of comments; their number is bounded by the text's size.
            max_buffered_comment_events: usize::MAX,
        };
        let mut builder = Builder::new(text);
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| EditError::Syntax {
                line: error.marker().line(),
                column: error.marker().col() + 1,
                // The kind's name alone: the full message may quote.
                reason: kind_name(error.kind()),
            })?;
            builder.event(event, &span)?;
        }
        Ok(builder.tree)
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The node itself, or what an alias means.
    pub(super) fn resolve(&self, id: Id) -> Id {
        match self.nodes[id].kind {
            Kind::Alias(Some(target)) => target,
            _ => id,
        }
    }

    pub(super) fn line(&self, id: Id) -> usize {
        source::line_of(&self.text, self.nodes[id].start())
    }

    pub(super) fn scalar(&self, id: Id) -> Option<(&str, ScalarStyle)> {
        match &self.nodes[id].kind {
            Kind::Scalar { value, style } => Some((value, *style)),
            _ => None,
        }
    }

    /// Whether Talos reads it as nothing.
    pub(super) fn is_null(&self, id: Id) -> bool {
        let node = &self.nodes[id];
        node.tag.as_ref().is_none_or(|(tag, _)| tag == "null")
            && matches!(&node.kind, Kind::Scalar { value, style: ScalarStyle::Plain }
                if matches!(value.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether it is written as nothing at all.
    pub(super) fn is_blank(&self, id: Id) -> bool {
        let node = &self.nodes[id];
        node.span.is_empty() && matches!(node.kind, Kind::Scalar { style: ScalarStyle::Plain, .. })
    }

    pub(super) fn entries(&self, id: Id) -> &[(Id, Id)] {
        match &self.nodes[id].kind {
            Kind::Mapping { entries, .. } => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self, id: Id) -> &[Id] {
        match &self.nodes[id].kind {
            Kind::Sequence { items, .. } => items,
            _ => &[],
        }
    }

    pub(super) fn is_flow(&self, id: Id) -> bool {
        matches!(self.nodes[id].kind, Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. })
    }

    /// The comments that start within a range.
    pub(super) fn comments_in(&self, range: Range<usize>) -> &[Range<usize>] {
        let first = self.comments.partition_point(|comment| comment.start < range.start);
        let last = self.comments.partition_point(|comment| comment.start < range.end);
        &self.comments[first..last.max(first)]
    }

    /// The leaves below a node, itself included: scalars and aliases.
    pub(super) fn leaves(&self, id: Id, into: &mut Vec<Id>) {
        match &self.nodes[id].kind {
            Kind::Mapping { entries, .. } => {
                for (key, value) in entries {
                    self.leaves(*key, into);
                    self.leaves(*value, into);
                }
            }
            Kind::Sequence { items, .. } => {
                for item in items {
                    self.leaves(*item, into);
                }
            }
            Kind::Scalar { .. } | Kind::Alias(_) => into.push(id),
        }
    }
}

fn kind_name(kind: &granit_parser::ErrorKind) -> String {
    let name = format!("{kind:?}");
    let end = name.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(name.len());
    name[..end].to_owned()
}

/// A block scalar from its header to its last line that is part of the value; the parser's range goes from the first
/// line with text, or from the header, to whatever comes next.
fn block_scalar(text: &str, value: &str, range: Range<usize>, indent: Option<usize>) -> Range<usize> {
    let is_blank = value.bytes().all(|byte| byte == b'\n');
    let header = if is_blank && text[range.start..].starts_with(['|', '>']) {
        range.start
    } else {
        let above = text[..source::line_start(text, range.start)].trim_end();
        let line = source::line_start(text, above.len());
        line + header_in(&above[line..]).unwrap_or(above.len() - line)
    };
    let mut end = source::line_end(text, header);
    if !is_blank {
        // A line of blanks is part of the value where it is longer than the indentation.
        let has_text = |line: &str| {
            let line = line.trim_end_matches(['\r', '\n']);
            !line.trim_matches(' ').is_empty() || line.len() > indent.unwrap_or(usize::MAX)
        };
        let mut at = source::line_start(text, range.start);
        while at < range.end {
            let next = source::line_end(text, at);
            if has_text(&text[at..next.min(range.end)]) {
                end = next;
            }
            at = next;
        }
    }
    // With keep chomping the blank lines behind the last line are part of the value.
    let breaks = value.len() - value.trim_end_matches('\n').len();
    for _ in usize::from(!is_blank)..breaks {
        end = source::line_end(text, end);
    }
    header..end
}

/// Where the header of a block scalar stands on the line that ends with it, or with a comment behind it.
fn header_in(line: &str) -> Option<usize> {
    line.char_indices().filter(|(_, char)| matches!(char, '|' | '>')).map(|(at, _)| at).find(|at| {
        let rest = line[at + 1..].trim_start_matches(|char: char| char.is_ascii_digit() || matches!(char, '+' | '-'));
        rest.trim().is_empty() || (rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#'))
    })
}

/// Collects events into a tree.
struct Builder<'s> {
    text: &'s str,
    tree: Tree,
    open: Vec<Open>,
    marker: Option<Range<usize>>,
    anchors: HashMap<usize, Id>,
    last: Id,
}

struct Open {
    id: Id,
    /// The key that waits for its value, in a mapping.
    key: Option<Id>,
}

impl<'s> Builder<'s> {
    fn new(text: &'s str) -> Self {
        Self {
            text,
            tree: Tree {
                text: text.to_owned(),
                nodes: Vec::new(),
                documents: Vec::new(),
                comments: Vec::new(),
                used_anchors: HashSet::new(),
            },
            open: Vec::new(),
            marker: None,
            anchors: HashMap::new(),
            last: 0,
        }
    }

    fn event(&mut self, event: Event<'s>, span: &Span) -> Result<(), EditError> {
        let range = span.byte_range().unwrap_or(0..0);
        let tag = |event: &Event<'_>| {
            event.tag().map(|tag| {
                let name = tag.core_suffix().map_or_else(|| tag.original(), str::to_owned);
                let range = span.tag_span().and_then(|span| span.byte_range()).unwrap_or(range.start..range.start);
                (name, range)
            })
        };
        match &event {
            Event::DocumentStart(explicit, _) => self.marker = explicit.then_some(range),
            Event::DocumentEnd => {
                let end = (!range.is_empty()).then_some(range);
                if let Some(document) = self.tree.documents.last_mut() {
                    document.end = end;
                }
            }
            Event::Comment(..) => self.tree.comments.push(range),
            Event::Anchor(id, _) => {
                self.anchors.insert(*id, self.last);
                self.tree.nodes[self.last].anchor = Some((*id, range));
            }
            Event::Alias(anchor) => {
                self.tree.used_anchors.insert(*anchor);
                let target = self.anchors.get(anchor).copied();
                self.leaf(Kind::Alias(target), range, None);
            }
            Event::Scalar(value, style, ..) => {
                let tag = tag(&event);
                let range = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => block_scalar(self.text, value, range, span.indent),
                    _ => range,
                };
                self.leaf(Kind::Scalar { value: value.to_string(), style: *style }, range, tag);
            }
            Event::SequenceStart(style, ..) => {
                let tag = tag(&event);
                let kind = Kind::Sequence { flow: *style == StructureStyle::Flow, items: Vec::new() };
                self.open(kind, range, tag);
            }
            Event::MappingStart(style, ..) => {
                let tag = tag(&event);
                let kind = Kind::Mapping { flow: *style == StructureStyle::Flow, entries: Vec::new() };
                self.open(kind, range, tag);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(range),
            Event::StreamStart | Event::StreamEnd => {}
            // Events that were not asked for, or that a newer parser invents.
            _ => {
                return Err(EditError::Syntax {
                    line: span.start.line(),
                    column: span.start.col() + 1,
                    reason: "an unknown event".into(),
                });
            }
        }
        Ok(())
    }

    fn leaf(&mut self, kind: Kind, span: Range<usize>, tag: Option<(String, Range<usize>)>) {
        let id = self.push(Node { kind, span, anchor: None, tag });
        self.attach(id);
    }

    fn open(&mut self, kind: Kind, span: Range<usize>, tag: Option<(String, Range<usize>)>) {
        let id = self.push(Node { kind, span, anchor: None, tag });
        self.open.push(Open { id, key: None });
    }

    fn close(&mut self, range: Range<usize>) {
        let Some(Open { id, .. }) = self.open.pop() else { return };
        let tree = &mut self.tree;
        let (start, end) = match &tree.nodes[id].kind {
            Kind::Mapping { flow: false, entries } => (
                entries.first().map(|(key, _)| tree.nodes[*key].start()),
                entries.last().map(|(key, value)| tree.nodes[*value].span.end.max(tree.nodes[*key].span.end)),
            ),
            Kind::Sequence { flow: false, items } => (
                items.first().map(|item| tree.nodes[*item].start()),
                items.last().map(|item| tree.nodes[*item].span.end),
            ),
            _ => (None, Some(range.end)),
        };
        let span = &mut tree.nodes[id].span;
        span.start = start.unwrap_or(span.start);
        span.end = end.unwrap_or(range.end).max(span.start);
        self.attach(id);
    }

    /// `{key:}` and `{key:, other: x}`: to Talos's parser the colon is part of the key.
    fn glued_colon(&mut self, key: Id, value: Id) {
        if !self.tree.is_blank(value) {
            return;
        }
        let key = &mut self.tree.nodes[key];
        let rest = &self.text[key.span.end..];
        if let Kind::Scalar { value, style: ScalarStyle::Plain } = &mut key.kind
            && rest.starts_with(':')
            && rest[1..].starts_with([',', '}', ']', '{', '['])
        {
            value.push(':');
            key.span.end += 1;
        }
    }

    fn push(&mut self, node: Node) -> Id {
        self.tree.nodes.push(node);
        self.last = self.tree.nodes.len() - 1;
        self.last
    }

    /// Hands a finished node to the collection or document around it.
    fn attach(&mut self, id: Id) {
        let Some(open) = self.open.last_mut() else {
            self.tree.documents.push(Document { marker: self.marker.take(), root: id, end: None });
            return;
        };
        match &mut self.tree.nodes[open.id].kind {
            Kind::Mapping { entries, flow } => match open.key.take() {
                Some(key) => {
                    entries.push((key, id));
                    if *flow {
                        self.glued_colon(key, id);
                    }
                }
                None => open.key = Some(id),
            },
            Kind::Sequence { items, .. } => items.push(id),
            Kind::Scalar { .. } | Kind::Alias(_) => {}
        }
    }
}
