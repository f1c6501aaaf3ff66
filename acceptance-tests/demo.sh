#!/usr/bin/env bash
# The guide's work with the real terraform, on a test node made of Talos's own modules and on a real Kubernetes control
# plane whose nodes and pods are played: apply, edits by hand in both, the one plan that shows them, the apply that mends
# them, the driver's status, destroy, and the node's own bytes back. It leaves nothing behind.
#
#   demo.sh [terraform|tofu] [1.8 ... 1.14]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cli=${1:-terraform}
talos=${2:-1.12}
tools=$root/target/tools
node=10.0.0.5

# Only what this needs, so that a fresh machine waits for no more than that.
"$root/acceptance-tests/tools/build.sh" "$cli" talosctl kubernetes
"$root/acceptance-tests/talos-node/build.sh" "$tools" "$talos"
(cd "$root" && cargo build --quiet --locked --package cluster --bin cluster)
program=$tools/$cli
if [ "$cli" = terraform ]; then program=$(command -v terraform || echo "$program"); fi

work=$(mktemp -d)
processes=()
leave() {
    # By their ids, and waited for: nothing of the demo outlives it.
    for process in "${processes[@]}"; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap leave EXIT

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() {
    echo "\$ $cli $*"
    (cd "$work/demo" && "$program" "$@")
}

# A node of Talos with one GPU and the extensions that the guide asks for.
echo '{"nodes": [{"name": "10.0.0.5", "hostname": "gpu-1"}]}' >"$work/script.json"
"$tools/talos-node-$talos" --listen 127.0.0.1:0 --dir "$work/node" --script "$work/script.json" \
    --log "$work/calls.jsonl" >"$work/ready" &
processes+=($!)

# A control plane. It ends with its input, which only this script holds: so it ends however this script does.
mkdir "$work/kubernetes"
mkfifo "$work/held"
exec 9<>"$work/held"
"${CARGO_TARGET_DIR:-$root/target}/debug/cluster" --dir "$work/kubernetes" >"$work/cluster-ready" <"$work/held" 9>&- &
processes+=($!)
until grep -q '^ready ' "$work/ready" && grep -q '^ready ' "$work/cluster-ready"; do
    for process in "${processes[@]}"; do kill -0 "$process"; done
    sleep 0.05
done
kubectl() { "$tools/kubectl" --kubeconfig "$work/kubernetes/kubeconfig" "$@"; }
# The same node as the cluster sees it: its GPU can be had once a device plugin runs. And what nvidia-smi will print there.
kubectl create --filename - >/dev/null <<END
apiVersion: v1
kind: Node
metadata:
  name: gpu-1
  labels: {kubernetes.io/hostname: gpu-1, nvidia.com/gpu.present: "true"}
  annotations: {kwok.x-k8s.io/node: fake, node.test/gpus: "1"}
status:
  capacity: {cpu: "8", memory: 32Gi, pods: "110"}
  allocatable: {cpu: "8", memory: 32Gi, pods: "110"}
  nodeInfo: {osImage: Talos (v$talos.0), architecture: amd64, operatingSystem: linux, kernelVersion: "", containerRuntimeVersion: "",
    kubeletVersion: "", kubeProxyVersion: "", bootID: "", machineID: "", systemUUID: ""}
END
kubectl label namespace default pod.test/scripted= >/dev/null
kubectl annotate namespace default pod.test/log="$(cat "$root/acceptance-tests/demo-nvidia-smi.txt")" >/dev/null
talosctl() { "$tools/talosctl" --talosconfig "$work/node/talosconfig" --nodes "$node" "$@"; }
configuration() { talosctl get machineconfig v1alpha1 --output 'jsonpath={.spec}'; }

# The provider as it was built just now, laid out as a mirror, so that `init` finds it as it would in a registry; and an
# environment without the user's settings.
case $cli in
tofu) registry=registry.opentofu.org ;;
*) registry=registry.terraform.io ;;
esac
version=$("$root/release/version.sh")
package=$work/mirror/$registry/talos-gpu/nvidia/$version/$(go env GOOS)_$(go env GOARCH)
mkdir -p "$package" "$work/home"
cp "${CARGO_TARGET_DIR:-$root/target}/release/terraform-provider-nvidia" "$package/terraform-provider-nvidia_v$version"
cat >"$work/cli.tfrc" <<END
provider_installation {
  filesystem_mirror {
    path = "$work/mirror"
  }
}
END
cp -R "$root/examples/demo" "$work/demo"
export TF_CLI_CONFIG_FILE=$work/cli.tfrc CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0 HOME=$work/home
export TF_VAR_talosconfig=$work/node/talosconfig TF_VAR_gpu_nodes="[\"$node\"]"
export TF_VAR_kubeconfig=$work/kubernetes/kubeconfig
unset TALOSCONFIG KUBECONFIG KUBE_CONFIG_PATH KUBE_CONFIG_PATHS TF_LOG TF_CLI_ARGS TF_DATA_DIR TF_WORKSPACE
bold= plain=
if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    export TF_CLI_ARGS=-no-color
fi

say "Node $node runs Talos $talos and has nothing of NVIDIA in its configuration"
configuration >"$work/before"
grep -c nvidia "$work/before" | sed 's/$/ lines of its configuration name nvidia/' || true

say "The guide, as code: patch, runtime class, device plugin, nvidia-smi in a pod"
run init
run apply -auto-approve

say "Planned again: nothing to do"
run plan -detailed-exitcode

say "Somebody takes a module out of the node's configuration, by hand"
echo "\$ talosctl edit machineconfig"
cat >"$work/editor" <<'END'
#!/bin/sh
# Up to 1.13 an entry of a list, from 1.14 on a document of its own.
awk '
    function flush() { if (keep) printf "%s", document; document = ""; keep = 1 }
    BEGIN { keep = 1 }
    /^---$/ { flush() }
    /^ *- name: nvidia_uvm$/ { next }
    /^name: nvidia_uvm$/ { keep = 0 }
    { document = document $0 "\n" }
    END { flush() }
' "$1" >"$1.edited"
diff "$1" "$1.edited"
cat "$1.edited" >"$1"
rm "$1.edited"
END
chmod +x "$work/editor"
EDITOR=$work/editor talosctl edit machineconfig --mode no-reboot

say "Somebody sends the runtime class's pods to other nodes, and takes another image for the device plugin"
echo "\$ kubectl patch runtimeclass nvidia; kubectl set image daemonset nvidia-device-plugin"
kubectl patch runtimeclass nvidia --type merge --patch '{"scheduling": {"nodeSelector": {"nvidia.com/gpu.present": "maybe"}}}'
kubectl --namespace nvidia-device-plugin set image daemonset/nvidia-device-plugin \
    nvidia-device-plugin-ctr=nvcr.io/nvidia/k8s-device-plugin:latest

say "One plan shows all of it"
code=0
run plan -detailed-exitcode -out=mend || code=$?
if [ "$code" -ne 2 ]; then
    echo "the plan does not show the edits: exit code $code" >&2
    exit 1
fi

say "The apply mends them"
run apply mend
run plan -detailed-exitcode

say "What the driver of the node is now"
run output drivers

say "And all of it is taken back"
run destroy -auto-approve
for object in runtimeclass/nvidia namespace/nvidia-device-plugin; do
    if kubectl get "$object" >/dev/null 2>&1; then
        echo "$object is still there" >&2
        exit 1
    fi
done
configuration >"$work/after"
cmp "$work/before" "$work/after"
say "the node's configuration is byte for byte what it was ($(wc -c <"$work/after" | tr -d ' ') bytes)"
