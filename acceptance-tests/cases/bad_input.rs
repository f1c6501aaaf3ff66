//! Bad input is said by `validate`, without a node, on the line that it stands on.

use anyhow::{Context, Result, ensure};
use harness::Case;

/// Argument, the line that the error points at, and what it says.
const BAD: [(&str, &str, &str); 11] = [
    ("kernel_modules = [{ name = \"a b\" }]", "kernel_modules = [{ name = \"a b\" }]", "a b"),
    ("kernel_modules = [{ name = \"nvidia\" }, { name = \"nvidia\" }]", "kernel_modules", "nvidia"),
    ("kernel_modules = [{ name = \"nvidia-uvm\" }, { name = \"nvidia_uvm\" }]", "kernel_modules", "nvidia_uvm"),
    ("kernel_modules = [{ name = \"nvidia\", parameters = [\"\"] }]", "kernel_modules", "parameter"),
    ("sysctls = { \"net/core/bpf_jit_harden\" = \"1\" }", "sysctls", "net.core.bpf_jit_harden"),
    ("sysctls = { \"plain\" = \"1\" }", "sysctls", "plain"),
    ("apply_mode = \"auto\"", "apply_mode = \"auto\"", "no_reboot"),
    ("extension_check = \"maybe\"", "extension_check = \"maybe\"", "warn"),
    ("on_destroy = \"forget\"", "on_destroy = \"forget\"", "keep"),
    ("timeouts = { create = \"soon\" }", "timeouts", "soon"),
    ("endpoint = \"http://10.0.0.1\"", "endpoint = \"http://10.0.0.1\"", "10.0.0.1"),
];

fn every_bad_argument_is_named_on_its_own_line(case: &Case) -> Result<()> {
    for (argument, code, says) in BAD {
        let workspace = case.workspace(&with(&format!("  node = \"10.0.0.5\"\n  {argument}\n")))?;
        let error = workspace.validate()?.failed()?.only_error().with_context(|| argument.to_owned())?;
        ensure!(error.says(says), "{argument}: {says:?} is not in\n{error}");
        let line = error.code.clone().unwrap_or_default();
        ensure!(line.starts_with(code), "{argument}: it points at {line:?}\n{error}");
    }
    Ok(())
}
harness::on_one_minor!(every_bad_argument_is_named_on_its_own_line);

fn an_address_that_is_none_is_named_on_its_own_line(case: &Case) -> Result<()> {
    for node in ["", "10.0.0.5:50000", "[::1]", "https://gpu-1", "gpu 1"] {
        let workspace = case.workspace(&with(&format!("  node = \"{node}\"\n")))?;
        let error = workspace.validate()?.failed()?.only_error().with_context(|| node.to_owned())?;
        assert_eq!(error.code, Some(format!("node = \"{node}\"")));
    }
    Ok(())
}
harness::on_one_minor!(an_address_that_is_none_is_named_on_its_own_line);

fn a_missing_address_is_named(case: &Case) -> Result<()> {
    let error = case.workspace(&with(""))?.validate()?.failed()?.only_error()?;
    ensure!(error.says("node"), "{error}");
    Ok(())
}
harness::on_one_minor!(a_missing_address_is_named);

fn an_input_that_is_unknown_is_no_error(case: &Case) -> Result<()> {
    let text = format!(
        "{}\nresource \"terraform_data\" \"later\" {{\n  input = \"10.0.0.5\"\n}}\n",
        with("  node = terraform_data.later.output\n  apply_mode = terraform_data.later.output\n")
    );
    case.workspace(&text)?.validate()?.succeeded().map(drop)
}
harness::on_one_minor!(an_input_that_is_unknown_is_no_error);

fn with(arguments: &str) -> String {
    format!(
        "terraform {{\n  required_providers {{\n    nvidia = {{\n      source = \"talos-gpu/nvidia\"\n    }}\n  }}\n}}\n\n\
         resource \"talos_nvidia_node_patch\" \"this\" {{\n  provider = nvidia\n{arguments}}}\n"
    )
}
