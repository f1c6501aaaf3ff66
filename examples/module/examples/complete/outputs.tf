output "nodes" {
  description = "What became of each node."
  value       = module.gpu.nodes
}
