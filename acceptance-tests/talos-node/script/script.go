// Package script is the JSON that tells a test node what machine it is and when to misbehave. It knows nothing of
// Talos; README.md documents every key.
package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Script is the whole file.
type Script struct {
	Endpoint string  `json:"endpoint"`
	Nodes    []Node  `json:"nodes"`
	Faults   []Fault `json:"faults"`
}

// Node is one machine.
type Node struct {
	Name        string             `json:"name"`
	Hostname    string             `json:"hostname"`
	Count       int                `json:"count"`
	Listen      string             `json:"listen"`
	Type        string             `json:"type"`
	Forwards    *bool              `json:"forwards"`
	UUID        string             `json:"uuid"`
	Version     string             `json:"version"`
	Config      string             `json:"config"`
	Comments    *bool              `json:"comments"`
	GPUs        *[]GPU             `json:"gpus"`
	Flavour     string             `json:"flavour"`
	Extensions  *[]Extension       `json:"extensions"`
	Schematic   *string            `json:"schematic"`
	Modules     map[string]Module  `json:"modules"`
	Files       map[string]*string `json:"files"`
	Services    []Service          `json:"services"`
	Sysctls     map[string]string  `json:"sysctls"`
	Maintenance *Maintenance       `json:"maintenance"`
	Reboot      Reboot             `json:"reboot"`
	Faults      []Fault            `json:"faults"`
}

// GPU is one PCI device of NVIDIA's.
type GPU struct {
	PCIAddress string         `json:"pci_address"`
	ProductID  string         `json:"product_id"`
	Product    string         `json:"product"`
	UUID       OptionalString `json:"uuid"`
	Driver     OptionalString `json:"driver"`
	Minor      *int           `json:"minor"`
	Firmware   string         `json:"firmware"`
	VideoBIOS  string         `json:"video_bios"`
}

// OptionalString tells an absent key from null and from a value.
type OptionalString struct {
	Set   bool
	Null  bool
	Value string
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *OptionalString) UnmarshalJSON(data []byte) error {
	o.Set = true

	if string(data) == "null" {
		o.Null = true

		return nil
	}

	return json.Unmarshal(data, &o.Value)
}

// Extension is a system extension as its status tells.
type Extension struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Author      string `json:"author"`
	Description string `json:"description"`
	ExtraInfo   string `json:"extra_info"`
}

// Module says how the kernel takes a module.
type Module struct {
	Fails      string `json:"fails"`
	FailsUntil int    `json:"fails_until"`
	Stays      string `json:"stays"`
	Available  bool   `json:"available"`
	Missing    bool   `json:"missing"`
	Builtin    bool   `json:"builtin"`
	Size       int64  `json:"size"`
	Unload     bool   `json:"unload"`
}

// Service replaces a service or adds one.
type Service struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Healthy *bool  `json:"healthy"`
	Unknown bool   `json:"unknown"`
	Message string `json:"message"`
	Remove  bool   `json:"remove"`
}

// Maintenance is true, or an object with the number of calls after which it ends.
type Maintenance struct {
	On        bool
	UntilCall int
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Maintenance) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &m.On) == nil {
		return nil
	}

	var object struct {
		UntilCall int `json:"until_call"`
	}

	if err := strict(data, &object); err != nil {
		return err
	}

	m.On, m.UntilCall = true, object.UntilCall

	return nil
}

// Reboot says how a machine comes back.
type Reboot struct {
	Refuse       int    `json:"refuse"`
	Never        bool   `json:"never"`
	Waits        bool   `json:"waits"`
	Exec         string `json:"exec"`
	BootingCalls int    `json:"booting_calls"`
	Lingers      int    `json:"lingers"`
	UUID         string `json:"uuid"`
}

// Write is what somebody else does to a node's configuration.
type Write struct {
	Append  string            `json:"append"`
	Replace []string          `json:"replace"`
	File    string            `json:"file"`
	Sysctl  map[string]string `json:"sysctl"`
	Mode    string            `json:"mode"`
}

// Fault is something that happens at a call's number.
type Fault struct {
	Node     string  `json:"node"`
	Method   string  `json:"method"`
	Resource string  `json:"resource"`
	Call     int     `json:"call"`
	Times    *int    `json:"times"`
	When     string  `json:"when"`
	Do       string  `json:"do"`
	Code     string  `json:"code"`
	Message  string  `json:"message"`
	Write    *Write  `json:"write"`
	Mode     string  `json:"mode"`
	Reboot   *Reboot `json:"reboot"`
	Path     string  `json:"path"`
	UUID     string  `json:"uuid"`
	Module   string  `json:"module"`
	Is       *Module `json:"is"`

	seen int
}

