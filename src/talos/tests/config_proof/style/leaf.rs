//! Strings in every style that YAML has, and collections in flow style.

use super::super::model::Node;
use super::Writer;

impl Writer<'_> {
    pub(super) fn text(&mut self, text: &str, indent: usize, step: usize) {
        let lines = text.contains('\n');
        let printable = text.chars().all(|char| !char.is_control() || char == '\n' || char == '\t');
        // A block scalar's first line must not start with a space, or the header must say the indentation.
        let block = printable && !text.trim().is_empty() && !text.contains('\t');
        if block && (lines || self.dice.percent(6)) && self.dice.percent(if lines { 80 } else { 100 }) {
            return self.block(text, indent, step);
        }
        self.space();
        if plain(text) && !self.dice.percent(self.style.quotes) {
            if text.contains(' ') && self.dice.percent(80) && self.style.blanks > 0 {
                self.features.count("scalars on several lines");
                let folded = text.replacen(' ', &format!("\n{}", " ".repeat(indent + step)), 1);
                self.out.push_str(&folded);
            } else {
                self.out.push_str(text);
            }
        } else if !lines && !text.contains('\t') && self.dice.percent(50) {
            self.out.push_str(&format!("'{}'", text.replace('\'', "''")));
        } else {
            self.features.count_if(text.contains("[plugins") || text.contains("discard_"), "CRI part quoted");
            self.out.push_str(&double(text));
        }
        self.trailing();
        self.out.push('\n');
        self.ceiling = None;
    }

    fn block(&mut self, text: &str, indent: usize, step: usize) {
        let literal = self.dice.percent(70);
        let part = text.contains("[plugins") || text.contains("discard_") || text.contains("level = ");
        let below = indent + step + if self.dice.percent(10) { 1 } else { 0 };
        self.out.push_str(if literal { " |" } else { " >" });
        if text.starts_with([' ', '\n']) {
            self.out.push_str(&(below - indent).to_string());
        }
        let body = text.trim_end_matches('\n');
        let ends = text.len() - body.len();
        let chomping = match ends {
            0 => "-",
            1 => self.dice.word(&["", "", "", "+"]),
            _ => "+",
        };
        self.features.count(match chomping {
            "-" => "block scalars, strip",
            "+" => "block scalars, keep",
            _ => "block scalars, clip",
        });
        self.features.count_if(part && literal, "CRI part literal");
        self.features.count_if(part && !literal, "CRI part folded");
        self.out.push_str(chomping);
        if self.dice.percent(self.style.comments) {
            self.out.push_str(" # header | c");
        }
        self.out.push('\n');
        // Folding joins lines: where a line end counts, a blank line stands.
        let body = if literal { body.to_owned() } else { unfolded(body) };
        for line in body.split('\n') {
            if !line.is_empty() {
                self.indent(below);
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
        for _ in 1..ends {
            self.out.push('\n');
        }
        if self.dice.percent(self.style.blanks) {
            self.out.push('\n');
        }
        self.ceiling = Some(below);
    }

    pub(super) fn flow(&mut self, node: &Node, lines: Option<usize>) {
        match node {
            Node::Plain(text) if text.is_empty() => {}
            Node::Plain(text) => self.out.push_str(text),
            Node::Text(text) if plain(text) && !text.contains(' ') && !self.dice.percent(self.style.quotes) => {
                self.out.push_str(text)
            }
            Node::Text(text) if !text.contains(['\n', '\t']) && self.dice.percent(50) => {
                self.out.push_str(&format!("'{}'", text.replace('\'', "''")));
            }
            Node::Text(text) => self.out.push_str(&double(text)),
            Node::Mapping(entries) => {
                self.out.push('{');
                for (number, (key, value)) in entries.iter().enumerate() {
                    self.gap(number, lines);
                    let key = self.key(key);
                    self.out.push_str(&key);
                    self.out.push_str(": ");
                    self.flow(value, None);
                }
                self.close('}', lines, entries.len());
            }
            Node::Sequence(items) => {
                self.out.push('[');
                for (number, item) in items.iter().enumerate() {
                    self.gap(number, lines);
                    self.flow(item, None);
                }
                self.close(']', lines, items.len());
            }
        }
    }

    fn gap(&mut self, number: usize, lines: Option<usize>) {
        if number > 0 {
            self.out.push_str(if self.dice.percent(10) { " ," } else { "," });
        }
        match lines {
            Some(indent) => {
                if self.dice.percent(self.style.comments * 2) {
                    self.features.count("comments within flow style");
                    self.out.push_str(" # within");
                }
                self.out.push('\n');
                self.indent(indent);
            }
            None if number > 0 => self.out.push(' '),
            None if self.dice.percent(20) => self.out.push(' '),
            None => {}
        }
    }

    fn close(&mut self, bracket: char, lines: Option<usize>, length: usize) {
        if length > 0 && self.dice.percent(10) {
            self.features.count("trailing commas");
            self.out.push(',');
        }
        if let Some(indent) = lines {
            if self.dice.percent(self.style.comments) {
                self.out.push_str(" # last");
            }
            self.out.push('\n');
            self.indent(indent);
        } else if self.dice.percent(20) {
            self.out.push(' ');
        }
        self.out.push(bracket);
    }

    pub(super) fn json(&mut self, node: &Node) -> String {
        match node {
            Node::Plain(text) if text.is_empty() || text == "~" => "null".into(),
            Node::Plain(text) => text.clone(),
            Node::Text(text) => double(text),
            Node::Mapping(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{}: {}", double(key), self.json(value))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Node::Sequence(items) => {
                let items: Vec<_> = items.iter().map(|item| self.json(item)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }
}

fn plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(|char| char.is_alphanumeric() || " _.=/+-".contains(char))
        && !text.ends_with(' ')
        && !["yes", "no", "true", "false", "null", "on", "off"].contains(&text)
}

fn double(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

/// Text whose line ends survive folding: a blank line between two lines that both stand at the indentation.
fn unfolded(text: &str) -> String {
    let mut out = String::new();
    let mut before = "";
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
            let more = |line: &str| line.starts_with(' ');
            if !line.is_empty() && !before.is_empty() && !more(line) && !more(before) {
                out.push('\n');
            }
        }
        out.push_str(line);
        before = line;
    }
    out
}
