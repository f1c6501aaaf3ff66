#!/bin/sh
# The whole proof that edits of machine configurations are exact, with its figures. `cargo test` runs a small part of it.
#   acceptance-tests/config-proof.sh [COUNT [SEED]]
set -eu
cd "$(dirname "$0")/.."
acceptance-tests/tools/build.sh
CONFIG_PROOF_COUNT=${1:-12000} CONFIG_PROOF_SEED=${2:-1} CARGO_PROFILE_TEST_OPT_LEVEL=1 \
    cargo test --locked --target-dir target/config-proof -p talos --test config_proof -- --nocapture
