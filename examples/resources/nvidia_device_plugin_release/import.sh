# By namespace and name, as `helm list --all-namespaces` shows them: version and values are read from helm's own record.
terraform import 'nvidia_device_plugin_release.guide' nvidia-device-plugin/nvidia-device-plugin
