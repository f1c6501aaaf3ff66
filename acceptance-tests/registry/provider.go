package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// provider answers for the one provider whose release lies in the folder.
type provider struct {
	release, key string
}

// found is what the names of the files in the folder say.
type found struct {
	// The file names' beginning: terraform-provider-TYPE_VERSION.
	prefix, version string
	platforms       []platform
}

type platform struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

func (p provider) find(kind string) (found, error) {
	sums, err := filepath.Glob(filepath.Join(p.release, "terraform-provider-"+kind+"_*_SHA256SUMS"))
	if err != nil || len(sums) != 1 {
		return found{}, errors.Join(err, fs.ErrNotExist)
	}
	prefix := strings.TrimSuffix(filepath.Base(sums[0]), "_SHA256SUMS")
	result := found{prefix: prefix, version: strings.TrimPrefix(prefix, "terraform-provider-"+kind+"_")}
	zips, err := filepath.Glob(filepath.Join(p.release, prefix+"_*_*.zip"))
	for _, path := range zips {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), prefix+"_"), ".zip")
		system, arch, _ := strings.Cut(name, "_")
		result.platforms = append(result.platforms, platform{OS: system, Arch: arch})
	}
	return result, err
}

// What the manifest says; a registry takes 5.0 for granted where there is none, and the command line then refuses ours.
func (p provider) protocols(prefix string) []string {
	var manifest struct {
		Metadata struct {
			ProtocolVersions []string `json:"protocol_versions"`
		} `json:"metadata"`
	}
	text, err := os.ReadFile(filepath.Join(p.release, prefix+"_manifest.json"))
	if err != nil || json.Unmarshal(text, &manifest) != nil {
		return []string{"5.0"}
	}
	return manifest.Metadata.ProtocolVersions
}

func (p provider) versions(w http.ResponseWriter, r *http.Request) {
	release, err := p.find(r.PathValue("type"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	answer(w, map[string]any{"versions": []any{map[string]any{
		"version": release.version, "protocols": p.protocols(release.prefix), "platforms": release.platforms,
	}}})
}

func (p provider) download(w http.ResponseWriter, r *http.Request) {
	release, err := p.find(r.PathValue("type"))
	name := fmt.Sprintf("%s_%s_%s.zip", release.prefix, r.PathValue("os"), r.PathValue("arch"))
	sum := p.sum(release.prefix, name)
	if err != nil || release.version != r.PathValue("version") || sum == "" {
		http.NotFound(w, r)
		return
	}
	key, keyErr := os.ReadFile(filepath.Join(p.key, "public.asc"))
	id, idErr := os.ReadFile(filepath.Join(p.key, "key-id"))
	if err := errors.Join(keyErr, idErr); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{
		"protocols":             p.protocols(release.prefix),
		"os":                    r.PathValue("os"),
		"arch":                  r.PathValue("arch"),
		"filename":              name,
		"download_url":          "/release/" + name,
		"shasum":                sum,
		"shasums_url":           "/release/" + release.prefix + "_SHA256SUMS",
		"shasums_signature_url": "/release/" + release.prefix + "_SHA256SUMS.sig",
		"signing_keys": map[string]any{"gpg_public_keys": []any{
			map[string]string{"key_id": string(id), "ascii_armor": string(key)},
		}},
	})
}

// sum is what the release's own checksums say of a file, and empty where they say nothing.
func (p provider) sum(prefix, name string) string {
	file, err := os.Open(filepath.Join(p.release, prefix+"_SHA256SUMS"))
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if sum, of, ok := strings.Cut(lines.Text(), "  "); ok && of == name {
			return sum
		}
	}
	return ""
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	// Who asked is gone when this fails.
	_ = json.NewEncoder(w).Encode(body)
}
