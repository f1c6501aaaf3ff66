package main

import (
	"archive/zip"
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// made packs a release of two platforms, from files with the given time.
func made(t *testing.T, fileTime time.Time) string {
	t.Helper()
	from, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	for name, text := range map[string]string{
		"binary":  "a program",
		"LICENSE": "terms",
		"parts":   "[]",
	} {
		path := filepath.Join(from, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, fileTime, fileTime); err != nil {
			t.Fatal(err)
		}
	}
	release := Release{
		Version:  "1.2.3",
		Time:     time.Unix(1_700_000_000, 0).UTC(),
		License:  filepath.Join(from, "LICENSE"),
		Manifest: "terraform-registry-manifest.json",
		Out:      out,
		With:     []string{filepath.Join(from, "parts")},
		Builds: []Build{
			{Platform: "linux_amd64", Binary: filepath.Join(from, "binary")},
			{Platform: "windows_amd64", Binary: filepath.Join(from, "binary")},
		},
	}
	if err := release.Pack(); err != nil {
		t.Fatal(err)
	}
	return out
}

func key(t *testing.T) (public, private string) {
	t.Helper()
	folder := t.TempDir()
	if err := NewKey(folder); err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(filepath.Join(folder, "private.asc"))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "public.asc"), string(secret)
}

func TestASignedReleaseIsWhatARegistryTakes(t *testing.T) {
	folder := made(t, time.Now())
	public, private := key(t)
	if err := Sign(folder, private, ""); err != nil {
		t.Fatal(err)
	}
	if err := Check(folder, public); err != nil {
		t.Fatal(err)
	}
	sums, err := readSums(filepath.Join(folder, "terraform-provider-nvidia_1.2.3_SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"terraform-provider-nvidia_1.2.3_linux_amd64.zip",
		"terraform-provider-nvidia_1.2.3_windows_amd64.zip",
		"terraform-provider-nvidia_1.2.3_manifest.json",
		"parts",
	} {
		if sums[name] == "" {
			t.Errorf("the checksums do not hold %s", name)
		}
	}
	signature, err := os.ReadFile(filepath.Join(folder, "terraform-provider-nvidia_1.2.3_SHA256SUMS.sig"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(signature, []byte("BEGIN PGP")) {
		t.Error("the signature is armoured, and the registries take a binary one")
	}
}

func TestProgramsAreNamedAsTheCommandLinesLookForThem(t *testing.T) {
	folder := made(t, time.Now())
	for platform, want := range map[string]string{
		"linux_amd64":   "terraform-provider-nvidia_v1.2.3",
		"windows_amd64": "terraform-provider-nvidia_v1.2.3.exe",
	} {
		archive, err := zip.OpenReader(filepath.Join(folder, zipName("1.2.3", platform)))
		if err != nil {
			t.Fatal(err)
		}
		defer archive.Close()
		if archive.File[0].Name != want {
			t.Errorf("%s holds %s and not %s", platform, archive.File[0].Name, want)
		}
	}
}

func TestTwoPacksOfTheSameFilesAreTheSameBytes(t *testing.T) {
	first := made(t, time.Now())
	second := made(t, time.Now().Add(-48*time.Hour))
	read := func(folder string) string {
		text, err := os.ReadFile(filepath.Join(folder, sumsName("1.2.3")))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if one, other := read(first), read(second); one != other {
		t.Errorf("the checksums differ:\n%s\n%s", one, other)
	}
}

func TestWhatARegistryWouldRefuseIsFound(t *testing.T) {
	public, private := key(t)
	other, _ := key(t)
	zipped := zipName("1.2.3", "linux_amd64")
	cases := map[string]struct {
		spoil func(folder string) error
		key   string
		says  string
	}{
		"a changed zip": {
			spoil: func(folder string) error { return os.WriteFile(filepath.Join(folder, zipped), []byte("else"), 0o600) },
			key:   public, says: zipped + " has the checksum",
		},
		"a file that is not listed": {
			spoil: func(folder string) error { return os.WriteFile(filepath.Join(folder, "more"), nil, 0o600) },
			key:   public, says: "more is not in",
		},
		"a file that is gone": {
			spoil: func(folder string) error { return os.Remove(filepath.Join(folder, zipped)) },
			key:   public, says: zipped,
		},
		"no signature": {
			spoil: func(folder string) error { return os.Remove(filepath.Join(folder, sumsName("1.2.3")+".sig")) },
			key:   public, says: "not signed",
		},
		"a signature by another key": {
			spoil: func(string) error { return nil },
			key:   other, says: "_SHA256SUMS.sig: openpgp",
		},
	}
	for name, check := range cases {
		t.Run(name, func(t *testing.T) {
			folder := made(t, time.Now())
			if err := Sign(folder, private, ""); err != nil {
				t.Fatal(err)
			}
			if err := check.spoil(folder); err != nil {
				t.Fatal(err)
			}
			if err := Check(folder, check.key); err == nil || !strings.Contains(err.Error(), check.says) {
				t.Errorf("says %v and not %q", err, check.says)
			}
		})
	}
}

func TestKeysThatNoRegistryTakesAreRefused(t *testing.T) {
	curve, err := openpgp.NewEntity("Curve", "", "curve@example.invalid", &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA256,
	})
	if err != nil {
		t.Fatal(err)
	}
	var secret bytes.Buffer
	write := func(w *bytes.Buffer) error { return curve.SerializePrivate(w, nil) }
	if err := armored(&secret, openpgp.PrivateKeyType, write); err != nil {
		t.Fatal(err)
	}
	for text, says := range map[string]string{
		"":              "holds no key",
		"words":         "not an armoured OpenPGP key",
		secret.String(): "not an RSA key",
	} {
		if err := Sign(t.TempDir(), text, ""); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("says %v and not %q", err, says)
		}
	}
}

func TestVersionsAndPlatformsThatNoRegistryReadsAreRefused(t *testing.T) {
	for _, version := range []string{"", "v1.2.3", "1.2", "01.2.3"} {
		if err := (Release{Version: version}).Pack(); err == nil || !strings.Contains(err.Error(), "not a version") {
			t.Errorf("%q: %v", version, err)
		}
	}
	for _, word := range []string{"linux_amd64", "linux-amd64=x", "=x", "linux_amd64="} {
		if _, err := ParseBuild(word); err == nil {
			t.Errorf("%q is taken", word)
		}
	}
}
