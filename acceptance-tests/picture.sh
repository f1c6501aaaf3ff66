#!/bin/sh
# Draws the README's picture of a plan anew, from a real one: the case in acceptance-tests/cases/picture.rs, which otherwise
# compares.
set -eu
cd "$(dirname "$0")/.."
acceptance-tests/tools/build.sh terraform talos-node kubernetes
DRAW_PICTURE=1 cargo test --quiet --locked --test acceptance picture::the_readmes_example | grep '^test result'
git diff --stat -- examples/demo/plan-with-drift.svg
