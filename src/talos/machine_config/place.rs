//! Putting a child into a mapping or sequence, and taking one out, so that the second undoes the first to the byte.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::fragment::{self, Fragment, Style};
use super::splice::Splice;
use super::tree::{Id, Kind, Node, Tree};
use super::{EditError, locate, source};

/// A child to put in.
#[derive(Clone, Debug)]
pub(super) enum Child {
    Entry(String, Fragment),
    /// A key with nothing behind it in block style, with the empty collection in flow style.
    Empty(String, &'static str),
    Item(Fragment),
}

/// A mapping or sequence, or the nothing behind a key that will be one.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) id: Id,
    /// The offset of the colon before it; none for the root of a document.
    pub(super) colon: Option<usize>,
    /// The key before it.
    pub(super) key: Option<Id>,
    pub(super) path: String,
}

/// How the surroundings of a container are written.
pub(super) fn style(tree: &Tree, container: Id, key: Option<Id>) -> Style {
    let mut style = Style::TALOS;
    let mut seen = (None, None);
    // The document's own habits: its first nested mapping and its first sequence that can be measured.
    habits(tree, root_of(tree, container), &mut seen);
    if let Some(step) = seen.0 {
        style.step = step;
        style.dash = step;
    }
    if let Some(dash) = seen.1 {
        style.dash = dash;
    }
    // In flow style, quotes as what is in it has them, or, when nothing is, as the key before it.
    if tree.is_flow(container) || tree.is_null(container) {
        let mut leaves = Vec::new();
        tree.leaves(container, &mut leaves);
        let model = leaves.first().copied().filter(|_| tree.is_flow(container)).or(key);
        style.quoted = model.is_some_and(|leaf| matches!(tree.scalar(leaf), Some((_, ScalarStyle::DoubleQuoted))));
    }
    style
}

/// Nodes are numbered as they open, so the root of a node's document is the last root before it.
fn root_of(tree: &Tree, id: Id) -> Id {
    tree.documents.iter().map(|document| document.root).rfind(|root| *root <= id).unwrap_or(0)
}

fn habits(tree: &Tree, id: Id, seen: &mut (Option<usize>, Option<usize>)) {
    let Kind::Mapping { flow: false, entries } = &tree.node(id).kind else { return };
    for (key, value) in entries {
        if seen.0.is_some() && seen.1.is_some() {
            return;
        }
        let column = source::column(&tree.text, tree.node(*key).start());
        match &tree.node(*value).kind {
            Kind::Mapping { flow: false, entries } => {
                let below = entries.first().map(|(key, _)| source::column(&tree.text, tree.node(*key).start()));
                if let Some(step) =
                    below.and_then(|below| below.checked_sub(column)).filter(|step| (1..=8).contains(step))
                {
                    seen.0.get_or_insert(step);
                }
                habits(tree, *value, seen);
            }
            Kind::Sequence { flow: false, items } => {
                let dash = items
                    .first()
                    .and_then(|item| locate::dash(tree, tree.node(*key).span.end + 1, *item, "").ok())
                    .map(|dash| source::column(&tree.text, dash));
                if let Some(offset) = dash.and_then(|dash| dash.checked_sub(column)).filter(|offset| *offset <= 8) {
                    seen.1.get_or_insert(offset);
                }
            }
            _ => {}
        }
    }
}

/// Puts a child behind the last one of a container.
pub(super) fn put(tree: &Tree, container: &Container, child: &Child) -> Result<Splice, EditError> {
    let style = style(tree, container.id, container.key);
    match &tree.node(container.id).kind {
        Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. } => flow(tree, container, child, style),
        Kind::Mapping { entries, .. } => {
            let first = tree.node(entries[0].0).start();
            let indent = indentation(tree, first, &container.path)?;
            let lines = lines(child, 0, style);
            below(tree, container, indent, &lines, first)
        }
        Kind::Sequence { items, .. } => {
            let from = locate::dash_from(tree, container.id, 0, container.colon.unwrap_or(0));
            let dash = locate::dash(tree, from, items[0], &container.path)?;
            let indent = indentation(tree, dash, &container.path)?;
            let gap = gap(tree, dash, tree.node(items[0]).start());
            below(tree, container, indent, &lines(child, gap, style), dash)
        }
        _ => nothing(tree, container, child, style),
    }
}

/// The columns from a dash to its item, as the siblings have it, or the usual two.
fn gap(tree: &Tree, dash: usize, item: usize) -> usize {
    let between = &tree.text[dash + 1..item.max(dash + 1)];
    if !between.is_empty() && between.bytes().all(|byte| byte == b' ') { between.len() + 1 } else { 2 }
}

