#!/bin/sh
# Makes target/release-files of the binaries in target/release-binaries: a zip for each platform, the list of parts, the
# manifest, the checksums and their signature, and checks them as a registry would.
#
# With a key in RELEASE_SIGNING_KEY the checksums are signed by it. Without one a key is made for the occasion and thrown
# away, which proves all but who signed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tools=$root/target/tools
out=$root/target/release-files
version=$(release/version.sh)
acceptance-tests/tools/build.sh release cargo-cyclonedx
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C

parts=$(mktemp -d)
trap 'rm -rf "$parts" "$out.new"' EXIT
release/parts.sh "$parts"
builds=
for binary in target/release-binaries/*/*; do
    builds="$builds $(basename "$(dirname "$binary")")=$binary"
done
rm -rf "$out" "$out.new"
# shellcheck disable=SC2086
"$tools/release" pack --version "$version" --time "$SOURCE_DATE_EPOCH" --license LICENSE \
    --manifest release/terraform-registry-manifest.json --with "$parts/terraform-provider-nvidia_${version}_sbom.cdx.json" \
    --out "$out.new" $builds

public=$root/release/public-key.asc
if [ -z "${RELEASE_SIGNING_KEY:-}" ]; then
    echo "RELEASE_SIGNING_KEY holds no key: signed with one that is thrown away now"
    "$tools/release" key --out "$parts/key"
    RELEASE_SIGNING_KEY=$(cat "$parts/key/private.asc")
    export RELEASE_SIGNING_KEY
    public=$parts/key/public.asc
fi
"$tools/release" sign "$out.new"
"$tools/release" check --key "$public" "$out.new"
mv "$out.new" "$out"
echo "$out is what the registries take:"
cat "$out"/*_SHA256SUMS
