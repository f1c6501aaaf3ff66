#!/usr/bin/env bash
# Installs what `make release` left in target/release-files with the real terraform and tofu, from a registry on loopback,
# and has each ask the installed program for its schema. The files are signed anew for this, since the key that signed
# them is not to be had here.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/target/tools
"$root/acceptance-tests/tools/build.sh" terraform tofu release registry
work=$(mktemp -d)
leave() {
    # The registry ends with its standard input, which this shell holds.
    if [ -n "${REGISTRY_PID:-}" ]; then
        local process=$REGISTRY_PID
        eval "exec ${REGISTRY[1]}>&-"
        wait "$process" || true
    fi
    rm -rf "$work"
}
trap leave EXIT

cp -R "$root/target/release-files" "$work/files"
"$tools/release" key --out "$work/key"
RELEASE_SIGNING_KEY=$(cat "$work/key/private.asc") "$tools/release" sign "$work/files"
mkdir "$work/state" "$work/empty"
coproc REGISTRY {
    exec "$tools/registry" --release "$work/files" --key "$work/key" --modules "$work/empty" --state "$work/state"
}
read -r _ host <&"${REGISTRY[0]}"

for program in "$(command -v terraform || echo "$tools/terraform")" "$tools/tofu"; do
    folder=$work/$(basename "$program")
    mkdir "$folder"
    cat >"$folder/main.tf" <<END
terraform {
  required_providers {
    nvidia = {
      source = "$host/talos-gpu/nvidia"
    }
  }
}
END
    run() { (cd "$folder" && env -i PATH="$PATH" HOME="$work" SSL_CERT_FILE="$work/state/ca.pem" CHECKPOINT_DISABLE=1 "$program" "$@"); }
    echo "\$ $(basename "$program") init"
    run init -no-color | grep 'Installed'
    run providers schema -json | grep -q talos_nvidia_node_patch
    grep -c 'zh:' "$folder/.terraform.lock.hcl" | sed "s|\$| signed files are in the lock file of $(basename "$program")|"
    found=("$folder"/.terraform/providers/*/talos-gpu/nvidia/*/*/terraform-provider-nvidia_v*)
    "${found[0]}" --version
done
