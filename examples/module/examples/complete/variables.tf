variable "talosconfig" {
  description = "Path of the talosconfig that reaches the nodes."
  type        = string
}

variable "kubeconfig" {
  description = "Path of the kubeconfig of the cluster that the nodes belong to."
  type        = string
}
