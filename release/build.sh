#!/bin/sh
# Builds the binaries of a release into target/release-binaries/OS_ARCH/. One commit gives the same bytes in any folder
# and on any day; release/twice.sh shows it.
#
#   build.sh [OS_ARCH...]   all that this machine can build by default: platforms.sh
#
# PROFILE=dev goes through the same steps with a debug build, in a fraction of the time, and is no release to publish.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(release/platforms.sh)
target=${CARGO_TARGET_DIR:-$root/target}
profile=${PROFILE:-release}
# Cargo's one exception: what it builds with the profile dev goes to debug.
built=$(echo "$profile" | sed 's/^dev$/debug/')

# zig is the C compiler and the linker for everything that is built on Linux.
build=build
if [ "$(uname -s)" = Linux ]; then
    acceptance-tests/tools/zig.sh
    PATH=$root/target/tools/zig/bin:$PATH
    build=zigbuild
fi

# What differs from machine to machine and from day to day is taken out: times, and paths in messages of panics.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="--remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$root=/src --remap-path-prefix=$target=/target"
CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$root=/src"
# The oldest macOS that Rust's own parts run on, for both processors.
MACOSX_DEPLOYMENT_TARGET=11.0
export PATH SOURCE_DATE_EPOCH RUSTFLAGS CFLAGS MACOSX_DEPLOYMENT_TARGET TZ=UTC LC_ALL=C
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    echo "build.sh: some files are not as their commit has them: this is no release to publish" >&2
fi

for platform in "$@"; do
    triple=$(release/platforms.sh "$platform")
    if ! rustup target list --installed | grep -qx "$triple"; then
        rustup target add "$triple"
    fi
    echo "building $platform ($triple) ..."
    cargo "$build" --quiet --profile "$profile" --locked --bin terraform-provider-nvidia --target "$triple"
    binary=$target/$triple/$built/terraform-provider-nvidia
    [ -e "$binary" ] || binary=$binary.exe
    there=$root/target/release-binaries/$platform
    rm -rf "$there"
    mkdir -p "$there"
    cp "$binary" "$there"
done
