module talos-node

go 1.26

require github.com/siderolabs/talos/pkg/machinery v1.9.5

require github.com/siderolabs/gen v0.8.5 // indirect
