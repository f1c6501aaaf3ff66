package main

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Neither registry takes a key of another kind, and HashiCorp's names RSA and DSA alone.
var signing = &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 3072, DefaultHash: crypto.SHA256}

// Sign writes the detached signature of the folder's checksums: binary, since the registries refuse an armoured one.
func Sign(folder, key, passphrase string) error {
	if key == "" {
		return errors.New("RELEASE_SIGNING_KEY holds no key: gpg --armor --export-secret-keys gives one")
	}
	entity, err := private(key, passphrase)
	if err != nil {
		return err
	}
	sums, err := sumsOf(folder)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(sums)
	if err != nil {
		return err
	}
	var signature bytes.Buffer
	if err := openpgp.DetachSign(&signature, entity, bytes.NewReader(text), signing); err != nil {
		return err
	}
	return os.WriteFile(sums+".sig", signature.Bytes(), 0o644)
}

// No error here names what RELEASE_SIGNING_KEY holds.
func private(key, passphrase string) (*openpgp.Entity, error) {
	entities, err := openpgp.ReadArmoredKeyRing(strings.NewReader(key))
	if err != nil {
		return nil, errors.New("RELEASE_SIGNING_KEY is not an armoured OpenPGP key")
	}
	if len(entities) != 1 || entities[0].PrivateKey == nil {
		return nil, errors.New("RELEASE_SIGNING_KEY is to hold one private key")
	}
	entity := entities[0]
	if !isRSA(entity) {
		return nil, errors.New("RELEASE_SIGNING_KEY is not an RSA key, and the registries take no other")
	}
	if err := entity.DecryptPrivateKeys([]byte(passphrase)); err != nil {
		return nil, errors.New("RELEASE_SIGNING_PASSPHRASE does not open RELEASE_SIGNING_KEY")
	}
	return entity, nil
}

func isRSA(entity *openpgp.Entity) bool {
	switch entity.PrimaryKey.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		return true
	default:
		return false
	}
}

// NewKey makes a key for a test and writes it: private.asc, public.asc, and its id, which registries announce with it.
func NewKey(folder string) error {
	entity, err := openpgp.NewEntity("A test of "+Name, "", "test@example.invalid", signing)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var secret, public bytes.Buffer
	if err := armored(&secret, openpgp.PrivateKeyType, func(w *bytes.Buffer) error { return entity.SerializePrivate(w, signing) }); err != nil {
		return err
	}
	if err := armored(&public, openpgp.PublicKeyType, func(w *bytes.Buffer) error { return entity.Serialize(w) }); err != nil {
		return err
	}
	files := map[string][]byte{
		"private.asc": secret.Bytes(),
		"public.asc":  public.Bytes(),
		"key-id":      []byte(entity.PrimaryKey.KeyIdString()),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func armored(out *bytes.Buffer, kind string, write func(*bytes.Buffer) error) error {
	var plain bytes.Buffer
	if err := write(&plain); err != nil {
		return err
	}
	encoder, err := armor.Encode(out, kind, nil)
	if err != nil {
		return err
	}
	if _, err := encoder.Write(plain.Bytes()); err != nil {
		return err
	}
	return encoder.Close()
}

// sumsOf finds the one file of checksums in a folder.
func sumsOf(folder string) (string, error) {
	found, err := filepath.Glob(filepath.Join(folder, Name+"_*_SHA256SUMS"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%s holds %d files of checksums and not one", folder, len(found))
	}
	return found[0], nil
}
