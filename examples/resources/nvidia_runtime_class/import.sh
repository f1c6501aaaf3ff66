# By the name. What kubectl, Helm and the like have noted on it for themselves is not taken over.
terraform import 'nvidia_runtime_class.nvidia' nvidia
