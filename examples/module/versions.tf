terraform {
  required_version = ">= 1.5"

  required_providers {
    nvidia = {
      source = "talos-gpu/nvidia"
    }
  }
}
