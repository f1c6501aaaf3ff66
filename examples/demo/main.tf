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