var deeds = map[string]bool{
	"unavailable": true, "drop": true, "busy": true, "denied": true, "error": true, "write": true, "reboot": true,
	"conflict": true, "stop": true, "exec": true, "kill": true, "hold": true, "uuid": true, "maintenance": true,
	"leave_maintenance": true, "module": true, "rollback": true,
}

// Check refuses what could never fire, so that a test does not pass by a typing error.
func (f *Fault) Check() error {
	if !deeds[f.Do] {
		return fmt.Errorf("fault: unknown do %q", f.Do)
	}

	if f.When == "" {
		f.When = "before"
	}

	if f.When != "before" && f.When != "after" {
		return fmt.Errorf("fault %s: when is before or after, not %q", f.Do, f.When)
	}

	if f.Call == 0 {
		f.Call = 1
	}

	switch {
	case f.Do == "write" && f.Write == nil:
		return fmt.Errorf("fault write: needs write")
	case f.Do == "exec" && f.Path == "":
		return fmt.Errorf("fault exec: needs path")
	case f.Do == "module" && (f.Module == "" || f.Is == nil):
		return fmt.Errorf("fault module: needs module and is")
	case f.Do == "error" && f.Code == "":
		return fmt.Errorf("fault error: needs code")
	}

	return nil
}

// Fires counts one matching call and says whether it is the fault's turn. The caller serialises.
func (f *Fault) Fires() bool {
	f.seen++

	times := 1
	if f.Times != nil {
		times = *f.Times
	}

	return f.seen >= f.Call && (times == 0 || f.seen < f.Call+times)
}

// Matches tells whether a call is one that the fault counts.
func (f *Fault) Matches(node, fullMethod, resource string) bool {
	if f.Node != "" && f.Node != node {
		return false
	}

	short := fullMethod[strings.LastIndexByte(fullMethod, '/')+1:]
	if f.Method != "" && f.Method != "*" && f.Method != short && f.Method != fullMethod {
		return false
	}

	if f.Resource == "" || f.Resource == resource {
		return true
	}

	return strings.HasPrefix(resource, f.Resource+"/")
}

// Load reads a script; the files it names are relative to it.
func Load(path string) (*Script, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}

	s, err := Parse(data, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}

	return s, nil
}

// Parse reads a script's text.
func Parse(data []byte, dir string) (*Script, error) {
	var s Script
	if err := strict(data, &s); err != nil {
		return nil, err
	}

	for i := range s.Faults {
		if err := s.Faults[i].finish(dir); err != nil {
			return nil, err
		}
	}

	var nodes []Node

	for _, n := range s.Nodes {
		if n.Name == "" {
			return nil, fmt.Errorf("a node has no name")
		}

		n.Config = relative(dir, n.Config)

		for i := range n.Faults {
			if err := n.Faults[i].finish(dir); err != nil {
				return nil, fmt.Errorf("node %s: %w", n.Name, err)
			}
		}

		nodes = append(nodes, n.expand()...)
	}

	s.Nodes = nodes

	return &s, nil
}

// ParseFault reads one fault.
func ParseFault(data []byte, dir string) (Fault, error) {
	var f Fault
	if err := strict(data, &f); err != nil {
		return f, err
	}

	return f, f.finish(dir)
}

func (f *Fault) finish(dir string) error {
	if f.Write != nil {
		f.Write.File = relative(dir, f.Write.File)

		if f.Write.Mode == "" {
			f.Write.Mode = f.Mode
		}
	}

	return f.Check()
}

// expand makes one node of each number when a node stands for many.
func (n Node) expand() []Node {
	if n.Count <= 1 && !strings.Contains(n.Name, "%d") {
		return []Node{n}
	}

	out := make([]Node, 0, n.Count)

	for i := range n.Count {
		one := n
		one.Count = 0
		one.Name = strings.ReplaceAll(n.Name, "%d", fmt.Sprint(i))
		one.Hostname = strings.ReplaceAll(n.Hostname, "%d", fmt.Sprint(i))
		one.Faults = append([]Fault(nil), n.Faults...)
		out = append(out, one)
	}

	return out
}

func relative(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}

	return filepath.Join(dir, path)
}

func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()

	return decoder.Decode(into)
}

// Strict decodes JSON and refuses unknown keys; the control side uses it for its bodies.
func Strict(data []byte, into any) error { return strict(data, into) }
