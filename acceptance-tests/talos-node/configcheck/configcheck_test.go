package configcheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"talos-node/pki"
	"talos-node/release"
)

func TestEveryRecordHasItsLine(t *testing.T) {
	bundle, err := pki.NewSecrets()
	if err != nil {
		t.Fatal(err)
	}

	config, err := pki.Generate(bundle, "worker", true)
	if err != nil {
		t.Fatal(err)
	}

	patch := "machine:\n    kernel:\n        modules:\n            - name: nvidia\n              parameters:\n                - NVreg_X=1\n" +
		"    sysctls:\n        net.core.bpf_jit_harden: \"1\"\n"
	edited := strings.Replace(string(config), "machine:\n", patch, 1)

	var in, out bytes.Buffer

	for _, record := range []string{string(config), edited, "machine: [", ""} {
		fmt.Fprintf(&in, "%d\n%s", len(record), record)
	}

	if err := Run(&in, &out); err != nil {
		t.Fatal(err)
	}

	var answers []Answer

	for line := range strings.Lines(out.String()) {
		var a Answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}

		answers = append(answers, a)
	}

	if len(answers) != 4 || !answers[0].OK || !answers[1].OK || answers[2].OK || answers[3].OK {
		t.Fatalf("Talos %s: %+v", release.Tag, answers)
	}

	got := answers[1]
	if len(got.Modules) != 1 || got.Modules[0].Parameters[0] != "NVreg_X=1" || got.Sysctls["net.core.bpf_jit_harden"] != "1" {
		t.Fatalf("%+v", got)
	}

	if got.RestSHA256 != answers[0].RestSHA256 {
		t.Fatal("the rest differs, though only modules and sysctls do")
	}
}
