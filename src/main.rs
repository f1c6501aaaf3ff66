//! terraform-provider-nvidia: serves the provider to Terraform or OpenTofu. Glue only.

use std::process::ExitCode;

use plugin::ServeOptions;

fn main() -> ExitCode {
    plugin::serve(
        provider::Nvidia::new(),
        ServeOptions {
            name: "nvidia",
            version: env!("CARGO_PKG_VERSION"),
            address: "registry.terraform.io/talos-gpu/nvidia",
            rooms: &["kubernetes", "provider", "talos"],
        },
    )
}
