//! Diagnostics and paths, as they go to the CLI.

use super::tfplugin6::{AttributePath, Diagnostic, attribute_path, diagnostic};
use crate::{
    diagnostics::{Diagnostics, Severity},
    path::{Path, Step},
};

/// All messages of one call.
pub(crate) fn diagnostics(messages: Diagnostics) -> Vec<Diagnostic> {
    messages
        .into_iter()
        .map(|message| Diagnostic {
            severity: match message.severity {
                Severity::Error => diagnostic::Severity::Error,
                Severity::Warning => diagnostic::Severity::Warning,
            }
            .into(),
            summary: message.summary,
            detail: message.detail,
            // Without a path Terraform shows the line of the block, which is what a root path means.
            attribute: (!message.path.is_root()).then(|| path(&message.path)),
        })
        .collect()
}

/// A path.
pub(crate) fn path(path: &Path) -> AttributePath {
    use attribute_path::step::Selector;
    let selector = |step: &Step| match step {
        Step::Attribute(name) => Selector::AttributeName(name.clone()),
        Step::Key(key) => Selector::ElementKeyString(key.clone()),
        Step::Index(index) => Selector::ElementKeyInt(*index),
    };
    AttributePath { steps: path.0.iter().map(|step| attribute_path::Step { selector: Some(selector(step)) }).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_the_whole_object_has_no_path() {
        let mut messages = Diagnostics::new();
        messages.error(Path::root(), "whole", "");
        messages.warn(Path::attribute("list").index(2).key("k"), "part", "");
        let [whole, part] = <[Diagnostic; 2]>::try_from(diagnostics(messages)).unwrap();
        assert_eq!(whole.attribute, None);
        assert_eq!(whole.severity(), diagnostic::Severity::Error);
        assert_eq!(part.severity(), diagnostic::Severity::Warning);
        assert_eq!(part.attribute.unwrap().steps.len(), 3);
    }
}
