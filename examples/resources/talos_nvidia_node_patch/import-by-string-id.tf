import {
  provider = nvidia
  to       = talos_nvidia_node_patch.training
  id       = "10.0.0.7"
}
