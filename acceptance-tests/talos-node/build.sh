#!/bin/sh
# Builds the test node for the minors of Talos: build.sh OUTDIR [1.8 ... 1.14], all of them by default.
# Go's own cache decides what is out of date; go.mod and the files in versions/ pin everything.
set -eu
case "${1:-}" in "") echo "usage: build.sh OUTDIR [minor...]" >&2; exit 2 ;; esac
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- 1.8 1.9 1.10 1.11 1.12 1.13 1.14
for minor in "$@"; do
	# shellcheck disable=SC2046
	go build $(./flags.sh "$minor") -trimpath -ldflags '-s -w' -o "$out/talos-node-$minor" .
done
