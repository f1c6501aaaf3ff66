#!/bin/sh
# Builds and packs a release, of all platforms that this machine can build or of those that are named:
#
#   release.sh [OS_ARCH...]
set -eu
cd "$(dirname "$0")/.."
rm -rf target/release-binaries
release/build.sh "$@"
release/pack.sh
