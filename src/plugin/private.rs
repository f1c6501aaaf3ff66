//! The private state of a resource: bytes that Terraform keeps beside the state and never shows.

use serde::{Serialize, de::DeserializeOwned};

/// What a resource wants to find again in a later process. It is not encrypted: no secret belongs here.
///
/// By convention it is JSON. Empty bytes and no private state are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Private(pub Vec<u8>);

impl Private {
    /// Nothing remembered.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Remembers `value` as JSON.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON (a map with keys that are no strings).
    pub fn of<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(value).map(Self)
    }

    /// What was remembered; `None` when nothing was.
    ///
    /// # Errors
    /// When the bytes are not the JSON of a `T`.
    pub fn get<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        if self.0.is_empty() { Ok(None) } else { serde_json::from_slice(&self.0).map(Some) }
    }
}
