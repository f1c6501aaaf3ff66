//! Why a configuration is not edited. Every text says where, what stands there, why it cannot be edited exactly and
//! what to do; none quotes the configuration, which is full of keys and certificates.

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Larger than Talos can hand back.
    #[error(
        "the machine configuration is {size} bytes long, more than the {limit} that a node can hand back; make it smaller"
    )]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A character or an encoding that Talos's parser and this editor read differently, or that neither reads.
    #[error(
        "line {line}: {found}, which YAML's readers do not agree on, so that the place of an edit would be a guess; save the configuration as UTF-8 without it"
    )]
    Encoding {
        /// The line.
        line: usize,
        /// What stands there.
        found: &'static str,
    },
    /// Not YAML.
    #[error("line {line}, column {column}: not YAML that can be read ({reason}); mend the configuration first")]
    Syntax {
        /// The line.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// The parser's word for it, without content.
        reason: String,
    },
    /// There is no v1alpha1 document to write a key into.
    #[error(
        "the configuration has no v1alpha1 document (with the keys machine and cluster), so there is nowhere to write {path}; apply the node's base configuration first"
    )]
    NoV1Alpha1 {
        /// What was to be written.
        path: String,
    },
    /// Something else stands where a mapping, a sequence or a scalar belongs.
    #[error("line {line}: {path} is {found}, not {expected}; Talos refuses it too: mend the configuration first")]
    Structure {
        /// The line.
        line: usize,
        /// The path of keys.
        path: String,
        /// What stands there.
        found: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// A key or a document that may stand once stands twice.
    #[error(
        "line {line}: {path} stands here a second time (first in line {first}); Talos refuses it too: remove one of them"
    )]
    Duplicate {
        /// The line of the second.
        line: usize,
        /// The line of the first.
        first: usize,
        /// What it is.
        path: String,
    },
    /// Anchors, aliases and merge keys: an edit here would change another place, or another place supplies this one.
    #[error(
        "line {line}: {path} is {how}; an edit here would change more than this place: write the value out here, without the anchor"
    )]
    Shared {
        /// The line.
        line: usize,
        /// The path of keys.
        path: String,
        /// How it is shared.
        how: &'static str,
    },
    /// A way of writing that the editor does not change exactly.
    #[error(
        "line {line}: {path} is written as {how}, which cannot be changed without touching other bytes; write it {remedy}"
    )]
    Layout {
        /// The line.
        line: usize,
        /// The path of keys.
        path: String,
        /// How it is written.
        how: &'static str,
        /// How to write it instead.
        remedy: &'static str,
    },
    /// The same sysctl in the other spelling.
    #[error(
        "line {line}: the sysctl {wanted} stands here spelled with other separators; to Talos they are two settings of one file and the order decides: spell it {wanted} here, or remove it"
    )]
    Spelling {
        /// The line.
        line: usize,
        /// The key that is wanted.
        wanted: String,
    },
    /// Something of somebody's in a fragment that would be taken out.
    #[error(
        "line {line}: {path} holds a key that is not of Talos's kind for it, and taking it back would lose that; remove it by hand"
    )]
    Foreign {
        /// The line.
        line: usize,
        /// What it is.
        path: String,
    },
    /// Two CRI parts with the path that may stand once.
    #[error(
        "line {line}: a second machine.files entry for {path} (first in line {first}); Talos up to 1.13 fails its boot on it and 1.14 reads the first alone: make them one"
    )]
    SeveralParts {
        /// The line of the second.
        line: usize,
        /// The line of the first.
        first: usize,
        /// The file's path.
        path: &'static str,
    },
    /// A CRI part or document that is not TOML.
    #[error(
        "line {line}: the CRI fragment is not TOML that can be read, or sets the runtime in a form that cannot be edited ({reason}); containerd's configuration cannot be made from it either: mend it first"
    )]
    Toml {
        /// The line of the fragment.
        line: usize,
        /// Why, without content.
        reason: String,
    },
    /// What is wanted cannot be written.
    #[error("{what}: {reason}")]
    Desired {
        /// The module, sysctl or runtime.
        what: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A record that this version does not know.
    #[error(
        "the record of what stood in the configuration before is of version {found}, and this provider knows versions up to {known}; use the provider's newer release"
    )]
    Record {
        /// The version found.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The proof after the edit failed. Nothing is returned, so nothing is lost; it is a bug of this provider.
    #[error(
        "line {line}: the edit did not pass its own check ({check}), so it was thrown away; this is a bug of the provider: report it with the shape of that line's surroundings"
    )]
    Guard {
        /// The line in the configuration before the edit.
        line: usize,
        /// The check that failed.
        check: &'static str,
    },
}

impl EditError {
    /// The line of the configuration that the refusal is about, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::TooLarge { .. } | Self::NoV1Alpha1 { .. } | Self::Desired { .. } | Self::Record { .. } => None,
            Self::Encoding { line, .. }
            | Self::Syntax { line, .. }
            | Self::Structure { line, .. }
            | Self::Duplicate { line, .. }
            | Self::Shared { line, .. }
            | Self::Layout { line, .. }
            | Self::Spelling { line, .. }
            | Self::Foreign { line, .. }
            | Self::SeveralParts { line, .. }
            | Self::Toml { line, .. }
            | Self::Guard { line, .. } => Some(*line),
        }
    }
}
