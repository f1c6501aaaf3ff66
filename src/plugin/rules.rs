//! What Terraform holds a provider to, as pure functions: the validation that it leaves to providers, the plan that a
//! schema alone decides, and the checks of every answer.

pub mod check;
pub mod plan;
pub mod validate;

use crate::{
    diagnostics::{Diagnostic, Severity},
    path::Path,
};

/// A rule that an answer breaks, where, and how. The text shows no sensitive value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The place; the root when the object as a whole breaks the rule.
    pub path: Path,
    /// How, in words that follow a place: "was \"a\", but now \"b\"".
    pub what: String,
}

impl Violation {
    pub(crate) fn new(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.clone(), what: what.into() }
    }
}

/// Which answer of a provider broke a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A plan of a create, an update or a destroy.
    Plan,
    /// A create, an update or a delete.
    Apply,
    /// A refresh.
    Read,
    /// A read of a data source.
    ReadDataSource,
    /// An upgrade of a stored state.
    Upgrade,
    /// An import.
    Import,
}

impl Operation {
    fn answer(self) -> &'static str {
        match self {
            Self::Plan => "the plan",
            Self::Apply => "the result of the apply",
            Self::Read => "the refreshed object",
            Self::ReadDataSource => "the data that was read",
            Self::Upgrade => "the upgraded state",
            Self::Import => "the imported object",
        }
    }
}

/// The message of a broken rule: a bug of the provider, said before Terraform says it in its own words.
///
/// `provider` is the name of the binary (`terraform-provider-nvidia`), `type_name` the resource or data source.
pub fn violation_to_diagnostic(
    provider: &str,
    type_name: &str,
    operation: Operation,
    violation: &Violation,
) -> Diagnostic {
    let answer = operation.answer();
    let place = if violation.path.is_root() { String::new() } else { format!(" at {}", violation.path) };
    Diagnostic {
        severity: Severity::Error,
        summary: format!("Bug in {provider}"),
        detail: format!(
            "This is a bug in the provider {provider}: {answer} of {type_name} is not valid{place}: {}. Please report \
             it with the configuration that led to it.",
            violation.what
        ),
        path: violation.path.clone(),
    }
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_rule_reads_as_a_bug_of_the_provider() {
        let violation = Violation::new(&Path::attribute("list").index(0).then("name"), "was \"a\", but now null");
        let diagnostic = violation_to_diagnostic("terraform-provider-x", "x_thing", Operation::Apply, &violation);
        assert_eq!(diagnostic.severity, Severity::Error);
        assert_eq!(diagnostic.path, violation.path);
        assert_eq!(
            diagnostic.detail,
            "This is a bug in the provider terraform-provider-x: the result of the apply of x_thing is not valid at \
             list[0].name: was \"a\", but now null. Please report it with the configuration that led to it."
        );
    }
}
