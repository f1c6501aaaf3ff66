#!/usr/bin/env bash
# The main case (the guide's patch applied, its drift seen and mended, the node's bytes given back) on Talos 1.13 with
# every command line that the provider is tested with, and a table of what each said.
#
#   matrix.sh                  builds what is missing first, which takes up to an hour
#   matrix.sh --built          only those that are there
#   matrix.sh terraform-1.5 …  only these; `terraform` is the one on PATH, whatever it is
#
# Terraform 1.9, 1.10 and 1.12 to 1.14 are not in it: their modules point at folders that no module proxy serves, so
# they cannot be built from pins. Terraform 1.11 is the one on PATH, where it is that.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/tools
case_name=the_guides_patch_is_applied_its_drift_seen_and_mended_and_the_nodes_own_bytes_given_back
build=yes
if [ "${1:-}" = --built ]; then
    build=
    shift
fi
[ $# -gt 0 ] || set -- terraform-1.5 terraform-1.6 terraform-1.7 terraform-1.8 terraform-1.11 \
    tofu-1.6 tofu-1.8 tofu-1.9 tofu-1.10 tofu-1.12

# Where a command line is, whether it is there or not.
place() {
    case $1 in
    terraform-1.8) echo "$tools/terraform" ;;
    terraform | terraform-1.11) command -v terraform || true ;;
    tofu-1.12) echo "$tools/tofu" ;;
    *) echo "$tools/matrix/$1" ;;
    esac
}
# Empty where there is none. A clean environment: settings of the machine's user print warnings before the version.
version() {
    [ ! -x "$1" ] || env -i CHECKPOINT_DISABLE=1 "$1" version | sed -n '1s/^[A-Za-z]* v//p'
}

[ -z "$build" ] || acceptance-tests/tools/build.sh tofu talos-node
cargo test --quiet --locked --no-run --test acceptance
table=
failed=0
for name in "$@"; do
    [ -z "$build" ] || acceptance-tests/tools/build.sh "matrix/$name"
    program=$(place "$name")
    found=$(version "$program")
    result="not here" took=
    # Of terraform-1.5 it is 1.5., of terraform nothing.
    wanted=${name#"${name%%-*}"}
    wanted=${wanted#-}
    case $found in
    "") failed=1 ;;
    "${wanted:+$wanted.}"*)
        log=target/matrix-$name.log
        started=$(date +%s)
        result=passed
        cli=${name%-*}
        variable=ACCEPTANCE_$(echo "$cli" | tr '[:lower:]' '[:upper:]')
        if ! env "$variable=$program" cargo test --quiet --locked --test acceptance -- \
            --exact "the_guide::$case_name::$cli::on_talos_1_13" >"$log" 2>&1 || ! grep -q '1 passed' "$log"; then
            result="failed: $log"
            failed=1
        fi
        took="$(($(date +%s) - started)) s"
        ;;
    *)
        result="is $found"
        failed=1
        ;;
    esac
    echo "$name ${found:-} $result"
    table="$table$(printf '| %-9s | %-10s | %-20s | %5s |' "${name%-*}" "${found:-${name#*-}}" "$result" "$took")
"
done
printf '\n| %-9s | %-10s | %-20s | %5s |\n|---|---|---|---|\n%s' program version "Talos 1.13" took "$table"
exit $failed
