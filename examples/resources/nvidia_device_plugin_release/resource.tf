resource "nvidia_runtime_class" "nvidia" {}

# The guide's call: `helm install nvidia-device-plugin nvdp/nvidia-device-plugin --version=0.13.0
# --set=runtimeClassName=nvidia`, in a namespace whose pod security lets the pods in.
resource "nvidia_device_plugin_release" "guide" {
  version            = "0.13.0"
  runtime_class_name = nvidia_runtime_class.nvidia.name
}

# A newer one, on labelled nodes alone, where four pods share each GPU. Done when two nodes offer GPUs.
resource "nvidia_device_plugin_release" "shared" {
  name               = "shared"
  namespace          = "gpu"
  version            = "0.17.4"
  runtime_class_name = nvidia_runtime_class.nvidia.name

  # Without it the chart looks for labels of node-feature-discovery; an empty one takes that away.
  affinity = {}
  node_selector = {
    "example.com/gpu" = "shared"
  }

  time_slicing = {
    resources = [{ name = "nvidia.com/gpu", replicas = 4 }]
  }

  wait_for        = "gpus"
  min_ready_nodes = 2
}
