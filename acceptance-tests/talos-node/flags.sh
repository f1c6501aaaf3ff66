#!/bin/sh
# Prints the flags that make go build or test this tree for one minor of Talos.
set -eu
number=${1#1.}
case "$number" in
14) echo "-mod=readonly -buildvcs=false" ;;
8 | 9 | 10 | 11 | 12 | 13)
	tags=
	n=$number
	while [ "$n" -le 13 ]; do
		tags="$tags${tags:+,}upto_1_$n"
		n=$((n + 1))
	done
	echo "-mod=readonly -buildvcs=false -modfile=versions/v1.$number.mod -tags=$tags"
	;;
*) echo "flags.sh: no module pins Talos $1" >&2; exit 1 ;;
esac
