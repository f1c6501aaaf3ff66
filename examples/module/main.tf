# The work of the guide for NVIDIA GPUs on Talos, for the GPU nodes of one cluster. The provider is configured by whoever
# uses the module.

# `provider = nvidia` is needed because the type's name begins with `talos_`.
resource "talos_nvidia_node_patch" "this" {
  provider = nvidia
  for_each = var.gpu_nodes

  node            = each.value.address
  endpoint        = each.value.endpoint
  kernel_modules  = each.value.kernel_modules
  sysctls         = each.value.sysctls
  default_runtime = each.value.default_runtime
  apply_mode      = each.value.apply_mode
  extension_check = var.extension_check
}

# Made once the nodes can do what it promises.
resource "nvidia_runtime_class" "this" {
  count = var.runtime_class.enabled ? 1 : 0

  name = var.runtime_class.name
  scheduling = {
    node_selector = var.runtime_class.node_selector
  }

  depends_on = [talos_nvidia_node_patch.this]
}

resource "nvidia_device_plugin_release" "this" {
  count = var.device_plugin.enabled ? 1 : 0

  name               = var.device_plugin.name
  namespace          = var.device_plugin.namespace
  version            = var.device_plugin.version
  runtime_class_name = one(nvidia_runtime_class.this[*].name)

  # The chart's own affinity needs labels of node feature discovery.
  affinity      = {}
  node_selector = var.device_plugin.node_selector

  wait_for        = var.device_plugin.wait_for
  min_ready_nodes = length(var.gpu_nodes)
  timeouts = {
    create = var.device_plugin.timeout
    update = var.device_plugin.timeout
  }

  depends_on = [talos_nvidia_node_patch.this]
}

resource "nvidia_smoke_test" "this" {
  for_each = var.smoke_test.enabled ? var.gpu_nodes : {}

  name      = "nvidia-smoke-test-${each.key}"
  namespace = var.smoke_test.namespace
  node_name = each.key
  image     = var.smoke_test.image
  gpus      = var.smoke_test.gpus

  # An empty name: none, where containers get their GPUs without one.
  runtime_class_name = one(nvidia_runtime_class.this[*].name) == null ? "" : one(nvidia_runtime_class.this[*].name)

  triggers = merge(var.smoke_test.triggers, {
    talos_version = talos_nvidia_node_patch.this[each.key].talos_version
    device_plugin = one(nvidia_device_plugin_release.this[*].version) == null ? "" : one(nvidia_device_plugin_release.this[*].version)
  })

  timeouts = {
    create = var.smoke_test.timeout
  }
}

# Read after the apply has changed a node, and in each plan that changes none.
data "nvidia_driver_status" "this" {
  for_each = var.gpu_nodes

  node     = each.value.address
  endpoint = each.value.endpoint

  depends_on = [talos_nvidia_node_patch.this]
}
