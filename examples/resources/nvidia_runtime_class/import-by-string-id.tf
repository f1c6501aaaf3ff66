import {
  to = nvidia_runtime_class.nvidia
  id = "nvidia"
}
