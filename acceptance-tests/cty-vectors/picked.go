package main

import (
	"math"
	"math/big"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

var (
	tags    = cty.Set(cty.String)
	labels  = cty.Map(cty.String)
	module  = cty.Object(map[string]cty.Type{"name": cty.String, "parameters": cty.List(cty.String)})
	pair    = cty.Tuple([]cty.Type{cty.String, cty.Number})
	machine = cty.Object(map[string]cty.Type{
		"name": cty.String, "modules": cty.List(module), "labels": labels, "tags": tags, "any": cty.DynamicPseudoType,
		"inner": cty.Object(map[string]cty.Type{"deep": cty.Map(cty.List(cty.Bool))}), "é": cty.Bool,
	})
)

func pickedByHand() []testCase {
	var all []testCase
	for _, part := range [][]testCase{
		everyTypeNullAndUnknown(), numbers(), texts(), collections(), dynamicValues(), unknownParts(), refinements(),
	} {
		all = append(all, part...)
	}
	return all
}

func known(description string, value cty.Value) testCase {
	return testCase{description: description, ty: value.Type(), value: value}
}

func everyTypeNullAndUnknown() []testCase {
	var all []testCase
	for _, ty := range []cty.Type{
		cty.Bool, cty.Number, cty.String, cty.DynamicPseudoType, cty.List(cty.String), tags, labels, module, pair,
		machine, cty.EmptyObject, cty.EmptyTuple, cty.Set(pair), cty.Map(cty.Set(cty.List(cty.Number))),
	} {
		all = append(all,
			testCase{description: "null " + ty.FriendlyName(), ty: ty, value: cty.NullVal(ty)},
			testCase{description: "unknown " + ty.FriendlyName(), ty: ty, value: cty.UnknownVal(ty)},
		)
	}
	return append(all, known("true", cty.True), known("false", cty.False))
}

func numbers() []testCase {
	var all []testCase
	// As a configuration has them: decimal text, kept with 512 bits.
	for _, text := range []string{
		"0", "1", "-1", "31", "32", "-32", "-33", "127", "128", "-128", "-129", "255", "256", "32767", "32768", "-32769",
		"65535", "65536", "2147483647", "2147483648", "-2147483649", "4294967295", "4294967296",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"18446744073709551615", "18446744073709551616", "12345678901234567890123", "1e30", "-1e30", "1e100",
		"0.1", "-0.1", "0.2", "0.5", "-0.5", "0.25", "1.5", "3.14159265358979323846264338327950288419716939937510",
		"0.30000000000000004", "1e-7", "1e-30", "123456789.000000001", "1.0", "100.50", "4503599627370496.5",
		"0.000030517578125", "1e-300", "2.2250738585072014e-308", "179769313486231570000000000000000000000",
	} {
		all = append(all, known("number "+text, cty.MustParseNumberVal(text)))
	}
	// As computations and other providers make them: binary floats.
	for _, float := range []float64{
		0.5, 1e15, -0.0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1, 1.0 / 3, 1e22, 1e23,
		math.Pi, -math.E, 1 << 53, 1<<53 + 2, 1e300,
	} {
		all = append(all, testCase{
			description: "float " + big.NewFloat(float).Text('g', 17), ty: cty.Number, value: cty.NumberFloatVal(float),
			changesOnTheWire: true, withoutJSON: true,
		})
	}
	third := cty.NumberIntVal(1).Divide(cty.NumberIntVal(3))
	return append(all,
		testCase{description: "a third", ty: cty.Number, value: third, changesOnTheWire: true},
		known("the greatest u64", cty.NumberUIntVal(math.MaxUint64)),
		testCase{description: "infinity", ty: cty.Number, value: cty.PositiveInfinity, withoutJSON: true},
		testCase{description: "negative infinity", ty: cty.Number, value: cty.NegativeInfinity, withoutJSON: true},
	)
}

func texts() []testCase {
	var all []testCase
	for _, text := range []struct{ description, text string }{
		{"empty", ""}, {"ascii", "nvidia_uvm"}, {"composed", "é"}, {"decomposed, which cty composes", "e\u0301"},
		{"hangul from its parts", "\u1112\u1161\u11ab"}, {"several marks", "a\u0323\u0308\u0301"},
		{"angstrom sign", "\u212b"}, {"emoji", "👩‍👩‍👧 gpu"}, {"nul and newline", "\x00\n\t\"\\"}, {"31 bytes", strings.Repeat("x", 31)},
		{"32 bytes", strings.Repeat("x", 32)}, {"255 bytes", strings.Repeat("y", 255)}, {"256 bytes", strings.Repeat("z", 256)},
		{"a number's digits", "0.1"},
		{"null's name", "null"}, {"right to left", "\u0634\u0643\u0631\u0627"},
	} {
		all = append(all, known("text: "+text.description, cty.StringVal(text.text)))
	}
	long := known("text: 65536 bytes", cty.StringVal(strings.Repeat("b", 65536)))
	long.withoutJSON = true
	return append(all, long)
}

func collections() []testCase {
	strings := func(items ...string) []cty.Value {
		var values []cty.Value
		for _, item := range items {
			values = append(values, cty.StringVal(item))
		}
		return values
	}
	var many []cty.Value
	entries := map[string]cty.Value{}
	for i := range 65536 {
		if i < 300 {
			entries[big.NewInt(int64(i)).String()] = cty.NumberIntVal(int64(i))
		}
		many = append(many, cty.True)
	}
	nvidia := cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal("nvidia"), "parameters": cty.ListVal(strings("NVreg_A=1", "NVreg_B=2")),
	})
	uvm := cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("nvidia_uvm"), "parameters": cty.NullVal(cty.List(cty.String))})
	return []testCase{
		known("empty list", cty.ListValEmpty(cty.String)),
		known("empty set", cty.SetValEmpty(cty.Number)),
		known("empty map", cty.MapValEmpty(cty.Bool)),
		known("empty object", cty.EmptyObjectVal),
		known("empty tuple", cty.EmptyTupleVal),
		known("list of empty objects", cty.ListVal([]cty.Value{cty.EmptyObjectVal, cty.EmptyObjectVal})),
		known("list of 15", cty.ListVal(many[:15])),
		known("list of 16", cty.ListVal(many[:16])),
		{description: "list of 65536", ty: cty.List(cty.Bool), value: cty.ListVal(many), withoutJSON: true},
		known("map of 300", cty.MapVal(entries)),
		known("map with odd keys", cty.MapVal(map[string]cty.Value{"": cty.True, "a.b/c": cty.False, "e\u0301": cty.True})),
		known("set of text", cty.SetVal(strings("b", "a", "c", "a"))),
		known("set of numbers", cty.SetVal([]cty.Value{cty.NumberIntVal(10), cty.NumberIntVal(9), cty.MustParseNumberVal("0.1")})),
		known("set of objects", cty.SetVal([]cty.Value{uvm, nvidia})),
		known("set with null", cty.SetVal([]cty.Value{cty.StringVal("a"), cty.NullVal(cty.String)})),
		known("tuple", cty.TupleVal([]cty.Value{cty.StringVal("a"), cty.NumberIntVal(-7), cty.TupleVal(strings("b"))})),
		known("list with null", cty.ListVal([]cty.Value{cty.NullVal(cty.String), cty.StringVal("x")})),
		known("objects in a list", cty.ListVal([]cty.Value{nvidia, uvm})),
		known("nested five deep", cty.MapVal(map[string]cty.Value{
			"k": cty.ListVal([]cty.Value{cty.SetVal([]cty.Value{cty.TupleVal([]cty.Value{nvidia})})}),
		})),
		{description: "a whole object", ty: machine, value: aMachine(cty.StringVal("any"), cty.ListVal([]cty.Value{nvidia, uvm}))},
	}
}

