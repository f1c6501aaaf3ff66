//! Where in an object a value stands: what a diagnostic points at and what forces a replacement.

use std::fmt;

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// An attribute of an object, or a block.
    Attribute(String),
    /// A key of a map.
    Key(String),
    /// A place in a list, from 0. Elements of sets have no address: a path stops at the set.
    Index(i64),
}

/// A path from the root of a resource, data source or provider block to one value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The whole object.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of a top-level attribute.
    pub fn attribute(name: impl Into<String>) -> Self {
        Self(vec![Step::Attribute(name.into())])
    }

    /// This path and then an attribute.
    #[must_use]
    pub fn then(&self, name: impl Into<String>) -> Self {
        self.with(Step::Attribute(name.into()))
    }

    /// This path and then a place in a list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    /// This path and then a key of a map.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Whether this is the path of the whole object.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

/// As a user writes it: `kernel_modules[0].name`, `sysctls["net.core.bpf_jit_harden"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_a_user_writes_it() {
        let path = Path::attribute("kernel_modules").index(0).then("parameters");
        assert_eq!(path.to_string(), "kernel_modules[0].parameters");
        assert_eq!(Path::attribute("sysctls").key("a.b").to_string(), "sysctls[\"a.b\"]");
        assert_eq!(Path::root().to_string(), "");
    }
}
