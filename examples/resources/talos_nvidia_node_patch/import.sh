# By the node's address. What of the guide's patch stands on the node becomes the resource's own.
terraform import 'talos_nvidia_node_patch.training' 10.0.0.7
