# NAMESPACE/NAME of the release, as `helm list --all-namespaces` shows them.
terraform import 'nvidia_device_plugin_release.nvidia' nvidia-device-plugin/nvidia-device-plugin