fn lines(child: &Child, gap: usize, style: Style) -> Vec<String> {
    match child {
        Child::Entry(key, value) => value.entry(key, style),
        Child::Empty(key, _) => vec![format!("{}:", fragment::key(key, style))],
        Child::Item(item) => item.item(gap, style),
    }
}

/// The indentation of a block collection, which must be spaces (or spaces and dashes of the items it stands in).
fn indentation(tree: &Tree, first: usize, path: &str) -> Result<usize, EditError> {
    let before = &tree.text[source::line_start(&tree.text, first)..first];
    if before.bytes().all(|byte| matches!(byte, b' ' | b'-')) && !before.starts_with("---") {
        return Ok(before.len());
    }
    Err(EditError::Layout {
        line: source::line_of(&tree.text, first),
        path: path.into(),
        how: "a collection that starts behind something else on its line",
        remedy: "on lines of its own",
    })
}

/// The offset of the line behind a node, where nothing of the node is left.
pub(super) fn behind(tree: &Tree, id: Id) -> usize {
    let end = tree.node(id).span.end;
    if ends_in_block_scalar(tree, id) { end } else { source::line_end(&tree.text, end) }
}

fn last_leaf(tree: &Tree, id: Id) -> Id {
    match &tree.node(id).kind {
        Kind::Mapping { flow: false, entries } => entries.last().map_or(id, |(_, value)| last_leaf(tree, *value)),
        Kind::Sequence { flow: false, items } => items.last().map_or(id, |item| last_leaf(tree, *item)),
        _ => id,
    }
}

fn ends_in_block_scalar(tree: &Tree, id: Id) -> bool {
    matches!(tree.scalar(last_leaf(tree, id)), Some((_, ScalarStyle::Literal | ScalarStyle::Folded)))
}

/// Lines behind the last line of a block collection; before its first line where a line end behind the last one would
/// become part of a block scalar that the text breaks off in.
fn below(
    tree: &Tree,
    container: &Container,
    indent: usize,
    lines: &[String],
    first: usize,
) -> Result<Splice, EditError> {
    let text = &tree.text;
    let at = behind(tree, container.id);
    let lines: Vec<_> = lines.iter().map(|line| fragment::indented(indent, line)).collect();
    if !breaks_off_in_block_scalar(tree, container.id) {
        return Ok(insert_lines(text, at, &lines));
    }
    let start = source::line_start(text, first);
    if text[start..first].bytes().all(|byte| byte == b' ') {
        let end = source::line_break(text, start);
        return Ok(Splice::insert(start, lines.iter().fold(String::new(), |all, line| all + line + end)));
    }
    Err(EditError::Layout {
        line: source::line_of(text, at),
        path: container.path.clone(),
        how: "a block scalar at the end of the text without a line end",
        remedy: "with a line end",
    })
}

/// Whether the text ends in this node's block scalar without a line end, so that a line end would change its value.
pub(super) fn breaks_off_in_block_scalar(tree: &Tree, id: Id) -> bool {
    behind(tree, id) == tree.text.len() && !tree.text.ends_with('\n') && ends_in_block_scalar(tree, id)
}

/// Whole lines at the start of a line, or at the end of a text that may lack its last line end: then it lacks it
/// afterwards too.
pub(super) fn insert_lines(text: &str, at: usize, lines: &[String]) -> Splice {
    let bare = at == text.len() && !text.is_empty() && !text.ends_with('\n');
    let end = source::line_break(text, at);
    let lines = lines.join(end);
    Splice::insert(at, if bare { format!("{end}{lines}") } else { format!("{lines}{end}") })
}

/// Lines below a key that has nothing behind it.
fn nothing(tree: &Tree, container: &Container, child: &Child, style: Style) -> Result<Splice, EditError> {
    let (Some(key), Some(colon)) = (container.key, container.colon) else {
        return Err(EditError::Structure {
            line: tree.line(container.id),
            path: container.path.clone(),
            found: locate::found(tree, container.id),
            expected: "a mapping",
        });
    };
    let key_at = tree.node(key).start();
    let indent = indentation(tree, key_at, &container.path)?;
    let below = match child {
        Child::Item(_) => style.dash,
        _ => style.step,
    };
    let lines: Vec<_> = lines(child, 2, style).iter().map(|line| fragment::indented(indent + below, line)).collect();
    Ok(insert_lines(&tree.text, source::line_end(&tree.text, colon), &lines))
}

