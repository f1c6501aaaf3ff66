#!/bin/sh
# The workflows' files are valid, and every action in them is pinned by the hash of a commit, with its version beside it.
set -eu
cd "$(dirname "$0")/.."
acceptance-tests/tools/build.sh actionlint
# Without the checkers that a machine may have or not.
target/tools/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml
loose=$(grep -nE '^ *(- +)?uses:' .github/workflows/*.yml | grep -vE '@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+$' || true)
if [ -n "$loose" ]; then
    printf 'workflows.sh: not pinned by the hash of a commit and followed by its version (# v1.2.3):\n%s\n' "$loose" >&2
    exit 1
fi
