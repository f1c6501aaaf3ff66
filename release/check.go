package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// Check says whether a registry would take the folder: every file has its name and its checksum, the checksums are signed
// by this key, each zip holds a program that is named as the command lines look for it, and the manifest names protocol 6.
func Check(folder, key string) error {
	sumsPath, err := sumsOf(folder)
	if err != nil {
		return err
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(sumsPath), Name+"_"), "_SHA256SUMS")
	sums, err := readSums(sumsPath)
	if err != nil {
		return err
	}
	if err := checkSums(folder, filepath.Base(sumsPath), sums); err != nil {
		return err
	}
	if err := checkManifest(filepath.Join(folder, manifestName(version))); err != nil {
		return err
	}
	for name := range sums {
		if rest, found := strings.CutPrefix(name, Name+"_"+version+"_"); found && strings.HasSuffix(rest, ".zip") {
			if err := checkZip(filepath.Join(folder, name), version, strings.TrimSuffix(rest, ".zip")); err != nil {
				return err
			}
		}
	}
	return checkSignature(sumsPath, key)
}

// Every file is listed, and every listed file is there as it was.
func checkSums(folder, sumsName string, sums map[string]string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if _, listed := sums[name]; !listed && name != sumsName && name != sumsName+".sig" {
			return fmt.Errorf("%s is not in %s", name, sumsName)
		}
	}
	for name, want := range sums {
		have, err := sumOf(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		if have != want {
			return fmt.Errorf("%s has the checksum %s, and %s says %s", name, have, sumsName, want)
		}
	}
	return nil
}

func checkManifest(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var manifest struct {
		Version  int
		Metadata struct {
			ProtocolVersions []string `json:"protocol_versions"`
		}
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if manifest.Version != 1 || !slices.Equal(manifest.Metadata.ProtocolVersions, []string{"6.0"}) {
		return fmt.Errorf("%s does not say protocol 6.0", filepath.Base(path))
	}
	return nil
}

func checkZip(path, version, platform string) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	defer archive.Close()
	var names []string
	for _, file := range archive.File {
		names = append(names, file.Name)
	}
	if want := []string{binaryName(version, platform), "LICENSE"}; !slices.Equal(names, want) {
		return fmt.Errorf("%s holds %q and not %q", filepath.Base(path), names, want)
	}
	if archive.File[0].Mode().Perm() != 0o755 {
		return fmt.Errorf("the program in %s cannot be run", filepath.Base(path))
	}
	return nil
}

func checkSignature(sums, key string) error {
	armoured, err := os.Open(key)
	if err != nil {
		return err
	}
	defer armoured.Close()
	ring, err := openpgp.ReadArmoredKeyRing(armoured)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	text, err := os.ReadFile(sums)
	if err != nil {
		return err
	}
	signature, err := os.ReadFile(sums + ".sig")
	if err != nil {
		return errors.New("the checksums are not signed: release sign")
	}
	if _, err := openpgp.CheckDetachedSignature(ring, bytes.NewReader(text), bytes.NewReader(signature), nil); err != nil {
		return fmt.Errorf("%s.sig: %w", filepath.Base(sums), err)
	}
	return nil
}
