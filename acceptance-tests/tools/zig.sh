#!/bin/sh
# Puts zig and cargo-zigbuild into target/tools/zig, at the versions and checksums of release/zig.txt, from PyPI.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
there=$root/target/tools/zig
wanted=$(cksum <"$root/release/zig.txt")
if [ "$(cat "$there/.stamp" 2>/dev/null)" = "$wanted" ]; then
    exit
fi
if ! [ "$(uname -sm)" = "Linux x86_64" ]; then
    echo "zig.sh: a release is built on Linux on amd64, since release/zig.txt pins its files" >&2
    exit 1
fi
rm -rf "$there"
python3 -m venv "$there"
"$there/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$root/release/zig.txt"
echo "$wanted" >"$there/.stamp"
