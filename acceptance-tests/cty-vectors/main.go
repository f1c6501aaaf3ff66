// Program cty-vectors writes golden vectors of the wire encoding: values as go-cty, the library inside Terraform and
// OpenTofu, encodes them. The codec of the plugin room is tested against them; it shares no code with this program.
//
// One JSON object a line: a description, the type as cty's JSON, the msgpack bytes in hex, the JSON (absent where the
// value is not wholly known or JSON does not say the same), and whether the bytes are canonical, that is, whether an
// encoder has to write exactly them (no refinements are told there).
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"github.com/zclconf/go-cty/cty/msgpack"
)

type vector struct {
	Description string          `json:"description"`
	Type        json.RawMessage `json:"type"`
	Msgpack     string          `json:"msgpack"`
	JSON        json.RawMessage `json:"json,omitempty"`
	Canonical   bool            `json:"canonical"`
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, c := range append(pickedByHand(), generated(400)...) {
		v, err := encode(c)
		if err == nil {
			err = encoder.Encode(v)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %s\n", c.description, err)
			os.Exit(1)
		}
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func encode(c testCase) (vector, error) {
	ty, err := ctyjson.MarshalType(c.ty)
	if err != nil {
		return vector{}, err
	}
	packed, err := msgpack.Marshal(c.value, c.ty)
	if err != nil {
		return vector{}, err
	}
	// What go-cty itself does not read back would be no golden vector.
	back, err := msgpack.Unmarshal(packed, c.ty)
	if err != nil {
		return vector{}, err
	}
	if !back.RawEquals(c.value) && !c.changesOnTheWire {
		return vector{}, fmt.Errorf("%#v came back as %#v", c.value, back)
	}
	v := vector{Description: c.description, Type: ty, Msgpack: hex.EncodeToString(packed), Canonical: !c.refined}
	if c.value.IsWhollyKnown() && !c.withoutJSON {
		if v.JSON, err = ctyjson.Marshal(c.value, c.ty); err != nil {
			return vector{}, err
		}
	}
	return v, nil
}

// A value of a type, and what is special about its encoding.
type testCase struct {
	description      string
	ty               cty.Type
	value            cty.Value
	refined          bool // tells more of an unknown value than that it is one
	withoutJSON      bool // JSON has no infinities and writes floats short; huge ones need no second copy
	changesOnTheWire bool // go-cty reads another, equal form back (prefixes are cut, numbers lose spare precision)
}
