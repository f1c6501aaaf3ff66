#!/bin/sh
# Compares the objects of nvidia_device_plugin_release with real Helm's renders of the published charts.
# Usage: acceptance-tests/compare-renders.sh FOLDER     (values/NAME.yaml and out/VERSION/NAME.json, .err)
set -eu
folder=$(cd "${1:?usage: $0 FOLDER}" && pwd)
cd "$(dirname "$0")/.."
exec cargo run --quiet --locked --package provider --example compare-renders -- "$folder"
