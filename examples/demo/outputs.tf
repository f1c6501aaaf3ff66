output "modules" {
  description = "For each node, what became of each kernel module."
  value       = { for address, patch in talos_nvidia_node_patch.gpu : address => patch.module_state }
}

output "talos_versions" {
  description = "For each node, the version of Talos that it runs."
  value       = { for address, patch in talos_nvidia_node_patch.gpu : address => patch.talos_version }
}
