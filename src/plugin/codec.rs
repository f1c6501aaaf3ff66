//! Values to bytes and back, directed by a type: msgpack for the wire, JSON for stored states of older schemas.
//!
//! Bytes are judged as strictly as Terraform judges ours, and whatever they hold, decoding neither panics nor takes more
//! memory than a small multiple of their length.

pub mod json;
pub mod msgpack;

use std::fmt;

use crate::{
    path::{Path, Step},
    value::NotAType,
};

/// How deep values may be nested. Schemas are far flatter; a dynamic value can be as deep as its sender likes.
pub(crate) const DEEPEST: usize = 128;

/// Bytes and type, or value and type, do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// Where.
    pub path: Path,
    /// Why.
    pub fault: Fault,
}

/// What is wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes end too early, or announce more than they hold.
    #[error("the encoded value is cut short")]
    CutShort,
    /// Bytes follow the value.
    #[error("{0} bytes follow the encoded value")]
    Trailing(usize),
    /// Nested deeper than any schema.
    #[error("the value is nested too deep")]
    TooDeep,
    /// Something else stands there.
    #[error("{wanted} is required, but there is {given}")]
    Wanted {
        /// The type, in words.
        wanted: String,
        /// What there is, in words.
        given: &'static str,
    },
    /// Every attribute has to be there, be it as null.
    #[error("the attribute {0:?} is missing")]
    MissingAttribute(String),
    /// The type has no such attribute.
    #[error("there is no attribute {0:?} in the type")]
    UnknownAttribute(String),
    /// A key occurs twice.
    #[error("the key {0:?} occurs twice")]
    TwiceGiven(String),
    /// A tuple of another length.
    #[error("{wanted} items are required, but there are {given}")]
    Length {
        /// By the type.
        wanted: usize,
        /// In the value.
        given: usize,
    },
    /// The type that came with a dynamic value.
    #[error(transparent)]
    Type(#[from] NotAType),
    /// More is told of an unknown value than go-cty accepts.
    #[error("what is told of the unknown value is too long")]
    OversizeRefinement,
    /// No JSON.
    #[error("not JSON: {0}")]
    Json(String),
}

impl CodecError {
    pub(crate) fn under(mut self, step: impl FnOnce() -> Step) -> Self {
        self.path.0.insert(0, step());
        self
    }
}

impl From<Fault> for CodecError {
    fn from(fault: Fault) -> Self {
        Self { path: Path::root(), fault }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_root() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.fault)
    }
}

impl std::error::Error for CodecError {}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod vectors;
