#!/bin/sh
# The program that packs and signs a release, and the registry that serves one to the tests: formatting, vet, tests.
set -eu
cd "$(dirname "$0")/.."
unformatted=$(gofmt -l release acceptance-tests/registry)
if [ -n "$unformatted" ]; then
    echo "release/test.sh: not formatted: $unformatted" >&2
    exit 1
fi
for module in release acceptance-tests/registry; do
    go -C "$module" vet -mod=readonly ./...
done
go -C release test -mod=readonly -count=1 ./...
