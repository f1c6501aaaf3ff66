output "modules" {
  description = "For each node, what became of each kernel module."
  value       = { for address, patch in talos_nvidia_node_patch.gpu : address => patch.module_state }
}

output "talos_versions" {
  description = "For each node, the version of Talos that it runs."
  value       = { for address, patch in talos_nvidia_node_patch.gpu : address => patch.talos_version }
}

output "drivers" {
  description = "For each node, whether it can use its GPUs, and the driver, modules and GPUs that it has."
  value = {
    for address, status in data.nvidia_driver_status.gpu : address => {
      ready    = status.ready
      problems = status.problems
      driver   = try("${status.driver.version} (${status.driver.flavor})", null)
      modules  = { for module in status.modules : module.name => module.state }
      gpus     = [for gpu in status.gpus : "${gpu.pci_address} ${coalesce(gpu.model, gpu.product)}"]
    }
  }
}

output "smoke_test" {
  description = "What nvidia-smi found in a pod."
  value       = "${nvidia_smoke_test.gpu.node}: driver ${nvidia_smoke_test.gpu.driver_version}, ${join(", ", nvidia_smoke_test.gpu.detected_gpus)}"
}
