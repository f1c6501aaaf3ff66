//! Values of any type for the property tests.

use proptest::prelude::*;

use crate::value::{Number, Type, Value, nfc};

/// A type of limited depth.
pub(crate) fn any_type() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String), Just(Type::Dynamic)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            prop::collection::btree_map("[a-z_]{1,6}", inner.clone(), 0..4).prop_map(Type::Object),
            prop::collection::vec(inner, 0..4).prop_map(Type::Tuple),
        ]
    })
}

/// A number of any kind in its canonical spelling.
pub(crate) fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("NaN is no number", Number::from_f64),
        "-?[0-9]{1,30}(\\.[0-9]{1,30})?(e-?[0-9]{1,3})?".prop_filter_map("no number", |text| Number::parse(&text).ok()),
    ]
}

/// A value of type `ty`, in part null and unknown.
pub(crate) fn any_value(ty: &Type) -> BoxedStrategy<Value> {
    prop_oneof![8 => known_value(ty), 1 => Just(Value::Null), 1 => Just(Value::unknown())].boxed()
}

fn known_value(ty: &Type) -> BoxedStrategy<Value> {
    let list = |of: &Type| prop::collection::vec(any_value(of), 0..4);
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => any_number().prop_map(Value::Number).boxed(),
        Type::String => ".{0,40}".prop_map(|text: String| Value::String(nfc(&text).into_owned())).boxed(),
        Type::Dynamic => prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::list(Type::String))]
            .prop_flat_map(|ty| {
                any_value(&ty).prop_map(move |value| Value::Dynamic(Box::new(ty.clone()), Box::new(value)))
            })
            .boxed(),
        Type::List(of) => list(of).prop_map(Value::List).boxed(),
        Type::Set(of) => list(of).prop_map(Value::set_of).boxed(),
        Type::Map(of) => prop::collection::btree_map("[a-zé/.]{0,8}", any_value(of), 0..4).prop_map(Value::Map).boxed(),
        Type::Object(attributes) => attributes
            .iter()
            .map(|(name, ty)| (Just(name.clone()), any_value(ty)))
            .collect::<Vec<_>>()
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
            .boxed(),
        Type::Tuple(types) => types.iter().map(any_value).collect::<Vec<_>>().prop_map(Value::Tuple).boxed(),
    }
}

/// A type and a value of it.
pub(crate) fn typed_value() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|ty| {
        let value = any_value(&ty);
        (Just(ty), value)
    })
}
