//! The resource's wish as a machine configuration patch, for people and for `config_patches` of siderolabs/talos.
//!
//! Only for reading: what is sent to a node is made by the exact editor, never from this text.

use std::fmt::Write as _;

use talos::machine_config::Backend;

use super::model::{CRI_PLUGIN, RUNTIME, Wanted};

/// The patch in the form that `backend` takes. Empty when nothing is wanted.
pub(super) fn patch(wanted: &Wanted, backend: Backend) -> String {
    match backend {
        Backend::V1Alpha1 => v1alpha1(wanted),
        Backend::Documents => documents(wanted),
    }
}

fn v1alpha1(wanted: &Wanted) -> String {
    let mut text = String::new();
    if !wanted.modules.is_empty() {
        text.push_str("  kernel:\n    modules:\n");
        for module in &wanted.modules {
            let _ = writeln!(text, "      - name: {}", module.name);
            parameters(&mut text, "        ", module.parameters.as_deref());
        }
    }
    if !wanted.sysctls.is_empty() {
        text.push_str("  sysctls:\n");
        for (key, value) in &wanted.sysctls {
            let _ = writeln!(text, "    {key}: {}", quoted(value));
        }
    }
    if wanted.default_runtime {
        text.push_str("  files:\n    - path: /etc/cri/conf.d/20-customization.part\n      op: create\n      permissions: 0o600\n      content: |\n");
        text.push_str(&runtime_toml("        "));
    }
    if text.is_empty() { text } else { format!("machine:\n{text}") }
}

fn documents(wanted: &Wanted) -> String {
    let mut documents = Vec::new();
    for module in &wanted.modules {
        let mut text = format!("apiVersion: v1alpha1\nkind: KernelModuleConfig\nname: {}\n", module.name);
        parameters(&mut text, "", module.parameters.as_deref());
        documents.push(text);
    }
    if !wanted.sysctls.is_empty() {
        let mut text = "apiVersion: v1alpha1\nkind: SysctlConfig\nparams:\n".to_owned();
        for (key, value) in &wanted.sysctls {
            let _ = writeln!(text, "  {key}: {}", quoted(value));
        }
        documents.push(text);
    }
    if wanted.default_runtime {
        documents.push(format!(
            "apiVersion: v1alpha1\nkind: CRICustomizationConfig\nname: {RUNTIME}-default-runtime\ncontent: |\n{}",
            runtime_toml("  ")
        ));
    }
    documents.join("---\n")
}

fn parameters(text: &mut String, indent: &str, parameters: Option<&[String]>) {
    match parameters {
        None | Some([]) => {}
        Some(list) => {
            let _ = writeln!(text, "{indent}parameters:");
            for parameter in list {
                let _ = writeln!(text, "{indent}  - {}", quoted(parameter));
            }
        }
    }
}

fn runtime_toml(indent: &str) -> String {
    format!("{indent}[plugins.\"{CRI_PLUGIN}\".containerd]\n{indent}  default_runtime_name = \"{RUNTIME}\"\n")
}

/// A double-quoted YAML scalar: a JSON string is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::WantedModule;
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            modules: vec![
                WantedModule { name: "nvidia".into(), parameters: Some(vec!["NVreg_X=1".into()]) },
                WantedModule { name: "nvidia_uvm".into(), parameters: None },
            ],
            sysctls: BTreeMap::from([("net.core.bpf_jit_harden".into(), "1".into())]),
            default_runtime: true,
        }
    }

    #[test]
    fn up_to_1_13_the_patch_is_one_document() {
        assert_eq!(
            patch(&wanted(), Backend::V1Alpha1),
            "machine:\n  kernel:\n    modules:\n      - name: nvidia\n        parameters:\n          - \"NVreg_X=1\"\n      - name: nvidia_uvm\n  \
             sysctls:\n    net.core.bpf_jit_harden: \"1\"\n  files:\n    - path: /etc/cri/conf.d/20-customization.part\n      op: create\n      \
             permissions: 0o600\n      content: |\n        [plugins.\"io.containerd.cri.v1.runtime\".containerd]\n          default_runtime_name = \"nvidia\"\n"
        );
    }

    #[test]
    fn from_1_14_the_patch_is_documents() {
        assert_eq!(
            patch(&wanted(), Backend::Documents),
            "apiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\nparameters:\n  - \"NVreg_X=1\"\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia_uvm\n---\n\
             apiVersion: v1alpha1\nkind: SysctlConfig\nparams:\n  net.core.bpf_jit_harden: \"1\"\n---\napiVersion: v1alpha1\nkind: CRICustomizationConfig\n\
             name: nvidia-default-runtime\ncontent: |\n  [plugins.\"io.containerd.cri.v1.runtime\".containerd]\n    default_runtime_name = \"nvidia\"\n"
        );
    }

    #[test]
    fn nothing_wanted_is_no_patch() {
        assert_eq!(patch(&Wanted::default(), Backend::V1Alpha1), "");
        assert_eq!(patch(&Wanted::default(), Backend::Documents), "");
    }
}
