#!/usr/bin/env bash
# starts.sh ZIP: the program in a release's zip runs on this machine and is the version that its name says.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unzip -q "$1" -d "$work"
program=$(echo "$work"/terraform-provider-nvidia_v*)
version=${program##*_v}
said=$("$program" --version | tr -d '\r')
echo "$said"
[ "$said" = "terraform-provider-nvidia ${version%.exe}" ]
