package release

import "github.com/siderolabs/talos/pkg/machinery/config/validation"

// Metal is the runtime mode the validators are asked in: bare metal, Talos already installed on its disk.
type Metal struct{}

var _ validation.RuntimeMode = Metal{}

func (Metal) String() string { return "metal" }

// RequiresInstall is false on a node that runs from its disk, as in Talos's own wrapper of the mode.
func (Metal) RequiresInstall() bool { return false }

// InContainer is false on metal.
func (Metal) InContainer() bool { return false }
