#!/usr/bin/env bash
# Everything that must hold before a change lands, in the order in which it fails fastest, and at the end what ran.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$(date +%s)
log=target/test.log
mkdir -p target

acceptance-tests/lint.sh
acceptance-tests/tools/build.sh
# A case waits more than it computes: for command lines, nodes and pods. Four on a core is what was measured as fastest.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((4 * $(nproc)))} cargo test --workspace --locked 2>&1 | tee "$log"
# What is written in Go checks itself: the golden values by go-cty, the test node by Talos's own clients,
# what packs and signs a release by what a registry would refuse.
acceptance-tests/cty-vectors/check.sh
acceptance-tests/talos-node/test.sh
release/test.sh
# The registry's pages are part of the product: they say what the schema says, or this fails.
acceptance-tests/docs.sh --check
acceptance-tests/summary.sh "$log"
echo "all of it in $(($(date +%s) - started)) s"
