//! A configuration as a tree without style: read from Talos's own text, changed in content, written anew by `style`.

use granit_parser::{Event, Parser, ScalarStyle};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// Text that is no string to YAML when it stands plain: numbers, booleans, nothing.
    Plain(String),
    Text(String),
    Mapping(Vec<(String, Node)>),
    Sequence(Vec<Node>),
}

impl Node {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }

    pub(crate) fn mapping(entries: &[(&str, Node)]) -> Self {
        Self::Mapping(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match self {
            Self::Mapping(entries) => entries.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(crate) fn insert(&mut self, at: usize, key: &str, value: Node) {
        if let Self::Mapping(entries) = self {
            let at = at.min(entries.len());
            entries.insert(at, (key.to_owned(), value));
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Mapping(entries) => entries.len(),
            Self::Sequence(items) => items.len(),
            _ => 0,
        }
    }
}

/// The documents of a text.
pub(crate) fn parse(text: &str) -> Vec<Node> {
    let mut documents = Vec::new();
    let mut open: Vec<(Node, Option<String>)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let done = match event.unwrap().0 {
            Event::Scalar(value, ScalarStyle::Plain, ..) if is_typed(&value) => Node::Plain(value.into_owned()),
            Event::Scalar(value, ..) => Node::Text(value.into_owned()),
            Event::MappingStart(..) => {
                open.push((Node::Mapping(Vec::new()), None));
                continue;
            }
            Event::SequenceStart(..) => {
                open.push((Node::Sequence(Vec::new()), None));
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => open.pop().unwrap().0,
            _ => continue,
        };
        match open.last_mut() {
            None => documents.push(done),
            Some((Node::Sequence(items), _)) => items.push(done),
            Some((Node::Mapping(entries), key @ None)) => {
                let _ = entries;
                *key = match done {
                    Node::Plain(text) | Node::Text(text) => Some(text),
                    _ => panic!("a key that is no scalar"),
                };
            }
            Some((Node::Mapping(entries), key)) => entries.push((key.take().unwrap(), done)),
            Some(_) => unreachable!(),
        }
    }
    documents
}

fn is_typed(value: &str) -> bool {
    value.is_empty()
        || ["true", "false", "null", "~"].contains(&value)
        || value.starts_with(|char: char| char.is_ascii_digit())
            && value.chars().all(|char| char.is_ascii_hexdigit() || ".xo".contains(char))
}
