output "ready" {
  description = "Whether every node can use its GPUs: exactly when `problems` is empty."
  value       = alltrue([for status in data.nvidia_driver_status.this : status.ready])
}

output "problems" {
  description = "What keeps a node from using its GPUs, one sentence each with the node's name before it. For the error message of a `check` block."
  value = flatten([
    for name, status in data.nvidia_driver_status.this : [for problem in status.problems : "${name}: ${problem}"]
  ])
}

output "nodes" {
  description = "For each node: the Talos version, the driver, the GPUs, the state of each module, and whether part of the patch waits for the next boot."
  value = {
    for name, patch in talos_nvidia_node_patch.this : name => {
      talos_version  = patch.talos_version
      pending_reboot = patch.pending_reboot
      modules        = patch.module_state
      ready          = data.nvidia_driver_status.this[name].ready
      driver         = try("${data.nvidia_driver_status.this[name].driver.version} (${data.nvidia_driver_status.this[name].driver.flavor})", null)
      gpus           = [for gpu in data.nvidia_driver_status.this[name].gpus : coalesce(gpu.model, gpu.product)]
    }
  }
}

output "patches" {
  description = "For each node the patch as YAML, for `config_patches` of siderolabs/talos where that manages the node's configuration too."
  value       = { for name, patch in talos_nvidia_node_patch.this : name => patch.patch }
}

output "runtime_class_name" {
  description = "Name for `runtimeClassName` of pods; null where the module makes none."
  value       = one(nvidia_runtime_class.this[*].name)
}

output "device_plugin" {
  description = "The release of the device plugin: `namespace/name` and the chart's version; null where the module makes none."
  value       = one([for release in nvidia_device_plugin_release.this : { id = release.id, version = release.version }])
}

output "smoke_tests" {
  description = "For each node that was tested: the driver and the GPUs that nvidia-smi found in a pod."
  value = {
    for name, test in nvidia_smoke_test.this : name => {
      driver_version = test.driver_version
      cuda_version   = test.cuda_version
      gpus           = test.detected_gpus
    }
  }
}
