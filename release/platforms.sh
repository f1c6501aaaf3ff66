#!/bin/sh
# Prints the platforms of a release in the registries' words, or, of one, the target that rustc knows it as.
set -eu
case "${1:-}" in
"") echo linux_amd64 linux_arm64 darwin_amd64 darwin_arm64 windows_amd64 ;;
# musl, so that one file runs on every distribution, those without glibc too.
linux_amd64) echo x86_64-unknown-linux-musl ;;
linux_arm64) echo aarch64-unknown-linux-musl ;;
darwin_amd64) echo x86_64-apple-darwin ;;
darwin_arm64) echo aarch64-apple-darwin ;;
windows_amd64) echo x86_64-pc-windows-gnu ;;
*)
    echo "platforms.sh: $1 is none of $("$0")" >&2
    exit 2
    ;;
esac
