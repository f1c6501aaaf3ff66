#!/bin/sh
# Fails when the provider can print a summary that docs/guides/troubleshooting.md does not explain.
#
#   messages.sh [SOURCES]    the folder of the sources, src/provider unless another is named
#
# A summary is a string of the sources that begins with a capital letter, has several words (or is "Interrupted") and
# neither a stop nor a placeholder: a detail has them.
set -eu
cd "$(dirname "$0")/.."
page=docs/guides/troubleshooting.md
sources=${1:-src/provider}

found=$(mktemp)
trap 'rm -f "$found"' EXIT
for file in "$sources/texts.rs" $(find "$sources/texts" "$sources" -name '*.rs' -path '*texts*' ! -name words.rs) \
    $(find "$sources" -name 'schema*.rs' -o -path '*/schema/*.rs' -o -name 'configuration*.rs' -o -path '*/configuration/*.rs' -o -name import.rs); do
    # Tests stand last. Names of stages and what a call says it was doing are no summaries.
    sed '/#\[cfg(test)\]/,$d; /MachineStage::/d' "$file" |
        grep -oE '"(Interrupted|[A-Z][A-Za-z0-9]*( [^"{}`.\\ ]+)+)"\)?[,;](.*limit)?' | grep -v limit || true
done | sed 's/^"//; s/".*$//' | sort -u >"$found"

if [ "$(wc -l <"$found")" -lt 80 ]; then
    echo "$0 finds $(wc -l <"$found") summaries, so it no longer knows how they are written" >&2
    exit 1
fi
missing=0
while read -r summary; do
    if ! grep -qFx "### $summary" "$page" && ! grep -qF "**$summary**" "$page"; then
        echo "$page says nothing of: $summary" >&2
        missing=1
    fi
done <"$found"
exit $missing
