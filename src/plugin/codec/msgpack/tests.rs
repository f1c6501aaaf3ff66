//! Both directions together.

use proptest::prelude::*;

use super::*;
use crate::{
    codec::{
        CodecError, Fault,
        samples::{any_type, typed_value},
    },
    path::Path,
    rules::check::conform,
    value::{Number, Refinement, Type, Value},
};

fn decimal(text: &str) -> Value {
    Value::Number(Number::Decimal(text.to_owned()))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap_or(0)).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)).collect()
}

#[test]
fn values_are_written_as_terraform_writes_them() -> Result<(), CodecError> {
    for (ty, value, hex) in [
        (Type::String, Value::Null, "c0"),
        (Type::String, Value::unknown(), "d4 00 00"),
        (Type::Bool, true.into(), "c3"),
        (Type::String, "e\u{301}".into(), "a2 c3 a9"),
        (Type::Number, 1.into(), "01"),
        (Type::Number, Value::from(-33), "d0 df"),
        (Type::Number, Value::from(200), "cc c8"),
        (Type::Number, decimal("0.5"), "cb 3f e0 00 00 00 00 00 00"),
        (Type::Number, decimal("0.1"), "a3 30 2e 31"),
        (Type::Number, decimal("1e20"), "b5 31 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30"),
        (Type::Number, decimal("inf"), "cb 7f f0 00 00 00 00 00 00"),
        (Type::list(Type::String), Value::List(vec![]), "90"),
        (Type::map(Type::Bool), Value::map([("k", Value::Null)]), "81 a1 6b c0"),
        (
            Type::object([("b", Type::Bool), ("a", Type::Bool)]),
            Value::object([("b", Value::Null), ("a", true.into())]),
            "82 a1 61 c3 a1 62 c0",
        ),
        (
            Type::Dynamic,
            Value::Dynamic(Box::new(Type::Number), Box::new(decimal("0.1"))),
            "92 c4 08 22 6e 75 6d 62 65 72 22 a3 30 2e 31",
        ),
        (Type::Dynamic, Value::Null, "c0"),
    ] {
        assert_eq!(encode(&value, &ty)?, bytes(hex), "{value}");
        assert!(decode(&bytes(hex), &ty)?.same(&value), "{value}");
    }
    Ok(())
}

#[test]
fn every_form_of_a_number_is_read() -> Result<(), CodecError> {
    for (hex, expect) in [
        ("7f", Value::from(127)),
        ("ff", Value::from(-1)),
        ("cd ff ff", Value::from(65_535)),
        ("cf ff ff ff ff ff ff ff ff", decimal("18446744073709551615")),
        ("d3 80 00 00 00 00 00 00 00", Value::from(i64::MIN)),
        ("ca 3f 00 00 00", decimal("0.5")),
        ("cb 80 00 00 00 00 00 00 00", Value::from(0)),
        ("cb 3f b9 99 99 99 99 99 9a", decimal("0.1000000000000000055511151231257827021181583404541015625")),
        ("a3 31 65 33", Value::from(1000)),
        ("c4 01 37", Value::from(7)),
    ] {
        assert_eq!(decode(&bytes(hex), &Type::Number)?, expect, "{hex}");
    }
    Ok(())
}

