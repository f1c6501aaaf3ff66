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
}
