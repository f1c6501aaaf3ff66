//! Compiles the protocol's `.proto` files, in Rust alone: no `protoc` is needed on the machine.

use std::{error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = "../../proto";
    let files = ["tfplugin6.proto", "go_plugin.proto", "health.proto"];
    for file in files {
        println!("cargo::rerun-if-changed={root}/{file}");
    }
    let descriptors = protox::compile(files, [root])?;
    // Every call that is not served answers UNIMPLEMENTED. Maps are in order, so that a schema is the same bytes in
    // every process.
    tonic_prost_build::configure()
        .build_client(false)
        .generate_default_stubs(true)
        .btree_map(".")
        .compile_fds(descriptors.clone())?;

    // The client half is for the tests alone, which speak to a served provider as the CLI does, and worse.
    let client = PathBuf::from(std::env::var("OUT_DIR")?).join("client");
    std::fs::create_dir_all(&client)?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .btree_map(".")
        .out_dir(client)
        .compile_fds(descriptors)?;
    Ok(())
}
