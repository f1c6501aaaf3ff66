#!/bin/sh
# Makes the golden vectors anew and compares them with the committed ones. With --write it replaces them.
set -eu
cd "$(dirname "$0")"

command -v go >/dev/null || {
    echo "cty-vectors: go is missing. Install Go 1.26 or newer: https://go.dev/doc/install" >&2
    exit 1
}
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
go run . >"$fresh"
if [ "${1:-}" = --write ]; then
    cat "$fresh" >vectors.jsonl
elif ! cmp -s "$fresh" vectors.jsonl; then
    echo "cty-vectors: vectors.jsonl is not what go-cty writes; see the difference with: sh $0 --write && git diff" >&2
    exit 1
fi
echo "cty-vectors: $(wc -l <vectors.jsonl) vectors are what go-cty writes"
