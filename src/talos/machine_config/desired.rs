//! What may be wanted at all. Talos takes an empty module name or an unknown sysctl without a word, so this is the
//! last place where a slip is seen.

use std::collections::BTreeSet;

use super::{Desired, EditError, normal_name};

pub(super) fn check(desired: &Desired) -> Result<(), EditError> {
    let mut names = BTreeSet::new();
    for module in &desired.modules {
        let refuse = |reason| Err(EditError::Desired { what: format!("kernel module {:?}", module.name), reason });
        let word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
        if module.name.is_empty() || !module.name.chars().all(word) {
            return refuse("a module's name has letters, digits, _ and - alone");
        }
        if !names.insert(normal_name(&module.name)) {
            return refuse("it is wanted twice (- and _ are the same in a module's name)");
        }
        if module.parameters.iter().flatten().any(|parameter| parameter.is_empty() || !is_line(parameter)) {
            return refuse("a parameter is a single line that is not empty");
        }
    }
    for (key, value) in &desired.sysctls {
        let refuse = |reason| Err(EditError::Desired { what: format!("sysctl {key:?}"), reason });
        let part = |part: &str| {
            !part.is_empty()
                && part.chars().all(|char| char.is_ascii_graphic() && !"\"'{}[],#&*!|>%@`\\:".contains(char))
        };
        if !key.contains('.') || !key.split('.').all(part) {
            return refuse("a sysctl's key is names joined by dots, such as net.core.bpf_jit_harden");
        }
        if !is_line(value) {
            return refuse("a sysctl's value is a single line");
        }
    }
    if let Some(runtime) = &desired.default_runtime {
        let word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
        let refuse = |reason| Err(EditError::Desired { what: format!("default runtime {:?}", runtime.name), reason });
        if runtime.name.is_empty() || !runtime.name.chars().all(word) {
            return refuse("a runtime's name has letters, digits, ., _ and - alone");
        }
        if runtime.cri_plugin.is_empty() || !runtime.cri_plugin.chars().all(word) {
            return refuse("a containerd plugin's id has letters, digits, ., _ and - alone");
        }
    }
    Ok(())
}

/// Whether a text can be written between double quotes on one line, and read back by every reader.
fn is_line(text: &str) -> bool {
    text.chars().all(|char| char == '\t' || !char.is_control())
        && !text.contains(['\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}'])
}
