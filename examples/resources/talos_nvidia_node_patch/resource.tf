# The guide's four kernel modules and, up to Talos 1.12, its sysctl.
resource "talos_nvidia_node_patch" "gpu" {
  # The name starts with talos_, so without this line Terraform looks for a provider called talos.
  provider = nvidia

  for_each = toset(["10.0.0.5", "10.0.0.6"])
  node     = each.key
}

# A node of its own kind: a parameter, a further module, and nvidia as containerd's default runtime.
resource "talos_nvidia_node_patch" "training" {
  provider = nvidia
  node     = "10.0.0.7"

  kernel_modules = [
    { name = "nvidia", parameters = ["NVreg_OpenRmEnableUnsupportedGpus=1"] },
    { name = "nvidia_uvm" },
    { name = "nvidia_drm" },
    { name = "nvidia_modeset" },
    { name = "nvidia_peermem" },
  ]
  default_runtime = true

  # Up to Talos 1.13 the default runtime needs a reboot, and nothing reboots by surprise.
  apply_mode = "reboot"

  timeouts = {
    create = "20m"
  }
}
