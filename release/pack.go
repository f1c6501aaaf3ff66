package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Name is the provider's, as its repository and its files begin.
const Name = "terraform-provider-nvidia"

// What both registries read as a version: three numbers, and perhaps a pre-release.
var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// Go's names of systems and processors, which are the registries' names too.
var platform = regexp.MustCompile(`^[a-z]+_[a-z0-9]+$`)

// Release is what Pack makes files of.
type Release struct {
	Version  string
	Time     time.Time
	License  string
	Manifest string
	Out      string
	With     []string
	Builds   []Build
}

// Build is the binary for one platform.
type Build struct {
	// Such as linux_amd64.
	Platform string
	Binary   string
}

// ParseBuild reads OS_ARCH=BINARY.
func ParseBuild(word string) (Build, error) {
	name, binary, found := strings.Cut(word, "=")
	if !found || !platform.MatchString(name) || binary == "" {
		return Build{}, fmt.Errorf("%q is not OS_ARCH=BINARY", word)
	}
	return Build{Platform: name, Binary: binary}, nil
}

// The file names are the registries' rule.
func zipName(version, platform string) string {
	return fmt.Sprintf("%s_%s_%s.zip", Name, version, platform)
}
func manifestName(version string) string { return fmt.Sprintf("%s_%s_manifest.json", Name, version) }
func sumsName(version string) string     { return fmt.Sprintf("%s_%s_SHA256SUMS", Name, version) }

func binaryName(version, platform string) string {
	suffix := ""
	if strings.HasPrefix(platform, "windows_") {
		suffix = ".exe"
	}
	return fmt.Sprintf("%s_v%s%s", Name, version, suffix)
}

// Pack writes the zips, the manifest, what With names, and the checksums of all of them. The same input gives the same
// bytes on any day and in any folder.
func (r Release) Pack() error {
	if !semver.MatchString(r.Version) {
		return fmt.Errorf("%q is not a version like 1.2.3", r.Version)
	}
	if len(r.Builds) == 0 {
		return errors.New("no binary is named: OS_ARCH=BINARY")
	}
	if err := os.MkdirAll(r.Out, 0o755); err != nil {
		return err
	}
	var names []string
	for _, build := range r.Builds {
		name := zipName(r.Version, build.Platform)
		if err := r.zip(filepath.Join(r.Out, name), build); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		names = append(names, name)
	}
	copies := map[string]string{manifestName(r.Version): r.Manifest}
	for _, file := range r.With {
		copies[filepath.Base(file)] = file
	}
	for name, from := range copies {
		if err := copyFile(filepath.Join(r.Out, name), from); err != nil {
			return err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return writeSums(filepath.Join(r.Out, sumsName(r.Version)), r.Out, names)
}

// The binary stands first: a reader that wants no more than that needs to read no further.
func (r Release) zip(path string, build Build) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	archive := zip.NewWriter(out)
	binary := binaryName(r.Version, build.Platform)
	if err := r.put(archive, binary, build.Binary, 0o755); err != nil {
		return err
	}
	if err := r.put(archive, "LICENSE", r.License, 0o644); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return out.Close()
}

// Nothing of the file but its bytes goes in: not its own time, owner or mode.
func (r Release) put(archive *zip.Writer, name, from string, mode os.FileMode) error {
	header := zip.FileHeader{Name: name, Method: zip.Deflate, Modified: r.Time}
	header.SetMode(mode)
	entry, err := archive.CreateHeader(&header)
	if err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(entry, in)
	return err
}

func copyFile(to, from string) error {
	bytes, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, bytes, 0o644)
}
