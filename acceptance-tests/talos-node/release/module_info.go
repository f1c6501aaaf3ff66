package release

// LoadedModuleInfo is a module as the kernel has it.
type LoadedModuleInfo struct {
	Name       string
	Size       int
	References int
	Users      []string
	State      string
	Address    string
	Builtin    bool
}
