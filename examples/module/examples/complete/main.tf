# The whole of it: two nodes, one of them of its own kind, and a check that says in every plan what is wrong.

terraform {
  required_version = ">= 1.5"

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

module "gpu" {
  source = "../.."

  gpu_nodes = {
    gpu-1 = { address = "10.0.0.5" }
    gpu-2 = {
      address = "10.0.0.6"
      kernel_modules = [
        { name = "nvidia", parameters = ["NVreg_PreserveVideoMemoryAllocations=1"] },
        { name = "nvidia_uvm" },
        { name = "nvidia_drm" },
        { name = "nvidia_modeset" },
      ]
    }
  }
}

# A warning in each plan and apply for as long as a node cannot use its GPUs. It stops nothing.
check "gpus_can_be_used" {
  assert {
    condition     = module.gpu.ready
    error_message = join("\n", module.gpu.problems)
  }
}
