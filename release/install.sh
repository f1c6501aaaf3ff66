#!/bin/sh
# Builds the provider and puts it where terraform and tofu look for what no registry has: below ~/.terraform.d/plugins, for
# both, at this version. `init` then takes it from there; removing the folder undoes it.
#
# NVIDIA_PROVIDER_BINARY names a built provider to take in place of one that is built now.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
binary=${NVIDIA_PROVIDER_BINARY:-}
if [ -z "$binary" ]; then
    cargo build --release --locked
    binary=${CARGO_TARGET_DIR:-$root/target}/release/terraform-provider-nvidia
fi
version=$(release/version.sh)
case $(uname -m) in
x86_64 | amd64) processor=amd64 ;;
aarch64 | arm64) processor=arm64 ;;
*) processor=$(uname -m) ;;
esac
platform=$(uname -s | tr '[:upper:]' '[:lower:]')_$processor
for registry in registry.terraform.io registry.opentofu.org; do
    folder=$HOME/.terraform.d/plugins/$registry/talos-gpu/nvidia/$version/$platform
    mkdir -p "$folder"
    # A rename, since a command line may be running the one that is there.
    cp "$binary" "$folder/new"
    mv "$folder/new" "$folder/terraform-provider-nvidia_v$version"
    echo "$folder/terraform-provider-nvidia_v$version"
done
