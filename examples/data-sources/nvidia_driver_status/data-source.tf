# `provider = nvidia` stands on the patch because its type's name begins with talos_; the data source needs none.
resource "talos_nvidia_node_patch" "gpu" {
  provider = nvidia
  for_each = toset(["10.0.0.5", "10.0.0.6"])
  node     = each.key
}

# Terraform reads a data source while it plans. With `depends_on`, a plan that changes a patch leaves the read to the
# apply, after the change, so what is checked below is the node as the apply has left it.
data "nvidia_driver_status" "gpu" {
  for_each = toset(["10.0.0.5", "10.0.0.6"])
  node     = each.key

  depends_on = [talos_nvidia_node_patch.gpu]
}

# Says in every plan and apply, as a warning, which nodes cannot use their GPUs, and why. It stops nothing.
check "gpus_can_be_used" {
  assert {
    condition = alltrue([for status in data.nvidia_driver_status.gpu : status.ready])
    error_message = join("\n", flatten([
      for node, status in data.nvidia_driver_status.gpu : [for problem in status.problems : "${node}: ${problem}"]
    ]))
  }
}

# One node that nothing may go on without: a postcondition is an error, and what depends on it is not touched.
data "nvidia_driver_status" "training" {
  node = "10.0.0.7"

  lifecycle {
    postcondition {
      condition     = self.ready && length(self.gpus) == 8
      error_message = join("\n", concat(["10.0.0.7 has ${length(self.gpus)} GPUs, not 8 that can be used."], self.problems))
    }
  }
}

output "drivers" {
  value = {
    for node, status in data.nvidia_driver_status.gpu : node => {
      ready  = status.ready
      driver = try("${status.driver.version} (${status.driver.flavor})", "none")
      gpus   = [for gpu in status.gpus : coalesce(gpu.model, gpu.product)]
    }
  }
}
