//! How a configuration is written: one tree, many texts.

use super::Features;
use super::dice::Dice;
use super::model::Node;

mod leaf;

/// The habits of one text.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    step: usize,
    dash: usize,
    gap: usize,
    /// Chances of a hundred.
    flow: usize,
    comments: usize,
    quotes: usize,
    anchors: usize,
    tags: usize,
    blanks: usize,
    json: bool,
    /// Whether Talos's release takes merge keys in maps.
    merges: bool,
}

impl Style {
    pub(crate) fn random(dice: &mut Dice, merges: bool) -> Self {
        let step = *dice.pick(&[2, 2, 3, 4, 4, 4]);
        let some = |dice: &mut Dice, chance: usize, much: usize| if dice.percent(chance) { much } else { 0 };
        Self {
            step,
            dash: *dice.pick(&[0, 2, step]),
            gap: *dice.pick(&[2, 2, 2, 3, 4]),
            flow: some(dice, 45, 30),
            comments: some(dice, 60, 12),
            quotes: *dice.pick(&[0, 10, 50]),
            anchors: some(dice, 30, 8),
            tags: some(dice, 15, 6),
            blanks: some(dice, 30, 8),
            json: dice.percent(5),
            merges,
        }
    }

    /// Talos's own.
    pub(crate) fn talos(dice: &mut Dice, merges: bool) -> Self {
        let mut style = Self::random(dice, merges);
        (style.step, style.dash, style.gap, style.json) = (4, 4, 2, false);
        style
    }
}

pub(crate) struct Writer<'d> {
    dice: &'d mut Dice,
    features: &'d mut Features,
    style: Style,
    out: String,
    /// The indentation below which a comment must stay after a block scalar.
    ceiling: Option<usize>,
    anchors: usize,
    /// `sysfs` is written already: the one place that can share its value with the sysctls.
    sysfs: bool,
}

impl<'d> Writer<'d> {
    pub(crate) fn new(dice: &'d mut Dice, features: &'d mut Features, style: Style) -> Self {
        Self { dice, features, style, out: String::new(), ceiling: None, anchors: 0, sysfs: false }
    }

    /// A whole stream.
    pub(crate) fn stream(mut self, documents: &[Node]) -> String {
        if self.dice.percent(10) {
            self.out.push_str("# a licence, a generator's name\n");
        }
        let directive = self.dice.percent(5);
        if directive {
            self.features.count("directives");
            self.out.push_str(self.dice.word(&["%YAML 1.1\n", "%TAG !e! tag:example.com,2000:\n"]));
        }
        for (number, document) in documents.iter().enumerate() {
            self.document(directive || number > 0, document);
        }
        self.finish()
    }

    fn document(&mut self, marked: bool, document: &Node) {
        if marked || self.dice.percent(20) {
            self.features.count_if(!marked, "a leading document mark");
            if marked && !self.out.starts_with('%') && self.dice.percent(6) {
                self.features.count("null documents");
                self.out.push_str("---\n# nothing\n");
            }
            self.out.push_str("---");
            self.trailing();
            self.out.push('\n');
        }
        self.ceiling = None;
        if self.style.json {
            self.features.count("JSON");
            let text = self.json(document);
            self.out.push_str(&text);
            self.out.push('\n');
        } else {
            self.mapping(document, 0, false);
        }
        if self.dice.percent(6) {
            self.features.count("document end marks");
            self.out.push_str("...\n");
        }
    }

    /// Goes on behind a text that somebody else wrote.
    pub(crate) fn start_with(&mut self, text: String) {
        self.out = text;
    }

    pub(crate) fn finish(mut self) -> String {
        if self.dice.percent(15) {
            self.out.push_str("# the end\n");
        }
        let mut text = self.out;
        if self.dice.percent(20) {
            self.features.count("missing final newline");
            while text.ends_with('\n') {
                text.pop();
            }
        }
        if self.dice.percent(25) {
            self.features.count("CRLF");
            text = text.replace('\n', "\r\n");
        }
        if self.dice.percent(8) {
            self.features.count("byte order mark");
            text.insert(0, '\u{feff}');
        }
        self.features.count_if(!text.is_ascii(), "non-ASCII");
        text
    }

    /// Entries at an indentation, for a text that somebody else wrote the rest of.
    pub(crate) fn entries(mut self, entries: &[(String, Node)], indent: usize) -> String {
        for (key, value) in entries {
            self.indent(indent);
            self.entry(key, value, indent);
        }
        self.out
    }

