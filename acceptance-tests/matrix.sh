#!/usr/bin/env bash
# The main case (the guide's patch applied, its drift seen and mended, the node's bytes given back) and both ways of an
# import, on Talos 1.13, with every command line that the provider is tested with; and a table of that and of what each
# has that the provider's pages use, which stands in templates/index.md.tmpl.
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
cases="the_guides_patch_is_applied_its_drift_seen_and_mended_and_the_nodes_own_bytes_given_back
    a_node_that_is_patched_already_is_imported_and_its_plan_is_empty"
# Terraform 1.5 and 1.6 and OpenTofu 1.6 pass over `provider = nvidia` in a block when they look for providers.
block_case=an_import_block_brings_a_patched_node_in_without_a_change
without_block="terraform-1.5 terraform-1.6 tofu-1.6"
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

# Whether a command line does this in a folder with this file: has PROGRAM FILE TEXT COMMAND [SAYS].
has() {
    local folder
    folder=$(mktemp -d)
    printf '%s\n' 'resource "terraform_data" "a" {' '  for_each = toset(["x"])' '}' >"$folder/main.tf"
    printf '%s\n' "$3" >"$folder/$2"
    if (cd "$folder" && env -i HOME="$folder" CHECKPOINT_DISABLE=1 "$1" "$4" -no-color 2>&1) | grep -q "${5:-configuration is valid}"; then
        echo yes
    else
        echo no
    fi
    rm -rf "$folder"
}
# The columns of what the pages use: an import block, for_each in one, a check block, the tests of a module.
features() {
    local one each check tests
    one=$(printf 'import {\n  to = terraform_data.a["x"]\n  id = "x"\n}')
    each=$(printf 'import {\n  for_each = toset(["x"])\n  to       = terraform_data.a[each.key]\n  id       = each.key\n}')
    check=$(printf 'check "c" {\n  assert {\n    condition     = length(terraform_data.a) == 1\n    error_message = "m"\n  }\n}')
    tests=$(printf 'run "a" {\n  command = plan\n}')
    printf '| %s | %s | %s | %s ' "$(has "$1" more.tf "$one" validate)" "$(has "$1" more.tf "$each" validate)" \
        "$(has "$1" more.tf "$check" validate)" "$(has "$1" a.tftest.hcl "$tests" test '1 passed')"
}

[ -z "$build" ] || acceptance-tests/tools/build.sh tofu talos-node
cargo test --quiet --locked --no-run --test acceptance
table=
failed=0
# Whether a case passes with the command line at hand; what it printed is in $log.
passes() {
    log=target/matrix-$name-$1.log
    env "$variable=$program" cargo test --quiet --locked --test acceptance -- \
        --exact "the_guide::$1::$cli::on_talos_1_13" >"$log" 2>&1 && grep -q '1 passed' "$log"
}
for name in "$@"; do
    [ -z "$build" ] || acceptance-tests/tools/build.sh "matrix/$name"
    program=$(place "$name")
    found=$(version "$program")
    result="not here" features="| | | | | "
    # Of terraform-1.5 it is 1.5., of terraform nothing.
    wanted=${name#"${name%%-*}"}
    wanted=${wanted#-}
    case $found in
    "") failed=1 ;;
    "${wanted:+$wanted.}"*)
        result=passed
        features=$(features "$program")
        cli=${name%-*}
        variable=ACCEPTANCE_$(echo "$cli" | tr '[:lower:]' '[:upper:]')
        for case in $cases; do
            if ! passes "$case"; then
                result="failed: $log"
                failed=1
            fi
        done
        block=no
        if passes "$block_case"; then block=yes; fi
        case " $without_block " in
        *" $name "*) expected=no ;;
        *) expected=yes ;;
        esac
        if [ $block != $expected ]; then
            block="$block, not $expected: $log"
            failed=1
        fi
        features="| $block $features"
        ;;
    *)
        result="is $found"
        failed=1
        ;;
    esac
    echo "$name ${found:-} $result"
    table="$table$(printf '| %-9s | %-10s | %-10s %s|' "${name%-*}" "${found:-${name#*-}}" "$result" "$features")
"
done
printf '\n| command line | version | patched, mended, imported | `import` block of a patch | of others | its `for_each` | `check` | `test` |\n'
printf '|---|---|---|---|---|---|---|---|\n%s' "$table"
exit $failed
