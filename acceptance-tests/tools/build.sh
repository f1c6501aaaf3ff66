#!/bin/sh
# Builds the programs that the tests run, into target/tools, at the versions that the modules beside this file pin.
# Nothing of theirs lies in the project: a go.mod, a go.sum and Go are enough. A program that is already there at its
# pinned version is left alone, so a second run does nothing.
#
#   build.sh              everything that is missing
#   build.sh NAME...      only these: tofu, talosctl, terraform, tfplugindocs, talos-node, cargo-deny, helm, helm3,
#                         kubernetes (the newest, with etcd, kwok and kubectl), kubernetes-1.30,
#                         release, registry, actionlint, gojq, cargo-cyclonedx, matrix (or matrix/terraform-1.5 and so on)
#
# With KUBERNETES=1.30 in the environment, which is how the tests choose it, `kubernetes` builds that one too; etcd, kwok and
# kubectl are the same for all.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=$root/target/tools
mkdir -p "$tools/.stamps"

# The compiler that is installed is the one that builds: a download of another one is not something a test should do.
export GOTOOLCHAIN=local
export GOFLAGS=-mod=readonly
export CGO_ENABLED=0

if ! command -v go >/dev/null 2>&1; then
    echo "make tools needs Go 1.26 or newer: https://go.dev/dl/" >&2
    exit 1
fi

# $1 file name, with its folder where it has one, $2 module folder, $3 package, $4 linker flags beside -s -w.
# The stamp holds what went in, so that a raised pin builds anew and nothing else does.
go_tool() {
    stamp=$tools/.stamps/$1
    mkdir -p "$(dirname "$stamp")" "$(dirname "$tools/$1")"
    wanted=$(cat "$here/$2/go.mod" "$here/$2/go.sum" | cksum)" $4"
    if [ -x "$tools/$1" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    started=$(date +%s)
    echo "building $1 ..."
    (cd "$here/$2" && go build -trimpath -buildvcs=false -ldflags "-s -w $4" -o "$tools/$1.new" "$3")
    # A rename, so that a run that was broken off never leaves half a program behind.
    mv "$tools/$1.new" "$tools/$1"
    echo "$wanted" >"$stamp"
    echo "built $1 in $(($(date +%s) - started)) s"
}

# $1 module folder, $2 module of which it wants to know the version.
pinned() {
    (cd "$here/$1" && go list -m -f '{{.Version}}' "$2")
}

make_tofu() {
    go_tool tofu opentofu github.com/opentofu/opentofu/cmd/tofu \
        "-X github.com/opentofu/opentofu/version.dev=no"
}

# Needs no version stamp: talosctl carries its version as embedded data of its own module.
make_talosctl() {
    go_tool talosctl talosctl github.com/siderolabs/talos/cmd/talosctl ""
}

# Only where the machine has none: a terraform on PATH is what its user runs, so it is what gets tested.
make_terraform() {
    if command -v terraform >/dev/null 2>&1; then
        return
    fi
    go_tool terraform terraform github.com/hashicorp/terraform \
        "-X github.com/hashicorp/terraform/version.dev=no"
}

make_tfplugindocs() {
    go_tool tfplugindocs tfplugindocs github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs ""
}

make_talos_node() {
    if [ -x "$here/../talos-node/build.sh" ]; then
        "$here/../talos-node/build.sh" "$tools"
    fi
}

# $1 module folder. A folder for each minor, so that two can be there side by side.
# Without the stamp the server says that its version is v0.0.0-master+$Format:%H$, which clients cannot parse.
make_control_plane() {
    if [ ! -d "$here/$1" ]; then
        echo "build.sh: no module in acceptance-tests/tools pins $1" >&2
        exit 2
    fi
    version=$(pinned "$1" k8s.io/kubernetes)
    minor=${version#v}
    minor=${minor%.*}
    for program in kube-apiserver kube-controller-manager kube-scheduler; do
        go_tool "kubernetes-$minor/$program" "$1" "k8s.io/kubernetes/cmd/$program" \
            "-X k8s.io/component-base/version.gitVersion=$version"
    done
}

# What does not depend on the version under test is there once, from the newest one's module.
make_kubernetes() {
    make_control_plane kubernetes
    go_tool etcd kubernetes go.etcd.io/etcd/server/v3 ""
    go_tool kwok kubernetes sigs.k8s.io/kwok/cmd/kwok ""
    go_tool kubectl kubernetes k8s.io/kubernetes/cmd/kubectl \
        "-X k8s.io/component-base/version.gitVersion=$(pinned kubernetes k8s.io/kubernetes)"
    if [ -n "${KUBERNETES:-}" ] && [ "$KUBERNETES" != "$minor" ]; then
        make_control_plane "kubernetes-$KUBERNETES"
    fi
}

make_helm() {
    version=$(pinned helm helm.sh/helm/v4)
    go_tool helm helm helm.sh/helm/v4/cmd/helm "-X helm.sh/helm/v4/internal/version.version=$version"
}

# What many clusters are still driven with, and what reads the same records.
make_helm3() {
    version=$(pinned helm3 helm.sh/helm/v3)
    go_tool helm3 helm3 helm.sh/helm/v3/cmd/helm "-X helm.sh/helm/v3/internal/version.version=$version"
}

make_actionlint() {
    go_tool actionlint actionlint github.com/rhysd/actionlint/cmd/actionlint ""
}

# What a page's script asks jq, without a jq of the machine.
make_gojq() {
    go_tool gojq gojq github.com/itchyny/gojq/cmd/gojq ""
}

# Our own, whose sources Go's cache watches: the program that packs and signs a release, and the tests' registry.
make_own() {
    (cd "$root/$2" && go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$tools/$1" .)
}

# $1 a command line and its minor, such as terraform-1.5: what `make matrix` runs beside the two that the tests run.
make_matrix() {
    case $1 in
    # These three are there for the tests as well: `terraform` above skips where the machine has one.
    terraform-1.8) go_tool terraform terraform github.com/hashicorp/terraform \
        "-X github.com/hashicorp/terraform/version.dev=no" ;;
    tofu-1.12) make_tofu ;;
    terraform-1.11) ;;
    terraform-*) go_tool "matrix/$1" "matrix/$1" github.com/hashicorp/terraform \
        "-X github.com/hashicorp/terraform/version.dev=no" ;;
    tofu-*) go_tool "matrix/$1" "matrix/$1" github.com/opentofu/opentofu/cmd/tofu \
        "-X github.com/opentofu/opentofu/version.dev=no" ;;
    esac
}