#[test]
fn any_extension_is_an_unknown_value() -> Result<(), CodecError> {
    let refined =
        |not_null, prefix: Option<&str>| Value::Unknown(Refinement { not_null, prefix: prefix.map(str::to_owned) });
    for (hex, expect) in [
        ("d4 00 00", Value::unknown()),
        ("c7 00 00", Value::unknown()),
        ("c7 05 2a 01 02 03 04 05", Value::unknown()),
        ("d4 0c 80", Value::unknown()),
        ("c7 03 0c 81 01 c2", refined(true, None)),
        ("c7 03 0c 81 01 c3", Value::Null),
        ("c7 09 0c 82 01 c2 02 a4 70 72 65 2d", refined(true, Some("pre-"))),
        ("c7 07 0c 82 01 c2 03 92 04 c3", refined(true, None)),
        ("c7 05 0c 82 01 c2 63 c0", refined(true, None)),
        ("c7 05 0c ff ff ff ff ff", Value::unknown()),
    ] {
        for ty in [Type::String, Type::list(Type::String), Type::Dynamic] {
            assert_eq!(decode(&bytes(hex), &ty)?, expect, "{hex}");
        }
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_named_with_its_path() {
    let object = Type::object([("a", Type::String), ("b", Type::list(Type::Bool))]);
    let wanted = |wanted: &str, given| Fault::Wanted { wanted: wanted.to_owned(), given };
    for (ty, hex, path, fault) in [
        (&object, "81 a1 61 c0", Path::root(), Fault::MissingAttribute("b".to_owned())),
        (&object, "81 a1 63 c0", Path::root(), Fault::UnknownAttribute("c".to_owned())),
        (&object, "82 a1 61 c0 a1 61 c0", Path::root(), Fault::TwiceGiven("a".to_owned())),
        (&object, "82 a1 61 01 a1 62 c0", Path::attribute("a"), wanted("a string", "a number")),
        (&object, "82 a1 61 c0 a1 62 92 c3 a1 78", Path::attribute("b").index(1), wanted("a bool", "a string")),
        (&object, "90", Path::root(), wanted("an object", "a list")),
        (&Type::String, "", Path::root(), Fault::CutShort),
        (&Type::String, "a5 61", Path::root(), Fault::CutShort),
        (&Type::String, "a1 ff", Path::root(), wanted("a string", "a string")),
        (&Type::Number, "a1 78", Path::root(), wanted("a number", "a string")),
        (&Type::Number, "cb 7f f8 00 00 00 00 00 00", Path::root(), wanted("a number", "a number")),
        (&Type::String, "c0 c0", Path::root(), Fault::Trailing(1)),
        (&Type::Dynamic, "93 c0 c0 c0", Path::root(), Fault::Length { wanted: 2, given: 3 }),
        (&Type::Tuple(vec![Type::Bool]), "90", Path::root(), Fault::Length { wanted: 1, given: 0 }),
        (&Type::list(Type::String), "dd ff ff ff ff", Path::root(), Fault::CutShort),
        (&Type::map(Type::String), "df ff ff ff ff", Path::root(), Fault::CutShort),
        (&Type::String, "c9 ff ff ff ff 0c", Path::root(), Fault::CutShort),
    ] {
        assert_eq!(decode(&bytes(hex), ty), Err(CodecError { path, fault }), "{hex}");
    }
}

#[test]
fn more_than_a_kibibyte_about_an_unknown_value_is_refused() {
    let mut encoded = bytes("c8 04 01 0c");
    encoded.extend([0; 1025]);
    assert_eq!(decode(&encoded, &Type::String), Err(Fault::OversizeRefinement.into()));
}

#[test]
fn a_tower_of_dynamic_values_is_refused() {
    let level = bytes("92 a9 22 64 79 6e 61 6d 69 63 22");
    let mut encoded = level.repeat(100_000);
    encoded.push(0xc0);
    assert_eq!(decode(&encoded, &Type::Dynamic).map_err(|error| error.fault), Err(Fault::TooDeep));
}

#[test]
fn a_value_of_another_type_is_not_written() {
    let object = Type::object([("a", Type::list(Type::String))]);
    for (ty, value, message) in [
        (
            &object,
            Value::object([("a", Value::List(vec![1.into()]))]),
            "a[0]: string is required, but there is a number",
        ),
        (&object, Value::object([("a", Value::Set(vec![]))]), "a: list of string is required, but there is a set"),
        (&object, Value::Object([].into()), "the attribute \"a\" is missing"),
        (&object, Value::object([("a", Value::Null), ("b", Value::Null)]), "there is no attribute \"b\" in the type"),
        (&Type::Dynamic, "text".into(), "any type is required, but there is a string"),
    ] {
        assert_eq!(encode(&value, ty).map_err(|error| error.to_string()), Err(message.to_owned()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_value_survives_the_wire((ty, value) in typed_value()) {
        let encoded = encode(&value, &ty)?;
        let back = decode(&encoded, &ty)?;
        prop_assert!(back.same(&value), "{value:?} became {back:?}");
        prop_assert_eq!(encode(&back, &ty)?, encoded);
    }

    #[test]
    fn any_bytes_are_read_or_refused(ty in any_type(), encoded in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&encoded, &ty);
    }

    #[test]
    fn damaged_values_are_read_or_refused(
        (ty, value) in typed_value(), place: prop::sample::Index, byte: u8, cut: prop::sample::Index,
    ) {
        let mut encoded = encode(&value, &ty)?;
        let place = place.index(encoded.len());
        encoded[place] = byte;
        if let Ok(value) = decode(&encoded, &ty) {
            prop_assert_eq!(conform(&value, &ty), []);
            prop_assert!(decode(&encode(&value, &ty)?, &ty)?.same(&value));
        }
        encoded.truncate(cut.index(encoded.len() + 1));
        let _ = decode(&encoded, &ty);
    }
}
