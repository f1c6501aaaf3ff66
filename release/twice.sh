#!/usr/bin/env bash
# Builds the commit that is checked out twice, in two folders with names of different length, and fails unless every
# file but the signature is the same. A signature holds its time.
#
#   twice.sh [OS_ARCH...]   linux_amd64 by default
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# -gt 0 ] || set -- linux_amd64
# Somebody may commit while it builds.
commit=$(git -C "$root" rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sums=()
for folder in a a-folder-with-a-longer-name; do
    git clone --quiet --local "$root" "$work/$folder"
    git -C "$work/$folder" checkout --quiet --detach "$commit"
    mkdir "$work/$folder/target"
    ln -s "$root/target/tools" "$work/$folder/target/tools"
    (unset CARGO_TARGET_DIR && "$work/$folder/release/release.sh" "$@")
    sums+=("$work/$folder"/target/release-files/*_SHA256SUMS)
    # What stays of a build is 1 GB.
    rm -rf "$work/$folder"/target/*-*-*/
done
diff -u "${sums[0]}" "${sums[1]}"
echo "two builds of ${commit:0:7} in two folders are the same, byte for byte"