# From crates.io, at a version with its own lock file: $1 crate, $2 version, then options of cargo install.
cargo_tool() {
    crate=$1 version=$2
    shift 2
    stamp=$tools/.stamps/$crate
    if [ -x "$tools/bin/$crate" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$version" ]; then
        return
    fi
    started=$(date +%s)
    echo "building $crate ..."
    cargo install --quiet --root "$tools" --locked --force --version "$version" "$@" "$crate"
    echo "$version" >"$stamp"
    echo "built $crate in $(($(date +%s) - started)) s"
}

# Without its default features it has nothing that reaches a network, which the two checks that are run do not need.
make_cargo_deny() {
    cargo_tool cargo-deny 0.20.2 --no-default-features
}

make_cargo_cyclonedx() {
    cargo_tool cargo-cyclonedx 0.5.9
}

if [ $# -eq 0 ]; then
    set -- tofu talosctl terraform tfplugindocs talos-node cargo-deny kubernetes helm helm3 release registry actionlint gojq
fi
for name in "$@"; do
    case $name in
    tofu) make_tofu ;;
    talosctl) make_talosctl ;;
    terraform) make_terraform ;;
    tfplugindocs) make_tfplugindocs ;;
    talos-node) make_talos_node ;;
    cargo-deny) make_cargo_deny ;;
    kubernetes) make_kubernetes ;;
    kubernetes-*) make_control_plane "$name" ;;
    helm) make_helm ;;
    helm3) make_helm3 ;;
    actionlint) make_actionlint ;;
    gojq) make_gojq ;;
    release) make_own release release ;;
    registry) make_own registry acceptance-tests/registry ;;
    cargo-cyclonedx) make_cargo_cyclonedx ;;
    matrix)
        for folder in "$here"/matrix/*/; do
            make_matrix "$(basename "$folder")"
        done
        ;;
    matrix/*) make_matrix "${name#matrix/}" ;;
    *)
        echo "build.sh: no program is called $name" >&2
        exit 2
        ;;
    esac
done
