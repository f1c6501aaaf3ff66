//! Compiles the project's own descriptions of Talos's messages, without `protoc`.

use std::error::Error;
use std::path::Path;

/// The files under `proto/talos`, one a package.
const FILES: [&str; 9] = [
    "common.proto",
    "config.proto",
    "extensions.proto",
    "files.proto",
    "hardware.proto",
    "machine.proto",
    "runtime.proto",
    "state.proto",
    "v1alpha1.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/talos");
    println!("cargo::rerun-if-changed={}", folder.display());
    let messages = protox::compile(FILES, [folder])?;
    // The connection is this crate's own, so tonic's transport is not asked for.
    tonic_prost_build::configure().build_server(false).build_transport(false).compile_fds(messages)?;
    Ok(())
}
