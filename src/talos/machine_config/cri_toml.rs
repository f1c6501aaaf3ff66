//! The one key of a CRI fragment that is ours, `default_runtime_name` of a plugin's `containerd` table.
//!
//! toml_edit tells where things stand; the text is then changed line by line, so that it stays as it is written.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use super::text_lines::{LineEdit, Lines};

const KEY: &str = "default_runtime_name";

/// The setting, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: String,
    /// The value as written.
    pub(super) raw: String,
    range: Range<usize>,
    key: Range<usize>,
}

fn parse(text: &str) -> Result<Document<&str>, String> {
    // The parser's message may quote the text; its first line names the fault alone.
    Document::parse(text).map_err(|_| "it does not parse".to_owned())
}

fn table<'d>(document: &'d Document<&str>, plugin: &str) -> Result<Option<&'d Item>, String> {
    let mut at = document.as_item();
    for key in ["plugins", plugin, "containerd"] {
        let table = at.as_table_like().ok_or("a table of its way is something else")?;
        match table.get(key) {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    if at.is_table_like() { Ok(Some(at)) } else { Err("the plugin's containerd is not a table".into()) }
}

/// The setting of a plugin in a fragment.
pub(super) fn find(text: &str, plugin: &str) -> Result<Option<Setting>, String> {
    let document = parse(text)?;
    let Some((key, item)) = table(&document, plugin)?
        .and_then(Item::as_table_like)
        .and_then(|table: &dyn TableLike| table.get_key_value(KEY))
    else {
        return Ok(None);
    };
    let value = item.as_str().ok_or("default_runtime_name is not a string")?.to_owned();
    let range = item.span().ok_or("the setting's place is not known")?;
    let key = key.span().ok_or("the setting's place is not known")?;
    Ok(Some(Setting { value, raw: text[range.clone()].to_owned(), range, key }))
}

/// The lines that make the setting in a fragment that lacks it, and whether the table is among them.
pub(super) fn add(text: &str, plugin: &str, name: &str) -> Result<(LineEdit, bool), String> {
    let document = parse(text)?;
    let lines = Lines::of(text);
    let header = match table(&document, plugin)? {
        Some(Item::Table(table)) if !table.is_implicit() && !table.is_dotted() => table.span(),
        _ => None,
    };
    let (edit, made_table) = match header {
        Some(header) => {
            let line = lines.line_of(header.end.saturating_sub(1).max(header.start));
            (LineEdit::Insert { before: line + 1, lines: vec![key_line(name)] }, false)
        }
        None => {
            let behind = lines.ranges().iter().rposition(|line| !text[line.clone()].trim().is_empty());
            (LineEdit::Insert { before: behind.map_or(0, |last| last + 1), lines: new_lines(plugin, name) }, true)
        }
    };
    let after = lines.edited(text, std::slice::from_ref(&edit));
    match find(&after, plugin) {
        Ok(Some(setting)) if setting.value == name => Ok((edit, made_table)),
        _ => Err("the plugin's containerd table is written inline or with dotted keys".into()),
    }
}

/// A whole fragment.
pub(super) fn new_lines(plugin: &str, name: &str) -> Vec<String> {
    vec![format!("[plugins.\"{plugin}\".containerd]"), key_line(name)]
}

fn key_line(name: &str) -> String {
    format!("  {KEY} = \"{name}\"")
}

/// Another value, as raw TOML, in the place of the one that stands there.
pub(super) fn replace(text: &str, setting: &Setting, raw: &str) -> Result<LineEdit, String> {
    if text[setting.range.clone()].contains('\n') {
        return Err("default_runtime_name is a string of several lines".into());
    }
    Ok(LineEdit::Replace { range: setting.range.clone(), text: raw.to_owned() })
}

/// What takes the setting out, and its table's header, if that is ours and nothing else is in it.
pub(super) fn remove(text: &str, plugin: &str, setting: &Setting, made_table: bool) -> Result<Vec<LineEdit>, String> {
    let lines = Lines::of(text);
    let line = lines.line_of(setting.key.start);
    let range = lines.ranges()[line].clone();
    let before = &text[range.start..setting.key.start];
    let between = &text[setting.key.end..setting.range.start];
    let behind = text[setting.range.end..range.end.max(setting.range.end)].trim();
    if !before.trim().is_empty() || between.trim() != "=" || !(behind.is_empty() || behind.starts_with('#')) {
        return Err("default_runtime_name is written inline or with dotted keys".into());
    }
    let header = if made_table { bare_header(text, plugin, &lines)? } else { None };
    let header = header.map(|line| LineEdit::Delete(line..line + 1));
    let own = if behind.is_empty() {
        LineEdit::Delete(line..line + 1)
    } else {
        // A comment behind it stays, on a line of its own.
        let comment = range.end - text[setting.range.end..range.end].trim_start().len();
        LineEdit::Replace { range: setting.key.start..comment, text: String::new() }
    };
    Ok(match (header, own) {
        (Some(LineEdit::Delete(header)), LineEdit::Delete(own)) if header.end == own.start => {
            vec![LineEdit::Delete(header.start..own.end)]
        }
        (header, own) => header.into_iter().chain([own]).collect(),
    })
}

/// The line of the table's header, if nothing but our setting is in the table and nothing else on the line.
fn bare_header(text: &str, plugin: &str, lines: &Lines) -> Result<Option<usize>, String> {
    let document = parse(text)?;
    let Some(Item::Table(table)) = table(&document, plugin)? else { return Ok(None) };
    let is_bare = table.iter().all(|(key, item)| key == KEY || has_own_header(item));
    let Some(header) = table.span().filter(|_| is_bare && !table.is_implicit() && !table.is_dotted()) else {
        return Ok(None);
    };
    let line = lines.line_of(header.start);
    Ok((text[lines.ranges()[line].clone()].trim() == text[header].trim()).then_some(line))
}

/// Whether a table is written with headers of its own, which do not need that of the table around it.
fn has_own_header(item: &Item) -> bool {
    match item {
        Item::Table(table) => !table.is_dotted(),
        Item::ArrayOfTables(_) => true,
        _ => false,
    }
}

/// The fragment's lines and values without the setting and, if that is ours and bare, its table's header: what is
/// somebody's own.
pub(super) fn foreign_lines(text: &str, plugin: &str, made_table: bool) -> Option<Vec<String>> {
    let setting = find(text, plugin).ok()?;
    let edits = match &setting {
        Some(setting) => remove(text, plugin, setting, made_table).ok()?,
        // Somebody took the setting out and left our header.
        None if made_table => bare_header(text, plugin, &Lines::of(text))
            .ok()?
            .map(|line| LineEdit::Delete(line..line + 1))
            .into_iter()
            .collect(),
        None => Vec::new(),
    };
    let rest = Lines::of(text).edited(text, &edits);
    // Indentation says nothing in TOML, and may change when the first line of a block scalar goes, whose indentation
    // counts for the rest. Where it does say something, within strings, the values tell.
    let mut foreign: Vec<_> = rest.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    values("", parse(&rest).ok()?.as_item(), &mut foreign);
    Some(foreign)
}

/// Every value with its path.
fn values(path: &str, item: &Item, into: &mut Vec<String>) {
    match item.as_table_like() {
        Some(table) => table.iter().for_each(|(key, item)| values(&format!("{path}/{key}"), item, into)),
        None => into.push(format!("{path} = {}", item.to_string().trim())),
    }
}
