//! Changing the text of a YAML scalar line by line, in the style that the scalar is written in.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::fragment::{escape, indented};
use super::place::{self, Container};
use super::splice::Splice;
use super::tree::{Id, Tree};
use super::{EditError, source};

/// A change of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LineEdit {
    /// Lines, before the line with this number.
    Insert { before: usize, lines: Vec<String> },
    /// Whole lines.
    Delete(Range<usize>),
    /// A stretch within one line.
    Replace { range: Range<usize>, text: String },
}

/// The lines of a text, without their line ends.
pub(super) struct Lines(Vec<Range<usize>>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let mut at = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let start = at;
            at += line.len();
            start..start + line.trim_end_matches('\n').len()
        });
        Self(lines.collect())
    }

    pub(super) fn ranges(&self) -> &[Range<usize>] {
        &self.0
    }

    pub(super) fn line_of(&self, at: usize) -> usize {
        self.0.partition_point(|line| line.start <= at).saturating_sub(1)
    }

    /// What the edits come to as replaced ranges of the text. They must be in order and apart.
    fn splices(&self, text: &str, edits: &[LineEdit]) -> Vec<Splice> {
        let start = |line: usize| self.0.get(line).map_or(text.len(), |line| line.start);
        let bare = !text.is_empty() && !text.ends_with('\n');
        let splice = |edit: &LineEdit| match edit {
            LineEdit::Insert { before, lines } if *before >= self.0.len() && bare => {
                Splice::insert(text.len(), format!("\n{}", lines.join("\n")))
            }
            LineEdit::Insert { before, lines } => Splice::insert(start(*before), lines.join("\n") + "\n"),
            LineEdit::Delete(lines) if lines.end >= self.0.len() && bare && lines.start > 0 => {
                Splice::delete(start(lines.start) - 1..text.len())
            }
            LineEdit::Delete(lines) => Splice::delete(start(lines.start)..start(lines.end)),
            LineEdit::Replace { range, text } => Splice::replace(range.clone(), text.clone()),
        };
        edits.iter().map(splice).collect()
    }

    /// The text after edits, which must be in order and apart.
    pub(super) fn edited(&self, text: &str, edits: &[LineEdit]) -> String {
        let mut after = text.to_owned();
        for splice in self.splices(text, edits).into_iter().rev() {
            after.replace_range(splice.range, &splice.text);
        }
        after
    }
}

/// What edits of a scalar's text come to in the configuration. `column` is that of the key before the scalar, `step`
/// the indentation of what is below it.
pub(super) fn splices(tree: &Tree, scalar: Id, key: &Container, edits: &[LineEdit]) -> Result<Vec<Splice>, EditError> {
    let refuse = |how| {
        Err(EditError::Layout {
            line: tree.line(scalar),
            path: key.path.clone(),
            how,
            remedy: "as a literal block scalar (|)",
        })
    };
    let Some((value, style)) = tree.scalar(scalar) else { return refuse("something that is not a text") };
    let done = match style {
        ScalarStyle::Literal => literal(tree, scalar, value, key, edits),
        ScalarStyle::Folded => folded(tree, scalar, value, edits),
        ScalarStyle::DoubleQuoted => quoted(tree, scalar, value, edits),
        ScalarStyle::SingleQuoted | ScalarStyle::Plain => verbatim(tree, scalar, value, style, edits),
    };
    match done {
        Some(splices) => Ok(splices),
        None => refuse("a text in a style whose lines cannot be changed one by one"),
    }
}

/// The raw lines below the header of a block scalar, with their line ends.
fn body(tree: &Tree, scalar: Id) -> Vec<Range<usize>> {
    let span = tree.node(scalar).span.clone();
    let mut at = source::line_end(&tree.text, span.start);
    let mut lines = Vec::new();
    while at < span.end {
        let end = source::line_end(&tree.text, at);
        lines.push(at..end);
        at = end;
    }
    lines
}

fn content(text: &str, line: &Range<usize>) -> Range<usize> {
    line.start..line.start + text[line.clone()].trim_end_matches(['\r', '\n']).len()
}

/// The indentation of a block scalar's lines: what its first line with text has more in the configuration.
fn block_indent(text: &str, raw: &[Range<usize>], value: &str) -> Option<usize> {
    let written = raw.iter().map(|line| &text[content(text, line)]).find(|line| !line.trim_matches(' ').is_empty())?;
    let first = value.split('\n').find(|line| !line.is_empty())?;
    let indent = written.len().checked_sub(first.len())?;
    (written[indent..] == *first && written[..indent].bytes().all(|byte| byte == b' ')).then_some(indent)
}

