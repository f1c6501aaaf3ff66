# The last step of the guide: nvidia-smi in a pod, once the modules, the runtime class and the device plugin are there.
# The apply fails when it does, and says why.
resource "nvidia_smoke_test" "gpu" {
  runtime_class_name = nvidia_runtime_class.nvidia.name

  # It runs again when Talos was upgraded on one of the nodes, and when the device plugin was.
  triggers = {
    talos         = join(" ", values(talos_nvidia_node_patch.gpu)[*].talos_version)
    device_plugin = nvidia_device_plugin_release.nvidia.version
  }
}

# Each node by itself, with what it has.
resource "nvidia_smoke_test" "node" {
  for_each = toset(["gpu-1", "gpu-2"])

  name      = "nvidia-smoke-test-${each.key}"
  node_name = each.key
  command   = ["nvidia-smi", "-L"]

  timeouts = {
    create = "5m"
  }

  depends_on = [nvidia_smoke_test.gpu]
}

output "gpus" {
  value = { for name, test in nvidia_smoke_test.node : name => test.detected_gpus }
}
