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
        .map(|message| {
            let findable = findable(&message.path);
            let is_whole = findable == message.path;
            Diagnostic {
                severity: match message.severity {
                    Severity::Error => diagnostic::Severity::Error,
                    Severity::Warning => diagnostic::Severity::Warning,
                }
                .into(),
                summary: message.summary,
                // What the line cannot show any more is said.
                detail: if is_whole { message.detail } else { format!("{}: {}", message.path, message.detail) },
                // Without a path Terraform shows the line of the block, which is what a root path means.
                attribute: (!findable.is_root()).then(|| path(&findable)),
            }
        })
        .collect()
}

/// The start of a path that Terraform finds in the user's file: an attribute, and one place in it. For anything deeper it
/// takes every step but the last for a block, finds none, and shows the first line of the resource instead (measured with
/// Terraform 1.11 and OpenTofu 1.12).
fn findable(path: &Path) -> Path {
    let takes = match path.0.as_slice() {
        [Step::Attribute(_), Step::Key(_) | Step::Index(_), ..] => 2,
        [_, ..] => 1,
        [] => 0,
    };
    Path(path.0[..takes].to_vec())
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
        messages.warn(Path::attribute("list").index(2), "part", "");
        let [whole, part] = <[Diagnostic; 2]>::try_from(diagnostics(messages)).unwrap();
        assert_eq!(whole.attribute, None);
        assert_eq!(whole.severity(), diagnostic::Severity::Error);
        assert_eq!(part.severity(), diagnostic::Severity::Warning);
        assert_eq!(part.attribute.unwrap().steps.len(), 2);
    }

    #[test]
    fn a_deep_path_is_cut_to_what_terraform_finds_and_said_in_words() {
        let mut messages = Diagnostics::new();
        messages.error(Path::attribute("list").index(2).then("name"), "bad", "It is bad.");
        messages.error(Path::attribute("talos").then("endpoints").index(0), "bad", "It is bad.");
        let [in_list, in_object] = <[Diagnostic; 2]>::try_from(diagnostics(messages)).unwrap();
        assert_eq!(in_list.attribute.unwrap().steps.len(), 2);
        assert_eq!(in_list.detail, "list[2].name: It is bad.");
        assert_eq!(in_object.attribute.unwrap().steps.len(), 1);
        assert_eq!(in_object.detail, "talos.endpoints[0]: It is bad.");
    }
}