/// A child behind the last one of a flow collection.
fn flow(tree: &Tree, container: &Container, child: &Child, style: Style) -> Result<Splice, EditError> {
    let new = match child {
        Child::Entry(key, value) => fragment::flow_entry(key, value, style),
        Child::Empty(key, empty) => format!("{}: {empty}", fragment::key(key, style)),
        Child::Item(item) => item.flow(style),
    };
    Ok(match flow_ranges(tree, container.id, &container.path)?.last() {
        // Talos's parser takes `key:,` for a key that ends in a colon.
        Some(last) if tree.text[..last.end].ends_with(':') => Splice::insert(last.end, format!(" , {new}")),
        Some(last) => Splice::insert(last.end, format!(", {new}")),
        None => Splice::insert(tree.node(container.id).span.start + 1, new),
    })
}

/// The children of a flow collection, each from its first to its last byte.
fn flow_ranges(tree: &Tree, id: Id, path: &str) -> Result<Vec<Range<usize>>, EditError> {
    match &tree.node(id).kind {
        Kind::Mapping { entries, .. } => entries
            .iter()
            .map(|(key, value)| {
                let end = if tree.is_blank(*value) && !tree.node(*value).has_properties() {
                    // `{a}` has no colon, `{a: }` has one.
                    locate::colon(tree, *key, path).map_or(tree.node(*key).span.end, |colon| colon + 1)
                } else {
                    end(tree, *value)
                };
                Ok(tree.node(*key).start()..end)
            })
            .collect(),
        Kind::Sequence { items, .. } => {
            Ok(items.iter().map(|item| tree.node(*item).start()..end(tree, *item)).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// The end of a node, its anchor and tag included: they are all there is of `&anchor` with nothing behind it.
pub(super) fn end(tree: &Tree, id: Id) -> usize {
    let node = tree.node(id);
    let anchor = node.anchor.as_ref().map_or(0, |(_, range)| range.end);
    let tag = node.tag.as_ref().map_or(0, |(_, range)| range.end);
    node.span.end.max(anchor).max(tag)
}

/// Takes what stands behind a colon away, but for a blank where a comma or bracket would come to stand right behind it.
pub(super) fn empty(text: &str, behind_colon: Range<usize>) -> Splice {
    let blank = if text[behind_colon.end..].starts_with([',', '}', ']']) { " " } else { "" };
    Splice::replace(behind_colon, blank)
}

/// Takes the child with this number out of a container.
pub(super) fn take(tree: &Tree, container: &Container, index: usize) -> Result<Vec<Splice>, EditError> {
    let path = &container.path;
    let count = tree.entries(container.id).len() + tree.items(container.id).len();
    if count == 1 && !tree.is_flow(container.id) && tree.node(container.id).tag.is_some() {
        return Err(EditError::Layout {
            line: tree.line(container.id),
            path: path.clone(),
            how: "a collection with a tag, which cannot stand there with nothing behind it",
            remedy: "without the tag",
        });
    }
    match &tree.node(container.id).kind {
        Kind::Mapping { flow: false, entries } => {
            let (key, value) = entries[index];
            locate::colon(tree, key, path)?;
            let next = entries.get(index + 1).map(|(key, _)| tree.node(*key).start());
            take_lines(tree, tree.node(key).start(), value, next, path)
        }
        Kind::Sequence { flow: false, items } => {
            let dash = |index: usize| {
                let from = locate::dash_from(tree, container.id, index, container.colon.unwrap_or(0));
                locate::dash(tree, from, items[index], path)
            };
            let next = if index + 1 < items.len() { Some(dash(index + 1)?) } else { None };
            take_lines(tree, dash(index)?, items[index], next, path)
        }
        _ => {
            let children = flow_ranges(tree, container.id, path)?;
            take_flow(tree, &children, index, path).map(|range| vec![Splice::delete(range)])
        }
    }
}

fn take_flow(tree: &Tree, children: &[Range<usize>], index: usize, path: &str) -> Result<Range<usize>, EditError> {
    let own = children[index].clone();
    // Not so that a comma comes to stand right behind the colon of the one before.
    let glued = |before: &Range<usize>| {
        tree.text[..before.end].ends_with(':') && !tree.text[own.end..].starts_with([' ', '\t', '\r', '\n'])
    };
    let before = index.checked_sub(1).map(|before| &children[before]);
    let with_comma_before = before.filter(|before| !glued(before)).map(|before| before.end..own.end);
    let with_comma_behind = children.get(index + 1).map(|behind| own.start..behind.start);
    // Nothing but a comma behind it is not a collection.
    let rest = tree.text[own.end..].trim_start_matches([' ', '\t', '\r', '\n']);
    let comma = if rest.starts_with(',') { tree.text.len() - rest.len() + 1 } else { own.end };
    let alone = (children.len() == 1).then_some(own.start..comma);
    [with_comma_before, with_comma_behind, alone]
        .into_iter()
        .flatten()
        .find(|range| tree.comments_in(range.clone()).is_empty())
        .ok_or_else(|| commented(tree, own.start, path))
}

fn commented(tree: &Tree, at: usize, path: &str) -> EditError {
    EditError::Layout {
        line: source::line_of(&tree.text, at),
        path: path.into(),
        how: "flow style with comments within",
        remedy: "in block style, or without the comments",
    }
}

/// Takes a child of a block collection out, line by line; comments within stay.
fn take_lines(tree: &Tree, start: usize, last: Id, next: Option<usize>, path: &str) -> Result<Vec<Splice>, EditError> {
    let text = &tree.text;
    let line = source::line_start(text, start);
    if !text[line..start].bytes().all(|byte| byte == b' ') {
        // `- ours: x` with siblings below: the next one moves up to the dash.
        return match next {
            Some(next) if tree.comments_in(start..next).is_empty() => Ok(vec![Splice::delete(start..next)]),
            _ => Err(EditError::Layout {
                line: source::line_of(text, start),
                path: path.into(),
                how: "the only content of its line's item",
                remedy: "on a line of its own",
            }),
        };
    }
    let end = if ends_in_block_scalar(tree, last) {
        tree.node(last).span.end
    } else {
        source::line_end(text, self::end(tree, last))
    };
    Ok(delete_lines(tree, start, line..end, last))
}

/// Deletes lines, but for the comments in them and the blank lines between our own.
pub(super) fn delete_lines(tree: &Tree, start: usize, lines: Range<usize>, last: Id) -> Vec<Splice> {
    let text = &tree.text;
    let column = start - source::line_start(text, start);
    let mut leaves = Vec::new();
    tree.leaves(last, &mut leaves);
    // The blank lines behind a block scalar belong to it, whether its value has them or not.
    let with_blank_lines = |leaf: &Id| {
        let mut span = tree.node(*leaf).span.clone();
        while ends_in_block_scalar(tree, *leaf) && span.end < lines.end {
            let next = source::line_end(text, span.end);
            if !text[span.end..next].trim().is_empty() {
                break;
            }
            span.end = next;
        }
        span
    };
    let ours: Vec<_> = leaves.iter().map(with_blank_lines).collect();
    let in_leaf = |at: usize| ours.iter().any(|span| span.contains(&at));
    let mut deleted: Vec<Range<usize>> = Vec::new();
    let mut delete = |range: Range<usize>| match deleted.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ if range.is_empty() => {}
        _ => deleted.push(range),
    };
    let mut at = lines.start;
    while at < lines.end {
        let line = at..source::line_end(text, at).min(lines.end);
        at = line.end;
        let content = text[line.clone()].trim_end_matches(['\r', '\n']);
        let blank = content.trim_matches([' ', '\t']).is_empty();
        match tree.comments_in(line.start.max(start)..line.end).first() {
            Some(comment) => {
                // Not further in than what goes, where it could become part of a block scalar that comes before.
                let spaces = content.len() - content.trim_start_matches(' ').len();
                let alone = line.start + spaces == comment.start;
                let first = line.start + if alone { spaces } else { spaces.min(column) };
                delete(first..comment.start);
            }
            None if blank && line.start > start && !in_leaf(line.start) => {}
            None => delete(line),
        }
    }
    if let [only] = deleted.as_mut_slice()
        && *only == lines
    {
        *only = without_line_end(tree, lines);
    }
    deleted.into_iter().map(Splice::delete).collect()
}

/// Lines to delete. Of a text without its last line end we leave a text without its last line end: then the line end
/// before them goes too, unless it is part of a block scalar's value.
pub(super) fn without_line_end(tree: &Tree, lines: Range<usize>) -> Range<usize> {
    let text = &tree.text;
    if lines.is_empty() || lines.end < text.len() || text.ends_with('\n') {
        return lines;
    }
    let counts = |node: &Node| {
        node.span.end == lines.start
            && matches!(&node.kind, Kind::Scalar { value, style } if fragment::is_block(*style) && value.ends_with('\n'))
    };
    if tree.nodes.iter().any(counts) {
        return lines;
    }
    let before = &text[..lines.start];
    let before = before.strip_suffix("\r\n").or_else(|| before.strip_suffix('\n')).unwrap_or(before);
    before.len()..lines.end
}
