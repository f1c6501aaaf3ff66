variable "gpu_nodes" {
  description = "The nodes that have GPUs, by the names that `kubectl get nodes` shows. `address` is where the Talos API reaches the node; what is left out has the provider's default."
  type = map(object({
    address  = string
    endpoint = optional(string)
    kernel_modules = optional(list(object({
      name       = string
      parameters = optional(list(string))
    })))
    sysctls         = optional(map(string))
    default_runtime = optional(bool)
    apply_mode      = optional(string)
  }))
  nullable = false

  validation {
    condition     = length(distinct(values(var.gpu_nodes)[*].address)) == length(var.gpu_nodes)
    error_message = "Two nodes of gpu_nodes have the same address."
  }
}

variable "extension_check" {
  description = "What to do when NVIDIA's extensions on a node do not fit: `error`, `warn` or `off`."
  type        = string
  default     = "error"
  nullable    = false
}

variable "runtime_class" {
  description = "The RuntimeClass by which pods ask for NVIDIA's runtime, and the labels of the nodes that its pods run on. Set `enabled = false` once every GPU node runs Talos 1.13 or newer."
  type = object({
    enabled       = optional(bool, true)
    name          = optional(string, "nvidia")
    node_selector = optional(map(string), { "nvidia.com/gpu.present" = "true" })
  })
  default  = {}
  nullable = false
}

variable "device_plugin" {
  description = "The release of NVIDIA's device plugin, on the nodes with `node_selector`. The apply waits until every GPU node offers `nvidia.com/gpu`. Set `enabled = false` where NVIDIA's GPU operator runs, as from Talos 1.13 on."
  type = object({
    enabled       = optional(bool, true)
    version       = optional(string, "0.17.4")
    name          = optional(string, "nvidia-device-plugin")
    namespace     = optional(string, "nvidia-device-plugin")
    node_selector = optional(map(string), { "nvidia.com/gpu.present" = "true" })
    wait_for      = optional(string, "gpus")
    timeout       = optional(string, "10m")
  })
  default  = {}
  nullable = false
}

variable "smoke_test" {
  description = "nvidia-smi in a pod on each GPU node, as a step of the apply. `gpus` is what the pod asks for: 1 tests the device plugin or the GPU operator too, 0 driver and runtime alone. It runs again when Talos was upgraded on the node, when the plugin was, and when `triggers` change."
  type = object({
    enabled   = optional(bool, true)
    namespace = optional(string, "default")
    image     = optional(string)
    gpus      = optional(number, 1)
    triggers  = optional(map(string), {})
    timeout   = optional(string, "10m")
  })
  default  = {}
  nullable = false
}