func aMachine(any, modules cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal("gpu-1"), "modules": modules, "labels": cty.MapValEmpty(cty.String),
		"tags": cty.SetVal([]cty.Value{cty.StringVal("b"), cty.StringVal("a")}), "any": any, "é": cty.True,
		"inner": cty.ObjectVal(map[string]cty.Value{
			"deep": cty.MapVal(map[string]cty.Value{"x": cty.ListVal([]cty.Value{cty.True}), "y": cty.NullVal(cty.List(cty.Bool))}),
		}),
	})
}

func dynamicValues() []testCase {
	var all []testCase
	for _, value := range []cty.Value{
		cty.True, cty.StringVal("x"), cty.MustParseNumberVal("0.1"), cty.NumberIntVal(5), cty.EmptyObjectVal,
		cty.ListVal([]cty.Value{cty.StringVal("a")}), cty.SetVal([]cty.Value{cty.NumberIntVal(1)}), cty.NullVal(cty.String),
		cty.UnknownVal(cty.Bool), cty.MapValEmpty(cty.String), cty.TupleVal([]cty.Value{cty.True, cty.NullVal(cty.Number)}),
		cty.ObjectVal(map[string]cty.Value{"a": cty.StringVal("b"), "c": cty.UnknownVal(cty.String)}),
	} {
		all = append(all, testCase{description: "dynamic " + value.Type().FriendlyName(), ty: cty.DynamicPseudoType, value: value})
	}
	ty := cty.Object(map[string]cty.Type{"any": cty.DynamicPseudoType, "other": cty.Tuple([]cty.Type{cty.DynamicPseudoType})})
	return append(all,
		testCase{description: "dynamic in an object", ty: ty, value: cty.ObjectVal(map[string]cty.Value{
			"any": cty.StringVal("x"), "other": cty.TupleVal([]cty.Value{cty.False}),
		})},
		testCase{description: "null and unknown dynamic in an object", ty: ty, value: cty.ObjectVal(map[string]cty.Value{
			"any": cty.NullVal(cty.DynamicPseudoType), "other": cty.TupleVal([]cty.Value{cty.DynamicVal}),
		})},
		testCase{description: "list of dynamic", ty: cty.List(cty.DynamicPseudoType), value: cty.ListVal([]cty.Value{cty.True, cty.False})},
	)
}

