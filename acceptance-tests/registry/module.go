package main

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// modules answers for the modules in a folder: NAMESPACE/NAME/SYSTEM/VERSION/.
type modules struct {
	folder string
}

func (m modules) at(r *http.Request, more ...string) string {
	parts := []string{m.folder, r.PathValue("namespace"), r.PathValue("name"), r.PathValue("system")}
	return filepath.Join(append(parts, more...)...)
}

func (m modules) versions(w http.ResponseWriter, r *http.Request) {
	entries, err := os.ReadDir(m.at(r))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	versions := []map[string]string{}
	for _, entry := range entries {
		versions = append(versions, map[string]string{"version": entry.Name()})
	}
	answer(w, map[string]any{"modules": []any{map[string]any{"versions": versions}}})
}

// The answer has no body: where the module lies is a header, and may be relative.
func (m modules) download(w http.ResponseWriter, r *http.Request) {
	version := r.PathValue("version")
	if _, err := os.Stat(m.at(r, version)); err != nil {
		http.NotFound(w, r)
		return
	}
	where := fmt.Sprintf("/archive/%s/%s/%s/%s.tar.gz",
		r.PathValue("namespace"), r.PathValue("name"), r.PathValue("system"), version)
	w.Header().Set("X-Terraform-Get", where)
	w.WriteHeader(http.StatusNoContent)
}

func (m modules) archive(w http.ResponseWriter, r *http.Request) {
	version, found := strings.CutSuffix(r.PathValue("file"), ".tar.gz")
	folder := m.at(r, version)
	if _, err := os.Stat(folder); err != nil || !found {
		http.NotFound(w, r)
		return
	}
	packed := gzip.NewWriter(w)
	archive := tar.NewWriter(packed)
	if err := archive.AddFS(os.DirFS(folder)); err != nil {
		panic(http.ErrAbortHandler)
	}
	if archive.Close() != nil || packed.Close() != nil {
		panic(http.ErrAbortHandler)
	}
}
