# What the module refuses before anything is asked.

provider "nvidia" {}

run "two_nodes_of_one_address_are_refused" {
  command = plan

  variables {
    gpu_nodes = {
      gpu-1 = { address = "10.0.0.5" }
      gpu-2 = { address = "10.0.0.5" }
    }
  }

  expect_failures = [var.gpu_nodes]
}