func unknownParts() []testCase {
	text := cty.UnknownVal(cty.String)
	return []testCase{
		known("list with an unknown element", cty.ListVal([]cty.Value{cty.StringVal("a"), text})),
		known("set with unknown elements", cty.SetVal([]cty.Value{text, cty.StringVal("a")})),
		known("map with an unknown entry", cty.MapVal(map[string]cty.Value{"a": text, "b": cty.StringVal("x")})),
		{description: "object with unknown attributes", ty: machine, value: aMachine(cty.DynamicVal, cty.UnknownVal(cty.List(module)))},
	}
}

func refinements() []testCase {
	text, number, list := cty.UnknownVal(cty.String), cty.UnknownVal(cty.Number), cty.UnknownVal(cty.List(cty.String))
	refined := func(description string, value cty.Value) testCase {
		return testCase{description: "refined: " + description, ty: value.Type(), value: value, refined: true}
	}
	long := refined("a prefix longer than is sent", text.Refine().StringPrefixFull(strings.Repeat("p", 300)).NewValue())
	long.changesOnTheWire = true
	return []testCase{
		refined("not null text", text.RefineNotNull()),
		refined("not null object", cty.UnknownVal(module).RefineNotNull()),
		refined("not null bool", cty.UnknownVal(cty.Bool).RefineNotNull()),
		refined("prefix", text.Refine().StringPrefixFull("https://").NewValue()),
		refined("not null and a prefix", text.Refine().NotNull().StringPrefixFull("pre-é-").NewValue()),
		long,
		refined("lower bound", number.Refine().NumberRangeLowerBound(cty.NumberIntVal(4), true).NewValue()),
		refined("upper bound", number.Refine().NumberRangeUpperBound(cty.MustParseNumberVal("0.1"), false).NewValue()),
		refined("both bounds, not null", number.Refine().NotNull().
			NumberRangeInclusive(cty.NumberIntVal(-1), cty.MustParseNumberVal("1e30")).NewValue()),
		refined("shortest length", list.Refine().CollectionLengthLowerBound(1).NewValue()),
		refined("longest length", list.Refine().CollectionLengthUpperBound(300).NewValue()),
		refined("both lengths of a set, not null", cty.UnknownVal(tags).Refine().NotNull().
			CollectionLengthLowerBound(1).CollectionLengthUpperBound(3).NewValue()),
		refined("both lengths of a map", cty.UnknownVal(labels).Refine().
			CollectionLengthLowerBound(2).CollectionLengthUpperBound(70000).NewValue()),
		refined("in an object", cty.ObjectVal(map[string]cty.Value{
			"a": text.RefineNotNull(), "b": cty.ListVal([]cty.Value{number.RefineNotNull()}),
		})),
		{description: "refined: in a dynamic value", ty: cty.DynamicPseudoType, value: text.RefineNotNull(), refined: true},
	}
}
