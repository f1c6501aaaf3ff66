//! Texts broken at random places, to find what Talos's parser and ours read differently.

use super::dice::Dice;

const PIECES: &[&str] = &[
    " ", "  ", "\n", "\n\n", "\t", "#", " #", ":", ": ", "-", "- ", "'", "\"", "{", "}", "[", "]", ",", ", ", "&a ",
    "*a", "|", ">", "|+\n", "!", "!!str ", "%", "é", "~", "? ", "...\n", "---\n", "--- ", "<<: ", "\\", "\r\n", "a",
    "0", "null", "@", "`", "=", "\u{a0}",
];

pub(crate) fn mangle(text: &str, dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.below(3) {
        match dice.below(6) {
            0..3 => {
                let at = boundary(&text, dice.below(text.len() + 1));
                text.insert_str(at, dice.word(PIECES));
            }
            3 => {
                let from = boundary(&text, dice.below(text.len() + 1));
                let to = boundary(&text, from + dice.below(4));
                text.replace_range(from..to, "");
            }
            _ => lines(&mut text, dice),
        }
    }
    text
}

fn lines(text: &mut String, dice: &mut Dice) {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let at = dice.below(lines.len());
    let other = dice.below(lines.len());
    match dice.below(4) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[other].clone()),
        2 => lines[at].insert_str(0, dice.word(&[" ", "  ", "    ", "- ", "# "])),
        _ => lines.swap(at, other),
    }
    *text = lines.concat();
}

fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
