// Package configcheck lets Talos's own parser of one minor judge machine configurations for other programs, many in
// one process. Its protocol is in the README of the test node.
package configcheck

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"gopkg.in/yaml.v3"

	"talos-node/release"
)

// Module, File and Customization are the JSON of one answer line.
type (
	Module struct {
		Name       string   `json:"name"`
		Parameters []string `json:"parameters"`
	}
	File struct {
		Path        string `json:"path"`
		Op          string `json:"op"`
		Permissions string `json:"permissions"`
		Content     string `json:"content"`
	}
	Customization struct {
		Name    string `json:"name"`
		Content string `json:"content"`
	}
)

// Answer is what Talos makes of one configuration.
type Answer struct {
	OK             bool              `json:"ok"`
	Error          string            `json:"error"`
	Valid          bool              `json:"valid"`
	Invalid        string            `json:"invalid"`
	Warnings       []string          `json:"warnings"`
	Documents      []string          `json:"documents"`
	Modules        []Module          `json:"modules"`
	Sysctls        map[string]string `json:"sysctls"`
	Files          []File            `json:"files"`
	Customizations []Customization   `json:"cri_customizations"`
	RestSHA256     string            `json:"canonical_sha_of_rest"`
}

// Run answers every configuration of in with one JSON line, in order.
func Run(in io.Reader, out io.Writer) error {
	reader := bufio.NewReaderSize(in, 1<<20)
	writer := bufio.NewWriter(out)
	answers := json.NewEncoder(writer)
	answers.SetEscapeHTML(false)

	for {
		data, err := next(reader)
		if errors.Is(err, io.EOF) {
			return writer.Flush()
		}

		if err != nil {
			return err
		}

		if err := answers.Encode(Check(data)); err != nil {
			return err
		}

		// A caller that asks one at a time must not wait for a full buffer.
		if reader.Buffered() == 0 {
			if err := writer.Flush(); err != nil {
				return err
			}
		}
	}
}

// next reads one record: its length in decimal, a newline, and that many bytes.
func next(reader *bufio.Reader) ([]byte, error) {
	line, err := reader.ReadString('\n')
	if err != nil {
		if line != "" {
			return nil, fmt.Errorf("length line %q has no newline", line)
		}

		return nil, err
	}

	length, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || length < 0 {
		return nil, fmt.Errorf("length line %q is no number", line)
	}

	data := make([]byte, length)
	if _, err := io.ReadFull(reader, data); err != nil {
		return nil, fmt.Errorf("configuration of %d bytes: %w", length, err)
	}

	return data, nil
}

// Check parses and validates one configuration.
func Check(data []byte) (answer Answer) {
	answer = Answer{
		Warnings: []string{}, Documents: []string{}, Modules: []Module{}, Sysctls: map[string]string{},
		Files: []File{}, Customizations: []Customization{},
	}

	// The old decoders panic on some inputs; the caller wants a line, not a dead process.
	defer func() {
		if caught := recover(); caught != nil {
			answer.OK, answer.Error = false, fmt.Sprintf("panic: %v", caught)
		}
	}()

	cfg, err := configloader.NewFromBytes(data)
	if err != nil {
		answer.Error = err.Error()

		return answer
	}

	if err := answer.view(cfg); err != nil {
		answer.Error = err.Error()

		return answer
	}

	answer.OK = true

	warnings, err := release.Validate(cfg, release.Metal{})
	answer.Warnings = append(answer.Warnings, warnings...)
	answer.Valid = err == nil

	if err != nil {
		answer.Invalid = err.Error()
	}

	return answer
}

func (answer *Answer) view(cfg config.Provider) error {
	for _, doc := range cfg.Documents() {
		answer.Documents = append(answer.Documents, doc.APIVersion()+"/"+doc.Kind())
	}

	for _, m := range release.Modules(cfg) {
		answer.Modules = append(answer.Modules, Module{Name: m.Name, Parameters: append([]string{}, m.Parameters...)})
	}

	for key, value := range release.Sysctls(cfg) {
		answer.Sysctls[key] = value
	}

	files, err := release.Files(cfg)
	if err != nil {
		return err
	}

	for _, f := range files {
		answer.Files = append(answer.Files, File{
			Path: f.Path, Op: f.Op, Permissions: fmt.Sprintf("%#o", f.Permissions), Content: f.Content,
		})
	}

	for _, c := range release.CRICustomizations(cfg) {
		answer.Customizations = append(answer.Customizations, Customization{Name: c.Name, Content: c.Content})
	}

	answer.RestSHA256, err = rest(cfg)

	return err
}

// ownKinds are the documents that hold nothing but what the provider may own.
var ownKinds = map[string]bool{"KernelModuleConfig": true, "SysctlConfig": true, "CRICustomizationConfig": true}

// rest is a digest of everything in the configuration but modules, sysctls, files and CRI fragments, as Talos reads it:
// two configurations with the same digest differ for Talos in those alone.
func rest(cfg config.Provider) (string, error) {
	encoded, err := cfg.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	if err != nil {
		return "", err
	}

	digest := sha256.New()
	decoder := yaml.NewDecoder(bytes.NewReader(encoded))

	for {
		doc := map[string]any{}
		if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}

		if kind, _ := doc["kind"].(string); ownKinds[kind] {
			continue
		}

		if machine, ok := doc["machine"].(map[string]any); ok {
			delete(machine, "sysctls")
			delete(machine, "files")

			if kernel, ok := machine["kernel"].(map[string]any); ok {
				delete(kernel, "modules")

				if len(kernel) == 0 {
					delete(machine, "kernel")
				}
			} else {
				delete(machine, "kernel")
			}
		}

		text, err := json.Marshal(doc)
		if err != nil {
			return "", err
		}

		digest.Write(text)
		digest.Write([]byte{0})
	}

	return hex.EncodeToString(digest.Sum(nil)), nil
}
