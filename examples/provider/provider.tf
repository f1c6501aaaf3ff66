terraform {
  required_providers {
    nvidia = {
      source = "talos-gpu/nvidia"
    }
  }
}

provider "nvidia" {
  talos = {
    config_path    = "~/.talos/config"
    config_context = "prod"
  }

  # For the resources in the Kubernetes cluster. Each block is needed only by the resources that use it.
  kubernetes = {
    config_path    = "~/.kube/config"
    config_context = "prod"
  }
}
