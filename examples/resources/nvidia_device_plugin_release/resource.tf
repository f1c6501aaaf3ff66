# The guide's `helm install nvidia-device-plugin nvdp/nvidia-device-plugin --set=runtimeClassName=nvidia`, in a namespace of
# its own, whose label lets Talos run its pods.
resource "nvidia_device_plugin_release" "nvidia" {
  version            = "0.17.4"
  runtime_class_name = nvidia_runtime_class.nvidia.name

  # From 0.15.0 on the chart looks for labels that node feature discovery sets. In their place one that is set by hand.
  affinity = {}
  node_selector = {
    "nvidia.com/gpu.present" = "true"
  }

  # The apply ends when two nodes offer GPUs, or says what stands in the way.
  wait_for        = "gpus"
  min_ready_nodes = 2
}

# Another one for other nodes, where four pods share each GPU.
resource "nvidia_device_plugin_release" "shared" {
  name               = "nvidia-device-plugin-shared"
  namespace          = "nvidia-device-plugin-shared"
  version            = "0.17.4"
  runtime_class_name = nvidia_runtime_class.nvidia.name

  affinity = {}
  node_selector = {
    "example.com/gpu" = "shared"
  }

  time_slicing = {
    resources = [{ name = "nvidia.com/gpu", replicas = 4 }]
  }

  timeouts = {
    create = "5m"
  }
}
