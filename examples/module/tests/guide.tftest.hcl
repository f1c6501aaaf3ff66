# The module from end to end, on nodes and a cluster that exist: TALOSCONFIG and KUBECONFIG name the ways to them. At its
# end `test` destroys what it made.

variables {
  gpu_nodes = {
    gpu-1 = { address = "10.0.0.5" }
    gpu-2 = { address = "10.0.0.6", endpoint = null }
  }
  smoke_test = { namespace = "default" }
}

provider "nvidia" {
  talos      = {}
  kubernetes = {}
}

run "the_guide_is_planned_without_changing_anything" {
  command = plan

  assert {
    condition     = keys(talos_nvidia_node_patch.this) == ["gpu-1", "gpu-2"]
    error_message = "there is one patch for each node"
  }
  assert {
    condition     = talos_nvidia_node_patch.this["gpu-1"].kernel_modules[*].name == tolist(["nvidia", "nvidia_uvm", "nvidia_drm", "nvidia_modeset"])
    error_message = "the modules are the guide's"
  }
}

run "the_guide_is_applied" {
  assert {
    condition     = output.ready && length(output.problems) == 0
    error_message = join("\n", output.problems)
  }
  assert {
    condition     = output.nodes["gpu-1"].modules["nvidia_uvm"] == "live" && !output.nodes["gpu-1"].pending_reboot
    error_message = "nvidia_uvm of gpu-1 is ${output.nodes["gpu-1"].modules["nvidia_uvm"]}"
  }
  assert {
    condition     = output.runtime_class_name == "nvidia"
    error_message = "pods ask for the runtime by the guide's name"
  }
  assert {
    condition     = output.device_plugin.id == "nvidia-device-plugin/nvidia-device-plugin"
    error_message = "the release is ${output.device_plugin.id}"
  }
  assert {
    condition     = length(output.smoke_tests["gpu-2"].gpus) > 0
    error_message = "nvidia-smi finds no GPU on gpu-2"
  }
}

# What is to be made or changed is unknown in a plan, and a condition on it fails: so all of this is as it stands.
run "a_second_plan_leaves_nothing_open" {
  command = plan

  assert {
    condition     = alltrue([for node in output.nodes : node.ready && !node.pending_reboot])
    error_message = join("\n", output.problems)
  }
  assert {
    condition     = alltrue([for test in output.smoke_tests : length(test.gpus) > 0])
    error_message = "the pods are to run again"
  }
}

run "from_talos_1_13_on_the_gpu_operator_does_what_class_and_plugin_did" {
  variables {
    runtime_class = { enabled = false }
    device_plugin = { enabled = false }
    smoke_test    = { enabled = false }
  }

  assert {
    condition     = output.runtime_class_name == null && output.device_plugin == null && length(output.smoke_tests) == 0
    error_message = "what is off is taken away"
  }
}