    pub(crate) fn documents(mut self, documents: &[Node]) -> String {
        for document in documents {
            self.document(true, document);
        }
        self.out
    }

    fn indent(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    /// Comments and blank lines between entries.
    fn between(&mut self, indent: usize) {
        if self.dice.percent(self.style.comments) {
            let ceiling = self.ceiling.map_or(usize::MAX, |ceiling| ceiling.saturating_sub(1));
            let columns = (*self.dice.pick(&[indent, indent, 0, indent + 3, indent.saturating_sub(2)])).min(ceiling);
            self.features.count(if columns < indent { "comments at lower indentation" } else { "comments between" });
            self.indent(columns);
            self.out.push_str(self.dice.word(&[
                "# why\n",
                "#\n",
                "# - name: nvidia\n",
                "# ünï: \"x\"\n",
                "# [a, {b\n",
            ]));
        }
        if self.dice.percent(self.style.blanks) {
            self.out.push_str(if self.ceiling.is_none() && self.dice.percent(20) { "  \n" } else { "\n" });
        }
    }

    fn trailing(&mut self) {
        if self.dice.percent(self.style.comments) {
            self.features.count("trailing comments");
            // Talos's parser takes no tab right behind a dash.
            let comments = [" # c", "  # | x", " # é", "\t# tab"];
            let comments = if self.out.ends_with('-') { &comments[..3] } else { &comments };
            self.out.push_str(self.dice.word(comments));
        } else if self.dice.percent(self.style.blanks / 4) {
            self.out.push(' ');
        }
    }

    fn mapping(&mut self, node: &Node, indent: usize, mut inline: bool) {
        let Node::Mapping(entries) = node else { unreachable!() };
        for (key, value) in entries {
            if !std::mem::take(&mut inline) {
                self.between(indent);
                self.indent(indent);
            }
            if key == "sysctls" && value.len() > 0 && !self.sysfs && self.dice.percent(3) {
                self.shared_sysctls(value, indent);
                continue;
            }
            self.entry(key, value, indent);
            self.spread(key, value, indent);
        }
        self.after_last(indent);
    }

    /// An edit of one would change the other, so it is refused.
    fn shared_sysctls(&mut self, value: &Node, indent: usize) {
        self.features.count("an anchor on the way to ours");
        self.sysfs = true;
        self.out.push_str("sysctls: &shared\n");
        self.ceiling = None;
        self.mapping(value, indent + self.style.step, false);
        self.indent(indent);
        self.out.push_str("sysfs: *shared\n");
        self.ceiling = None;
    }

    fn after_last(&mut self, indent: usize) {
        if self.dice.percent(self.style.comments / 2) {
            self.features.count("comments after the last");
            let ceiling = self.ceiling.map_or(usize::MAX, |ceiling| ceiling.saturating_sub(1));
            let columns = (*self.dice.pick(&[indent, indent + 2, 0])).min(ceiling);
            self.indent(columns);
            self.out.push_str("# behind\n");
        }
    }

    /// What only the text has: aliases and merges of what was just written.
    fn spread(&mut self, key: &str, value: &Node, indent: usize) {
        if key == "env"
            && !self.sysfs
            && matches!(value, Node::Mapping(entries) if entries.len() > 1)
            && self.dice.percent(40)
        {
            self.features.count("anchors");
            self.features.count("aliases");
            self.sysfs = true;
            self.anchors += 1;
            let name = format!("labels{}", self.anchors);
            let lines = [format!("sysfs: &{name} {{a: b, c: 'd'}}"), format!("nodeAnnotations: *{name}")];
            let merge = [
                format!("sysfs: &{name}"),
                "    a: b".into(),
                "nodeAnnotations:".into(),
                format!("    <<: *{name}"),
                "    x: y".into(),
            ];
            let lines: &[String] = if self.style.merges && self.dice.percent(50) {
                self.features.count("merge keys");
                &merge
            } else {
                &lines
            };
            for line in lines {
                self.indent(indent);
                self.out.push_str(line);
                self.out.push('\n');
            }
            self.ceiling = None;
        }
    }

    fn entry(&mut self, key: &str, value: &Node, indent: usize) {
        let mut is_text = matches!(value, Node::Text(_));
        if key.starts_with("KEY_") && self.dice.percent(5) {
            self.features.count("complex keys");
            is_text = false;
            self.out.push_str(&format!("? {key}\n"));
            self.indent(indent);
            self.out.push(':');
        } else {
            let key = self.key(key);
            self.out.push_str(&key);
            self.out.push_str(if self.dice.percent(self.style.blanks / 4) { " :" } else { ":" });
        }
        if is_text && self.dice.percent(self.style.blanks / 4) {
            self.features.count("tabs");
            self.out.push('\t');
        }
        self.value(value, indent, self.style.step, self.style.dash);
    }

    fn key(&mut self, key: &str) -> String {
        if self.dice.percent(self.style.quotes / 3) {
            self.features.count("quoted keys");
            if self.dice.percent(50) { format!("\"{key}\"") } else { format!("'{key}'") }
        } else {
            key.to_owned()
        }
    }

    /// A value behind a colon or a dash at `indent`, its line end included.
    fn value(&mut self, value: &Node, indent: usize, step: usize, dash: usize) {
        let mut properties = String::new();
        let blank = matches!(value, Node::Plain(text) if text.is_empty() || text == "~" || text == "null");
        if !blank && self.dice.percent(self.style.anchors) {
            self.anchors += 1;
            self.features.count("anchors");
            properties = format!(" &anchor{}", self.anchors);
        }
        if !blank && self.dice.percent(self.style.tags) {
            self.features.count("tags");
            properties.push_str(match value {
                Node::Mapping(_) => " !!map",
                Node::Sequence(_) => " !!seq",
                Node::Text(_) => " !!str",
                Node::Plain(_) => "",
            });
        }
        self.out.push_str(&properties);
        match value {
            Node::Plain(text) if text.is_empty() => {
                self.trailing();
                self.out.push('\n');
                self.ceiling = None;
            }
            Node::Plain(text) => {
                self.space();
                self.out.push_str(text);
                self.trailing();
                self.out.push('\n');
                self.ceiling = None;
            }
            Node::Text(text) => self.text(text, indent, step),
            Node::Mapping(entries) if entries.is_empty() => self.empty("{}", "{ }"),
            Node::Sequence(items) if items.is_empty() => self.empty("[]", "[ ]"),
            node if self.dice.percent(self.style.flow) && small(node) => {
                self.features.count("flow style");
                self.space();
                let lines = self.dice.percent(30).then_some(indent + step);
                self.flow(node, lines);
                self.trailing();
                self.out.push('\n');
                self.ceiling = None;
            }
            Node::Mapping(_) => {
                self.trailing();
                self.out.push('\n');
                self.ceiling = None;
                self.mapping(value, indent + step, false);
            }
            Node::Sequence(items) => {
                self.trailing();
                self.out.push('\n');
                self.ceiling = None;
                self.sequence(items, indent + dash);
            }
        }
    }

    fn space(&mut self) {
        self.out.push_str(if self.dice.percent(self.style.blanks / 2) { "   " } else { " " });
    }

    fn empty(&mut self, tight: &str, wide: &str) {
        self.space();
        self.out.push_str(if self.dice.percent(20) { wide } else { tight });
        self.trailing();
        self.out.push('\n');
        self.ceiling = None;
    }

    fn sequence(&mut self, items: &[Node], indent: usize) {
        let gap = self.style.gap;
        for item in items {
            self.between(indent);
            self.indent(indent);
            self.out.push('-');
            let flow = self.dice.percent(self.style.flow);
            match item {
                Node::Mapping(entries) if !(entries.is_empty() || flow && small(item)) => {
                    if self.dice.percent(self.style.comments) {
                        self.features.count("comments behind a dash");
                        self.out.push_str(" # odd\n");
                        self.ceiling = None;
                        self.mapping(item, indent + gap, false);
                    } else {
                        self.indent(gap - 1);
                        self.mapping(item, indent + gap, true);
                    }
                }
                _ => self.value(item, indent, gap, gap),
            }
        }
        self.after_last(indent);
    }
}

/// Whether a node fits into flow style as a person would write it.
fn small(node: &Node) -> bool {
    match node {
        Node::Mapping(entries) => entries.len() < 8 && entries.iter().all(|(_, value)| small(value)),
        Node::Sequence(items) => items.len() < 8 && items.iter().all(small),
        Node::Text(text) => text.len() < 400,
        Node::Plain(_) => true,
    }
}
