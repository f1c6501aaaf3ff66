# What `make demo` applies: the guide's work, for the GPU nodes of a cluster and for the cluster itself.

terraform {
  required_providers {
    nvidia = {
      source = "talos-gpu/nvidia"
    }
  }
}

provider "nvidia" {
  talos = {
    config_path = var.talosconfig
  }
  kubernetes = {
    config_path = var.kubeconfig
  }
}

# Loads NVIDIA's kernel modules and sets what the guide sets, on each node, without a reboot.
#
# `provider = nvidia` is needed because the type's name begins with `talos_`: without it Terraform looks for a provider
# that is called `talos`.
resource "talos_nvidia_node_patch" "gpu" {
  provider = nvidia
  for_each = var.gpu_nodes

  node = each.value
}

# Pods that ask for `runtimeClassName: nvidia` get NVIDIA's runtime, on nodes that have a GPU. It is made when the nodes
# can do what it promises.
resource "nvidia_runtime_class" "nvidia" {
  scheduling = {
    node_selector = {
      "nvidia.com/gpu.present" = "true"
    }
  }

  depends_on = [talos_nvidia_node_patch.gpu]
}

# The device plugin offers the nodes' GPUs to pods: what `helm install` does in the guide. The apply goes on when a node
# has GPUs to give.
resource "nvidia_device_plugin_release" "nvidia" {
  version            = "0.17.4"
  runtime_class_name = nvidia_runtime_class.nvidia.name
  wait_for           = "gpus"
}

# nvidia-smi in a pod, as the guide ends. It runs again when Talos was upgraded on one of the nodes, and when the device
# plugin was.
resource "nvidia_smoke_test" "gpu" {
  runtime_class_name = nvidia_runtime_class.nvidia.name

  triggers = merge(
    { device_plugin = nvidia_device_plugin_release.nvidia.version },
    { for node, patch in talos_nvidia_node_patch.gpu : node => patch.talos_version },
  )
}

# What is there of the driver on each node, read after the patch has changed it.
data "nvidia_driver_status" "gpu" {
  for_each = var.gpu_nodes
  node     = each.value

  depends_on = [talos_nvidia_node_patch.gpu]
}

# A warning in each plan and apply for as long as a node cannot use its GPUs.
check "gpus_can_be_used" {
  assert {
    condition = alltrue([for status in data.nvidia_driver_status.gpu : status.ready])
    error_message = join("\n", flatten([
      for node, status in data.nvidia_driver_status.gpu : [for problem in status.problems : "${node}: ${problem}"]
    ]))
  }
}