fn literal(tree: &Tree, scalar: Id, value: &str, key: &Container, edits: &[LineEdit]) -> Option<Vec<Splice>> {
    let text = &tree.text;
    let raw = body(tree, scalar);
    let indent = match block_indent(text, &raw, value) {
        Some(indent) => indent,
        // Nothing there yet: below the key, unless the header says where.
        None if value.trim_matches('\n').is_empty() => {
            if has_indicator(tree, scalar) {
                return None;
            }
            let key = key.key?;
            source::column(text, tree.node(key).start()) + place::style(tree, scalar, None).step
        }
        None => return None,
    };
    let lines = Lines::of(value);
    let end = tree.node(scalar).span.end;
    let start = |line: usize| raw.get(line).map_or(end, |line| line.start);
    let mut splices = Vec::new();
    if needs_indicator(text, &raw, edits) && !has_indicator(tree, scalar) {
        splices.push(indicator(tree, scalar, key, indent)?);
    }
    let changed = edits
        .iter()
        .map(|edit| match edit {
            LineEdit::Insert { before, lines } => {
                let lines: Vec<_> = lines.iter().map(|line| indented(indent, line)).collect();
                Some(place::insert_lines(text, start(*before), &lines))
            }
            LineEdit::Delete(lines) => {
                Some(Splice::delete(place::without_line_end(tree, start(lines.start)..start(lines.end))))
            }
            LineEdit::Replace { range, text: new } => {
                let line = lines.line_of(range.start);
                let offset = raw.get(line)?.start + indent + (range.start - lines.ranges()[line].start);
                let own = offset..offset + range.len();
                (text.get(own.clone())? == &value[range.clone()]).then(|| Splice::replace(own, new.clone()))
            }
        })
        .collect::<Option<Vec<_>>>()?;
    splices.extend(changed);
    Some(splices)
}

/// Whether what is left of a block scalar no longer says by its first line with text how far all of it is indented: a
/// later line stands further left, or a blank one before it reaches further right.
fn needs_indicator(text: &str, raw: &[Range<usize>], edits: &[LineEdit]) -> bool {
    let is_deleted =
        |line: usize| edits.iter().any(|edit| matches!(edit, LineEdit::Delete(lines) if lines.contains(&line)));
    let left =
        raw.iter().enumerate().filter(|(line, _)| !is_deleted(*line)).map(|(_, line)| &text[content(text, line)]);
    let indented = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut left = left.peekable();
    let mut blanks = 0;
    while let Some(blank) = left.next_if(|line| line.trim_matches(' ').is_empty()) {
        blanks = blanks.max(blank.len());
    }
    let Some(first) = left.next().map(indented) else { return false };
    blanks > first || left.any(|line| !line.trim_matches(' ').is_empty() && indented(line) < first)
}

/// Whether the header of a block scalar says how far it is indented.
fn has_indicator(tree: &Tree, scalar: Id) -> bool {
    let start = tree.node(scalar).span.start;
    let header = &tree.text[content(&tree.text, &(start..source::line_end(&tree.text, start)))];
    header.split('#').next().is_some_and(|header| header.contains(|char: char| char.is_ascii_digit()))
}

/// Writes the indentation of a block scalar into its header, where no line says it any more.
fn indicator(tree: &Tree, scalar: Id, key: &Container, indent: usize) -> Option<Splice> {
    let step = indent.checked_sub(source::column(&tree.text, tree.node(key.key?).start()))?;
    (1..=9).contains(&step).then(|| Splice::insert(tree.node(scalar).span.start + 1, step.to_string()))
}

