# The guide's object: pods ask for it with `runtimeClassName: nvidia`.
resource "nvidia_runtime_class" "nvidia" {}

# One that also keeps its pods on GPU nodes, and counts what the runtime uses beside the containers.
resource "nvidia_runtime_class" "training" {
  name = "nvidia-training"

  labels = {
    "app.kubernetes.io/part-of" = "gpu"
  }

  pod_overhead = {
    cpu    = "250m"
    memory = "120Mi"
  }

  scheduling = {
    node_selector = {
      "nvidia.com/gpu.present" = "true"
    }
    tolerations = [
      { key = "nvidia.com/gpu", operator = "Exists", effect = "NoSchedule" },
    ]
  }
}
