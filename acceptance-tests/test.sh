#!/usr/bin/env bash
# Everything that must hold before a change lands, in the order in which it fails fastest, and at the end what ran.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$(date +%s)
log=target/test.log
mkdir -p target

acceptance-tests/lint.sh
acceptance-tests/tools/build.sh
cargo test --workspace --locked 2>&1 | tee "$log"
# Programs that belong to a part of the tests and bring their own check: golden vectors, the test node.
for check in acceptance-tests/*/test.sh; do
    "$check"
done
acceptance-tests/summary.sh "$log"
echo "all of it in $(($(date +%s) - started)) s"
