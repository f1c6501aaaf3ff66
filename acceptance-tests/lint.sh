#!/bin/sh
# Formatting, lints, the workflows, and the rules of deny.toml. cargo-deny itself reads Cargo.lock and what cargo has fetched.
set -eu
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
acceptance-tests/workflows.sh
acceptance-tests/tools/build.sh cargo-deny
# Crates of other platforms too, whose licences count as much: nothing to do when they are there.
cargo fetch --locked --quiet
target/tools/bin/cargo-deny --offline --locked check bans licenses
