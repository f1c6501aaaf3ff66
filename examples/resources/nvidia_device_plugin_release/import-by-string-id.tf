import {
  to = nvidia_device_plugin_release.guide
  id = "nvidia-device-plugin/nvidia-device-plugin"
}
