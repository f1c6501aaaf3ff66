//! Whole documents: appended to the stream, and taken out of it.

use super::place;
use super::session::Session;
use super::splice::Splice;
use super::tree::Tree;
use super::{EditError, locate, source};

/// Appends a document and tells where. Where the stream ends in a block scalar without a line end, so that a line end
/// would change that scalar, the document goes before the last one.
pub(super) fn append(session: &mut Session, lines: Vec<String>) -> Result<usize, EditError> {
    let tree = session.tree()?;
    let text = &tree.text;
    let lines: Vec<_> = std::iter::once("---".to_owned()).chain(lines).collect();
    let last = tree.documents.last();
    let splice = match last {
        Some(last) if place::breaks_off_in_block_scalar(&tree, last.root) => match &last.marker {
            Some(marker) if !text.lines().any(|line| line.starts_with('%')) => {
                let start = source::line_start(text, marker.start);
                let end = source::line_break(text, start);
                Splice::insert(start, lines.iter().fold(String::new(), |all, line| all + line + end))
            }
            _ => {
                return Err(EditError::Layout {
                    line: source::line_of(text, text.len()),
                    path: "the last document".into(),
                    how: "a block scalar at the end of the text without a line end",
                    remedy: "with a line end",
                });
            }
        },
        _ => place::insert_lines(text, text.len(), &lines),
    };
    let at = splice.range.start;
    session.apply(vec![splice]);
    Ok(at)
}

/// Takes a document out, from its `---` to its `...`; comments within stay.
pub(super) fn remove(tree: &Tree, document: &locate::Located) -> Result<Vec<Splice>, EditError> {
    let own = &tree.documents[document.index];
    let marker = own.marker.as_ref();
    let start = marker.map_or(tree.node(own.root).start(), |marker| marker.start);
    let behind_marker = marker.map_or(0, |marker| source::line_end(&tree.text, marker.start));
    let end = place::behind(tree, own.root).max(behind_marker);
    let mut splices = place::delete_lines(tree, start, source::line_start(&tree.text, start)..end, own.root);
    let Some(mark) = &own.end else { return Ok(splices) };
    let line = mark.start..source::line_end(&tree.text, mark.start);
    if tree.text[line.end..].lines().any(|line| line.starts_with('%')) {
        return Err(EditError::Layout {
            line: source::line_of(&tree.text, mark.start),
            path: locate::describe(&document.kind),
            how: "a document whose end (...) also ends what is before a directive (%)",
            remedy: "behind the other documents",
        });
    }
    match (tree.comments_in(line.clone()).first(), splices.last_mut()) {
        (Some(comment), _) => splices.push(Splice::delete(line.start..comment.start)),
        (None, Some(last)) if last.range.end == line.start => {
            last.range = place::without_line_end(tree, last.range.start..line.end);
        }
        (None, _) => splices.push(Splice::delete(place::without_line_end(tree, line))),
    }
    Ok(splices)
}

/// Refuses a document or item that holds keys which Talos does not know there.
pub(super) fn only(tree: &Tree, mapping: usize, known: &[&str], path: &str) -> Result<(), EditError> {
    for (key, _) in tree.entries(mapping) {
        if !tree.scalar(*key).is_some_and(|(text, _)| known.contains(&text)) {
            return Err(EditError::Foreign { line: tree.line(*key), path: path.into() });
        }
    }
    Ok(())
}
