package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Seed of the generated vectors: the same ones on every machine.
const seed = 20250601

// generator makes types and values at random, never deeper than what depth leaves.
type generator struct{ random *rand.Rand }

func generated(count int) []testCase {
	g := generator{rand.New(rand.NewPCG(seed, seed))}
	var all []testCase
	for i := range count {
		ty := g.someType(4)
		all = append(all, testCase{description: fmt.Sprintf("generated %d", i), ty: ty, value: g.value(ty)})
	}
	return all
}

func (g generator) someType(depth int) cty.Type {
	kinds := 9
	if depth == 0 {
		kinds = 3
	}
	switch g.random.IntN(kinds) {
	case 0:
		return cty.Bool
	case 1:
		return cty.Number
	case 2:
		return cty.String
	case 3:
		return cty.List(g.someType(depth - 1))
	case 4:
		return cty.Set(g.someType(depth - 1))
	case 5:
		return cty.Map(g.someType(depth - 1))
	case 6:
		items := []cty.Type{} // a nil slice would be null in the type's JSON
		for range g.random.IntN(4) {
			items = append(items, g.someType(depth-1))
		}
		return cty.Tuple(items)
	default:
		attributes := map[string]cty.Type{}
		for range g.random.IntN(5) {
			attributes[g.name()] = g.someType(depth - 1)
		}
		return cty.Object(attributes)
	}
}

func (g generator) value(ty cty.Type) cty.Value {
	switch g.random.IntN(12) {
	case 0:
		return cty.NullVal(ty)
	case 1:
		return cty.UnknownVal(ty)
	}
	switch {
	case ty == cty.Bool:
		return cty.BoolVal(g.random.IntN(2) == 0)
	case ty == cty.Number:
		return cty.MustParseNumberVal(g.number())
	case ty == cty.String:
		return cty.StringVal(g.text())
	case ty.IsTupleType():
		var items []cty.Value
		for _, item := range ty.TupleElementTypes() {
			items = append(items, g.value(item))
		}
		return cty.TupleVal(items)
	case ty.IsObjectType():
		attributes := map[string]cty.Value{}
		for _, name := range sorted(ty.AttributeTypes()) {
			attributes[name] = g.value(ty.AttributeType(name))
		}
		return cty.ObjectVal(attributes)
	default:
		return g.collection(ty)
	}
}

func (g generator) collection(ty cty.Type) cty.Value {
	var items []cty.Value
	for range 1 + g.random.IntN(4) {
		items = append(items, g.value(ty.ElementType()))
	}
	switch {
	case ty.IsListType():
		return cty.ListVal(items)
	case ty.IsSetType():
		return cty.SetVal(items)
	default:
		entries := map[string]cty.Value{}
		for _, item := range items {
			entries[g.name()] = item
		}
		return cty.MapVal(entries)
	}
}

func (g generator) name() string {
	return string(rune('a'+g.random.IntN(26))) + strings.Repeat("_x", g.random.IntN(3))
}

func (g generator) number() string {
	digits := func(most int) string {
		var text strings.Builder
		for range 1 + g.random.IntN(most) {
			text.WriteByte(byte('0' + g.random.IntN(10)))
		}
		return text.String()
	}
	switch g.random.IntN(4) {
	case 0:
		return fmt.Sprint(int64(g.random.Uint64()))
	case 1:
		return digits(40)
	case 2:
		return "-" + digits(20) + "." + digits(20)
	default:
		return fmt.Sprintf("%se%d", digits(5), g.random.IntN(60)-30)
	}
}

func (g generator) text() string {
	alphabet := []rune("abcdefghijklmnop \"\\é\u0301\u0308ñ\u1112\u1161\u11ab中👍/.-_=\n")
	var text strings.Builder
	for range g.random.IntN(40) {
		text.WriteRune(alphabet[g.random.IntN(len(alphabet))])
	}
	return text.String()
}

// The names in order, since Go walks a map in any order and the vectors must be the same each time.
func sorted(types map[string]cty.Type) []string {
	names := make([]string, 0, len(types))
	for name := range types {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