/// A folded scalar whose lines with text stand each on a line of their own. A new line needs a blank one before it,
/// which folds to the line end, and must not be indented.
fn folded(tree: &Tree, scalar: Id, value: &str, edits: &[LineEdit]) -> Option<Vec<Splice>> {
    let text = &tree.text;
    let raw = body(tree, scalar);
    let indent = block_indent(text, &raw, value)?;
    let is_blank = |line: &Range<usize>| text[line.clone()].trim().is_empty();
    let lines = Lines::of(value);
    // For every line of the text the raw line that it stands on.
    let mut written = raw.iter().enumerate().filter(|(_, line)| !is_blank(line));
    let mut places = Vec::new();
    for line in lines.ranges() {
        places.push(if value[line.clone()].trim().is_empty() {
            None
        } else {
            let (at, own) = written.next()?;
            let own = content(text, own);
            (text.get(own.start + indent..own.end)? == &value[line.clone()]).then_some(())?;
            Some(at)
        });
    }
    if written.next().is_some() {
        return None;
    }
    let end = tree.node(scalar).span.end;
    let mut splices = Vec::new();
    for edit in edits {
        match edit {
            LineEdit::Insert { before, lines } => {
                let after = places[..*before].iter().rev().find_map(|place| *place)?;
                let new: Vec<_> =
                    lines.iter().flat_map(|line| [String::new(), indented(indent, line.trim_start())]).collect();
                let at = raw.get(after + 1).map_or(end, |line| line.start);
                splices.push(place::insert_lines(text, at, &new));
            }
            LineEdit::Delete(lines) => {
                for place in places.get(lines.clone())?.iter().copied().collect::<Option<Vec<_>>>()? {
                    let blank = raw.get(place.checked_sub(1)?)?;
                    is_blank(blank).then_some(())?;
                    let own = blank.start..raw[place].end;
                    splices.push(Splice::delete(own));
                }
            }
            LineEdit::Replace { range, text: new } => {
                let line = lines.line_of(range.start);
                let own = raw.get((*places.get(line)?)?)?.start + indent + (range.start - lines.ranges()[line].start);
                let own = own..own + range.len();
                (text.get(own.clone())? == &value[range.clone()]).then_some(())?;
                splices.push(Splice::replace(own, new.clone()));
            }
        }
    }
    // Neighbouring deletions at the end of a text without its last line end are one.
    let mut merged: Vec<Splice> = Vec::new();
    for splice in splices {
        match merged.last_mut() {
            Some(last) if last.text.is_empty() && splice.text.is_empty() && last.range.end == splice.range.start => {
                last.range.end = splice.range.end;
            }
            _ => merged.push(splice),
        }
    }
    for splice in merged.iter_mut().filter(|splice| splice.text.is_empty()) {
        splice.range = place::without_line_end(tree, splice.range.clone());
    }
    Some(merged)
}

/// A text in double quotes on one line.
fn quoted(tree: &Tree, scalar: Id, value: &str, edits: &[LineEdit]) -> Option<Vec<Splice>> {
    let span = tree.node(scalar).span.clone();
    let raw = tree.text.get(span.start + 1..span.end - 1)?;
    if raw.contains('\n') {
        return None;
    }
    let offsets = unescape(raw, value)?;
    let at = |offset: usize| offsets.get(offset).copied().flatten().map(|raw| span.start + 1 + raw);
    Lines::of(value)
        .splices(value, edits)
        .into_iter()
        .map(|splice| {
            let mut text = String::new();
            escape(&splice.text, &mut text);
            Some(Splice::replace(at(splice.range.start)?..at(splice.range.end)?, text))
        })
        .collect()
}

/// For every character boundary of the value the offset in the raw text; `None` if the two do not belong together.
fn unescape(raw: &str, value: &str) -> Option<Vec<Option<usize>>> {
    let mut offsets = vec![None; value.len() + 1];
    let mut rest = raw.char_indices().peekable();
    let mut at = 0;
    while let Some((start, char)) = rest.next() {
        let decoded = if char == '\\' {
            let (_, escape) = rest.next()?;
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            let mut code = 0;
            for _ in 0..digits {
                code = code * 16 + rest.next()?.1.to_digit(16)?;
            }
            match escape {
                'x' | 'u' | 'U' => char::from_u32(code)?,
                '0' => '\0',
                'a' => '\x07',
                'b' => '\x08',
                't' | '\t' => '\t',
                'n' => '\n',
                'v' => '\x0b',
                'f' => '\x0c',
                'r' => '\r',
                'e' => '\x1b',
                ' ' | '"' | '/' | '\\' => escape,
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                _ => return None,
            }
        } else {
            char
        };
        value[at..].starts_with(decoded).then_some(())?;
        offsets[at] = Some(start);
        at += decoded.len_utf8();
    }
    (at == value.len()).then_some(())?;
    offsets[at] = Some(raw.len());
    Some(offsets)
}

/// A text that is written as it is, where only stretches within a line are replaced, by what needs no escape.
fn verbatim(tree: &Tree, scalar: Id, value: &str, style: ScalarStyle, edits: &[LineEdit]) -> Option<Vec<Splice>> {
    let span = tree.node(scalar).span.clone();
    let start = if style == ScalarStyle::SingleQuoted { span.start + 1 } else { span.start };
    (tree.text.get(start..start + value.len())? == value).then_some(())?;
    edits
        .iter()
        .map(|edit| match edit {
            LineEdit::Replace { range, text } if !text.contains(['\'', '#', ':', '\n']) => {
                Some(Splice::replace(start + range.start..start + range.end, text.clone()))
            }
            _ => None,
        })
        .collect()
}
