variable "talosconfig" {
  description = "Path of the talosconfig that reaches the nodes."
  type        = string
}

variable "gpu_nodes" {
  description = "Addresses of the nodes that have a GPU."
  type        = set(string)
}
