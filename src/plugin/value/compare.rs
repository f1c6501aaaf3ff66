//! Equality by meaning: sets by content, numbers by decimal value, text by its NFC form.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap};

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::value::Value;

/// The NFC form of `text`, which is how Terraform keeps all text.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

impl Value {
    /// Whether the two mean the same. Two unknown values are the same, whatever is promised of them.
    pub fn same(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }

    /// A total order that agrees with [`Value::same`]. It serves to sort and to find repetitions; nobody should show it.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(two)) => one.cmp(two),
            (Self::Number(one), Self::Number(two)) => one.order(two),
            (Self::String(one), Self::String(two)) => nfc(one).cmp(&nfc(two)),
            (Self::List(one), Self::List(two)) | (Self::Tuple(one), Self::Tuple(two)) => {
                order_all(one.iter(), two.iter())
            }
            (Self::Set(one), Self::Set(two)) => order_all(content(one).into_iter(), content(two).into_iter()),
            (Self::Map(one), Self::Map(two)) | (Self::Object(one), Self::Object(two)) => order_entries(one, two),
            (Self::Dynamic(one_type, one), Self::Dynamic(two_type, two)) => {
                // The types only matter where the values do not tell them apart (an empty list, a null).
                one.order(two).then_with(|| {
                    if one_type == two_type { Ordering::Equal } else { one_type.to_string().cmp(&two_type.to_string()) }
                })
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::String(_) => 3,
            Self::List(_) => 4,
            Self::Set(_) => 5,
            Self::Map(_) => 6,
            Self::Object(_) => 7,
            Self::Tuple(_) => 8,
            Self::Dynamic(..) => 9,
            Self::Unknown(_) => 10,
        }
    }

    /// A set of these elements, each once. Elements that are not wholly known stay: they may come out different.
    pub fn set_of(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::Set(without_repetition(elements.into_iter().collect()))
    }
}

/// Drops repeated known elements and keeps the order of the others.
pub(crate) fn without_repetition(elements: Vec<Value>) -> Vec<Value> {
    let mut keep = vec![true; elements.len()];
    let mut places: Vec<usize> = (0..elements.len()).filter(|&place| elements[place].is_wholly_known()).collect();
    places.sort_by(|&one, &two| elements[one].order(&elements[two]));
    for pair in places.windows(2) {
        // The sort is stable, so it is the first of equals that stays.
        if elements[pair[0]].same(&elements[pair[1]]) {
            keep[pair[1]] = false;
        }
    }
    elements.into_iter().zip(keep).filter_map(|(element, keep)| keep.then_some(element)).collect()
}

fn content(elements: &[Value]) -> Vec<&Value> {
    let mut sorted: Vec<&Value> = elements.iter().collect();
    sorted.sort_by(|one, two| one.order(two));
    sorted.dedup_by(|one, two| one.is_wholly_known() && one.same(two));
    sorted
}

fn order_all<'a>(
    one: impl ExactSizeIterator<Item = &'a Value>,
    two: impl ExactSizeIterator<Item = &'a Value>,
) -> Ordering {
    one.len().cmp(&two.len()).then_with(|| {
        one.zip(two).map(|(one, two)| one.order(two)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    })
}

fn order_entries(one: &BTreeMap<String, Value>, two: &BTreeMap<String, Value>) -> Ordering {
    one.len().cmp(&two.len()).then_with(|| {
        one.iter()
            .zip(two)
            .map(|((one_key, one), (two_key, two))| nfc(one_key).cmp(&nfc(two_key)).then_with(|| one.order(two)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Number, Refinement, Type};

    fn texts(items: &[&str]) -> Vec<Value> {
        items.iter().map(|text| Value::from(*text)).collect()
    }

    #[test]
    fn values_are_the_same_by_meaning() {
        let decimal = |text: &str| Value::Number(Number::Decimal(text.to_owned()));
        for (one, two) in [
            (Value::from("é"), Value::from("e\u{301}")),
            (decimal("1.50"), decimal("1.5")),
            (decimal("2.0"), Value::from(2)),
            (Value::Set(texts(&["a", "b"])), Value::Set(texts(&["b", "a", "b"]))),
            (Value::Set(vec![Value::List(texts(&["e\u{301}"]))]), Value::Set(vec![Value::List(texts(&["é"]))])),
            (Value::unknown(), Value::Unknown(Refinement { not_null: true, prefix: None })),
            (Value::map([("é", Value::Null)]), Value::map([("e\u{301}", Value::Null)])),
        ] {
            assert!(one.same(&two), "{one:?} and {two:?}");
            assert!(Value::object([("x", one)]).same(&Value::object([("x", two)])));
        }
    }

    #[test]
    fn values_that_mean_different_things_are_not_the_same() {
        let dynamic = |ty: Type| Value::Dynamic(Box::new(ty), Box::new(Value::Null));
        for (one, two) in [
            (Value::Null, Value::from("")),
            (Value::Null, Value::unknown()),
            (Value::List(texts(&["a", "b"])), Value::List(texts(&["b", "a"]))),
            (Value::List(vec![]), Value::Null),
            (Value::Set(texts(&["a"])), Value::Set(texts(&["a", "b"]))),
            (Value::Set(vec![Value::unknown()]), Value::Set(vec![Value::unknown(), Value::unknown()])),
            (Value::from("1"), Value::from(1)),
            (dynamic(Type::String), dynamic(Type::Bool)),
            (Value::map([("a", Value::Null)]), Value::map([("b", Value::Null)])),
        ] {
            assert!(!one.same(&two), "{one:?} and {two:?}");
        }
    }

    #[test]
    fn a_set_keeps_each_known_element_once_and_every_unknown_one() {
        let set = Value::set_of([Value::from("b"), Value::unknown(), "a".into(), "b".into(), Value::unknown()]);
        assert_eq!(set, Value::Set(vec!["b".into(), Value::unknown(), "a".into(), Value::unknown()]));
    }
}
