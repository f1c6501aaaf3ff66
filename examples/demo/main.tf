# What `make demo` applies: the guide's node work for every GPU node of a cluster.

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
