#!/bin/sh
# parts.sh FOLDER: writes the list of what the binary is made of (CycloneDX) into FOLDER, from the commit that is checked
# out. The tool writes beside every Cargo.toml and names the folder that it ran in, so it works on a copy, and that name
# is taken out.
set -eu
cd "$(dirname "$0")/.."
version=$(release/version.sh)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git archive HEAD | tar -x -C "$copy"
tool=$PWD/target/tools/bin/cargo-cyclonedx
(cd "$copy" && "$tool" cyclonedx --quiet --format json --target all --spec-version 1.5 --override-filename parts)
sed "s|$copy|/src|g" "$copy/parts.json" >"$1/terraform-provider-nvidia_${version}_sbom.cdx.json"
