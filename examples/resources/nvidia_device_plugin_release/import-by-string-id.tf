import {
  to = nvidia_device_plugin_release.nvidia
  id = "nvidia-device-plugin/nvidia-device-plugin"
}
