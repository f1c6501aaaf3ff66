#!/bin/sh
# Prints the version, of which there is one: the workspace's, in Cargo.toml.
set -eu
cd "$(dirname "$0")/.."
cargo pkgid --offline --locked --package terraform-provider-nvidia | sed 's/.*[#@]//'
