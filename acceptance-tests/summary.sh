#!/bin/sh
# Which command lines, Talos versions and Kubernetes ran, and how many cases each: summary.sh LOG, the output of `cargo test`.
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/target/tools

# A clean environment: settings of the machine's user print warnings before the version.
version() {
    env -i CHECKPOINT_DISABLE=1 "$1" version | sed -n '1s/^[A-Za-z]* v//p'
}
passed() {
    grep "^test .* \.\.\. ok$" "$1" | grep -c "$2" || true
}
terraform=$(command -v terraform || echo "$tools/terraform")

echo
echo "acceptance cases that passed"
echo "  terraform $(version "$terraform"): $(passed "$1" '::terraform::')"
echo "  tofu $(version "$tools/tofu"): $(passed "$1" '::tofu::')"
for minor in 8 9 10 11 12 13 14; do
    talos=$(go version -m "$tools/talos-node-1.$minor" | awk '$2 == "github.com/siderolabs/talos/pkg/machinery" { print $3 }')
    echo "  Talos ${talos#v}: $(passed "$1" "_talos_1_$minor ")"
done
for helm in helm3:3 helm:4; do
    echo "  Helm $(env -i "$tools/${helm%:*}" version --template '{{slice .Version 1}}'): $(passed "$1" "helm_${helm#*:}_")"
done
newest=$(sed -n 's/.*NEWEST: .* = "\(.*\)";/\1/p' acceptance-tests/cluster/release.rs)
echo "  Kubernetes $("$tools/kubernetes-${KUBERNETES:-$newest}/kube-apiserver" --version | sed 's/.* v//')"
