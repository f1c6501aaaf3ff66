//! Bytes that must never reach a log, an error or the screen: machine configurations. Keys are `SecretString`s.

use std::fmt;
use std::sync::Arc;

/// A machine configuration. It holds the cluster's secrets, so its `Debug` says only how long it is; there is no `Display`.
/// Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigBytes(Arc<[u8]>);

impl ConfigBytes {
    /// The bytes as the node has them, to be looked at and never to be shown.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for ConfigBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for ConfigBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigBytes({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_shows_nothing_of_itself() {
        let config = ConfigBytes::from(b"token: abc".to_vec());
        assert_eq!(format!("{config:?}"), "ConfigBytes(10 bytes)");
        assert_eq!(config.expose(), b"token: abc");
    }
}
