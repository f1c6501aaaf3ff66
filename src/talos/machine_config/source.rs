//! The text of a configuration: what may be edited at all, its lines and its line ends.

use super::{EditError, MAX_BYTES};

/// Takes the bytes for text, if Talos's parser and ours agree on what its lines are.
///
/// Talos's parser follows YAML 1.1, where NEL, LS and PS end a line; ours follows YAML 1.2, where they do not. A lone
/// carriage return ends a line for both, but not for the people and tools that count lines. None of them is seen in
/// configurations that a tool wrote.
pub(super) fn text(bytes: &[u8]) -> Result<&str, EditError> {
    if bytes.len() > MAX_BYTES {
        return Err(EditError::TooLarge { size: bytes.len(), limit: MAX_BYTES });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| EditError::Encoding {
        line: newlines(&bytes[..error.valid_up_to()]) + 1,
        found: "bytes that are not UTF-8",
    })?;
    let strange = text.char_indices().find_map(|(at, char)| match char {
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some((at, "a Unicode line separator (NEL, LS or PS)")),
        '\0' => Some((at, "a NUL character")),
        '\r' if !text[at..].starts_with("\r\n") => Some((at, "a carriage return without a line feed")),
        '\u{feff}' if at > 0 => Some((at, "a byte order mark that is not the first character")),
        _ => None,
    });
    match strange {
        Some((at, found)) => Err(EditError::Encoding { line: line_of(text, at), found }),
        None => Ok(text),
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// The line of an offset, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    newlines(&text.as_bytes()[..at.min(text.len())]) + 1
}

/// The offset at which the line of `at` starts.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    match text[..at].rfind('\n') {
        Some(newline) => newline + 1,
        // A byte order mark is not part of the first line's indentation.
        None if text.starts_with('\u{feff}') => '\u{feff}'.len_utf8().min(at),
        None => 0,
    }
}

/// The offset behind the line of `at`, its line end included.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// The column of an offset, counted in characters from 0.
pub(super) fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].chars().count()
}

/// The line end of the lines before an offset, else of those behind it, else a line feed.
pub(super) fn line_break(text: &str, at: usize) -> &'static str {
    let newline = text[..at].rfind('\n').or_else(|| text.find('\n'));
    if newline.is_some_and(|newline| text[..newline].ends_with('\r')) { "\r\n" } else { "\n" }
}
