// Command talos-node is a Talos Linux node as far as its API goes, built of Talos's own modules, for the acceptance
// tests. It shares no code with the client that it tests. See README.md.
package main

import (
	"flag"
	"fmt"
	"os"

	"talos-node/configcheck"
	"talos-node/pki"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "talos-node:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "gen-config":
			return genConfig(args[1:])
		case "check-config":
			return configcheck.Run(os.Stdin, os.Stdout)
		}
	}

	return serve(args)
}

func genConfig(args []string) error {
	flags := flag.NewFlagSet("gen-config", flag.ContinueOnError)
	kind := flags.String("type", "worker", "worker or controlplane")
	comments := flags.Bool("comments", false, "with the generator's documentation and examples")

	if err := flags.Parse(args); err != nil {
		return err
	}

	bundle, err := pki.NewSecrets()
	if err != nil {
		return err
	}

	data, err := pki.Generate(bundle, *kind, *comments)
	if err != nil {
		return err
	}

	_, err = os.Stdout.Write(data)

	return err
}
