// Program release makes the files that the registries of Terraform and OpenTofu ask for, out of binaries that are built.
//
//	release pack --version V --time EPOCH --license FILE --manifest FILE --out DIR [--with FILE]... OS_ARCH=BINARY...
//	release sign DIR                 with the key in RELEASE_SIGNING_KEY (armoured; RELEASE_SIGNING_PASSPHRASE opens it)
//	release key --out DIR            a new key for a test: private.asc, public.asc, key-id
//	release check --key FILE DIR     whether a registry would take DIR, signature included
//
// It is Go because Go is needed here anyway: its library has zip, and the one other module is the OpenPGP
// implementation that both command lines check signatures with. So a new machine needs neither zip nor gpg.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"
)

const usage = "release: the first word is one of pack, sign, key and check"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "pack":
		return runPack(args[1:])
	case "sign":
		return runSign(args[1:])
	case "key":
		return runKey(args[1:])
	case "check":
		return runCheck(args[1:])
	default:
		return errors.New(usage)
	}
}

func runPack(args []string) error {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	var release Release
	var epoch string
	var with list
	flags.StringVar(&release.Version, "version", "", "the version, without v")
	flags.StringVar(&epoch, "time", "", "the time that the files in a zip get, in seconds since 1970 (SOURCE_DATE_EPOCH)")
	flags.StringVar(&release.License, "license", "", "the licence's text, which goes into each zip")
	flags.StringVar(&release.Manifest, "manifest", "", "terraform-registry-manifest.json")
	flags.StringVar(&release.Out, "out", "", "the folder that the files go to")
	flags.Var(&with, "with", "one more file to be listed in the checksums, such as a list of parts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("--time %q is not a number of seconds", epoch)
	}
	release.Time = time.Unix(seconds, 0).UTC()
	release.With = with
	for _, word := range flags.Args() {
		build, err := ParseBuild(word)
		if err != nil {
			return err
		}
		release.Builds = append(release.Builds, build)
	}
	return release.Pack()
}

func runSign(args []string) error {
	if len(args) != 1 {
		return errors.New("sign takes the folder of a release")
	}
	return Sign(args[0], os.Getenv("RELEASE_SIGNING_KEY"), os.Getenv("RELEASE_SIGNING_PASSPHRASE"))
}

func runKey(args []string) error {
	flags := flag.NewFlagSet("key", flag.ContinueOnError)
	out := flags.String("out", "", "the folder that the key goes to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return NewKey(*out)
}

func runCheck(args []string) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	key := flags.String("key", "", "the public key, armoured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("check takes the folder of a release")
	}
	return Check(flags.Arg(0), *key)
}

type list []string

func (l *list) String() string         { return fmt.Sprint(*l) }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }
