#!/bin/sh
# platforms.sh           the platforms of a release that this machine can build, in the registries' words
# platforms.sh OS_ARCH   the target that rustc knows one of them as
set -eu
case "${1:-$(uname -s)}" in
Linux) echo linux_amd64 linux_arm64 windows_amd64 ;;
# Apple's frameworks, which kube's TLS asks for the machine's authorities, can only be linked where Apple's SDK is.
Darwin) echo darwin_amd64 darwin_arm64 ;;
# musl, so that one file runs on every distribution, those without glibc too.
linux_amd64) echo x86_64-unknown-linux-musl ;;
linux_arm64) echo aarch64-unknown-linux-musl ;;
darwin_amd64) echo x86_64-apple-darwin ;;
darwin_arm64) echo aarch64-apple-darwin ;;
windows_amd64) echo x86_64-pc-windows-gnu ;;
*)
    echo "platforms.sh: $1 is no platform of a release" >&2
    exit 2
    ;;
esac
