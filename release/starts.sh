#!/usr/bin/env bash
# starts.sh ZIP: the program in a release's zip runs on this machine, as far as one can tell without a command line: it
# is a plugin and says so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unzip -q "$1" -d "$work"
code=0
"$work"/terraform-provider-nvidia_v* >"$work/said" 2>&1 || code=$?
cat "$work/said"
grep -qi plugin "$work/said"
echo "$(basename "$1") starts here (exit code $code without a command line)"
