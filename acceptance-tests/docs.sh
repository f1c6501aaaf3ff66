#!/bin/sh
# Renders the registry's pages from the provider's own schema, with the registry's own tool.
#
#   docs.sh           into docs/
#   docs.sh --check   fails when docs/ is not what the schema says, when the registry's own check of it does, and when a
#                     message that the provider can print is not explained
#
# NVIDIA_PROVIDER_BINARY names a built provider to ask in place of one that is built now.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
acceptance-tests/tools/build.sh terraform tfplugindocs
binary=${NVIDIA_PROVIDER_BINARY:-}
if [ -z "$binary" ]; then
    cargo build --quiet --locked
    binary=${CARGO_TARGET_DIR:-$root/target}/debug/terraform-provider-nvidia
fi
program=$(command -v terraform || echo "$root/target/tools/terraform")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/plugin" "$work/in" "$work/out"
ln -s "$binary" "$work/plugin/terraform-provider-nvidia"
cat >"$work/cli.tfrc" <<END
provider_installation {
  dev_overrides {
    "registry.terraform.io/talos-gpu/nvidia" = "$work/plugin"
  }
  direct {}
}
END
cat >"$work/in/main.tf" <<END
terraform {
  required_providers {
    nvidia = {
      source = "talos-gpu/nvidia"
    }
  }
}
END
# tfplugindocs finds a provider in a file by its bare name, and only types whose names begin with it. The one that does
# not goes in with a prefix, which is taken off the rendered pages.
odd=talos_nvidia_node_patch
(cd "$work/in" && TF_CLI_CONFIG_FILE=$work/cli.tfrc CHECKPOINT_DISABLE=1 "$program" providers schema -json) |
    sed "s|\"registry.terraform.io/talos-gpu/nvidia\"|\"nvidia\"|; s|\"$odd\"|\"nvidia_$odd\"|g" >"$work/schema.json"

# The tool empties what it writes to, so it works on a copy, and pages that are written by hand stay.
cp -R examples "$work/out/examples"
mv "$work/out/examples/resources/$odd" "$work/out/examples/resources/nvidia_$odd"
if [ -d templates ]; then cp -R templates "$work/out/templates"; fi
target/tools/tfplugindocs generate --provider-dir "$work/out" --provider-name terraform-provider-nvidia \
    --rendered-provider-name nvidia --providers-schema "$work/schema.json" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
for page in $(find "$work/out/docs" -name '*.md'); do
    sed "s|nvidia_$odd|$odd|g" "$page" >"$work/page"
    cp "$work/page" "$page"
done
if [ "${1:-}" = --check ]; then
    for page in $(cd "$work/out/docs" && find . -name '*.md'); do
        diff -u "docs/$page" "$work/out/docs/$page" || {
            echo "docs/$page is not what the schema says: make docs" >&2
            exit 1
        }
    done
    # What the registry would refuse: folders, front matter, sizes, pages without a resource and resources without a page.
    # The tool looks for `docs` and nothing else, and finds types by the prefix, as above.
    mkdir "$work/published"
    cp -R docs "$work/published/docs"
    target/tools/tfplugindocs validate --provider-dir "$work/published" --provider-name nvidia \
        --providers-schema "$work/schema.json" >"$work/log" 2>&1 || {
        grep -v DEBUG "$work/log" >&2
        exit 1
    }
    acceptance-tests/messages.sh
else
    cp -R "$work/out/docs/." docs/
fi
