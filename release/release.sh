#!/bin/sh
# Builds a release into target/release-files: a zip for each platform, the list of parts, the manifest, the checksums.
# One commit gives the same checksums in any folder and on any day; release/twice.sh shows it.
#
#   release.sh [OS_ARCH...]   all of platforms.sh by default; needs Linux on amd64, Rust, Go and Python
#
# PROFILE=dev goes through the same steps with a debug build, in a fraction of the time, and is no release to publish.
# With a key in RELEASE_SIGNING_KEY the checksums are signed and checked as a registry would check them. Without one a
# key is made for the occasion and thrown away, which proves all but who signed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
[ $# -gt 0 ] || set -- $(release/platforms.sh)
tools=$root/target/tools
target=${CARGO_TARGET_DIR:-$root/target}
out=$root/target/release-files
version=$(release/version.sh)
profile=${PROFILE:-release}
# Cargo's one exception: what it builds with the profile dev goes to debug.
built=$(echo "$profile" | sed 's/^dev$/debug/')

acceptance-tests/tools/build.sh release cargo-cyclonedx
acceptance-tests/tools/zig.sh
PATH=$tools/zig/bin:$PATH
export PATH

# What differs from machine to machine and from day to day is taken out: times, and paths in messages of panics.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="--remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$root=/src --remap-path-prefix=$target=/target"
CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$root=/src"
export SOURCE_DATE_EPOCH RUSTFLAGS CFLAGS TZ=UTC LC_ALL=C
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    echo "release.sh: some files are not as their commit has them: this is no release to publish" >&2
fi

builds=
for platform in "$@"; do
    triple=$(release/platforms.sh "$platform")
    if ! rustup target list --installed | grep -qx "$triple"; then
        rustup target add "$triple"
    fi
    echo "building $platform ($triple) ..."
    cargo zigbuild --quiet --profile "$profile" --locked --bin terraform-provider-nvidia --target "$triple"
    binary=$target/$triple/$built/terraform-provider-nvidia
    [ -e "$binary" ] || binary=$binary.exe
    builds="$builds $platform=$binary"
done

rm -rf "$out"
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
release/parts.sh "$parts"

# shellcheck disable=SC2086
"$tools/release" pack --version "$version" --time "$SOURCE_DATE_EPOCH" --license LICENSE \
    --manifest release/terraform-registry-manifest.json --with "$parts/terraform-provider-nvidia_${version}_sbom.cdx.json" \
    --out "$out" $builds

"$tools/release" key --out "$parts/key"
if [ -z "${RELEASE_SIGNING_KEY:-}" ]; then
    echo "RELEASE_SIGNING_KEY holds no key: signed with one that is thrown away now"
    RELEASE_SIGNING_KEY=$(cat "$parts/key/private.asc")
    export RELEASE_SIGNING_KEY
    public=$parts/key/public.asc
else
    public=$root/release/public-key.asc
fi
"$tools/release" sign "$out"
"$tools/release" check --key "$public" "$out"
echo "$out is what the registries take:"
(cd "$out" && cat ./*_SHA256SUMS)
