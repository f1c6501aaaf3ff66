#!/bin/sh
# Asks the test node with real clients: each minor's own client and configpatcher, and talosctl 1.12.
# test.sh [1.8 ... 1.14], all by default. TALOSCTL names the program when it is not in target/tools.
set -eu
cd "$(dirname "$0")"
: "${TALOSCTL:=$(cd ../.. && pwd)/target/tools/talosctl}"
if ! [ -x "$TALOSCTL" ]; then
	echo "test.sh: no talosctl at $TALOSCTL: run \`make tools\`" >&2
	exit 1
fi
export TALOSCTL
[ $# -gt 0 ] || set -- 1.8 1.9 1.10 1.11 1.12 1.13 1.14
unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
	echo "test.sh: not formatted: $unformatted" >&2
	exit 1
fi
for minor in "$@"; do
	printf 'Talos %s: ' "$minor"
	# shellcheck disable=SC2046
	go test $(./flags.sh "$minor") -trimpath -count=1 . ./configcheck
done
