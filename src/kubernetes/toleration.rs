//! The rules that the API has for tolerations (`ValidateTolerations`), so that a mistake is said before a call is made.

use crate::names;

/// A toleration as it is written; what is left out is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// The taint's key; none tolerates all of them, with `Exists`.
    pub key: Option<String>,
    /// `Equal` (default) or `Exists`.
    pub operator: Option<String>,
    /// The taint's value.
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; none tolerates all of them.
    pub effect: Option<String>,
    /// How long a pod stays on a node that gets such a taint.
    pub toleration_seconds: Option<i64>,
}

/// A field of a toleration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `key`.
    Key,
    /// `operator`.
    Operator,
    /// `value`.
    Value,
    /// `effect`.
    Effect,
    /// `tolerationSeconds`.
    Seconds,
}

impl Toleration {
    /// What is wrong with it, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(Part, String)> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (key, operator, value, effect) =
            (text(&self.key), text(&self.operator), text(&self.value), text(&self.effect));
        let mut problems = Vec::new();
        if let Some(why) = names::label_key(&key).err().filter(|_| !key.is_empty()) {
            problems.push((Part::Key, why));
        }
        match operator.as_str() {
            "" | "Equal" if key.is_empty() => {
                problems.push((Part::Operator, "without a key it must be \"Exists\".".to_owned()));
            }
            "" | "Equal" => {
                if let Err(why) = names::label_value(&value) {
                    problems.push((Part::Value, why));
                }
            }
            "Exists" if !value.is_empty() => {
                problems.push((Part::Value, "with operator \"Exists\" there must be no value.".to_owned()));
            }
            "Exists" => {}
            other => problems.push((Part::Operator, format!("\"{other}\" is neither \"Equal\" nor \"Exists\"."))),
        }
        if !matches!(effect.as_str(), "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
            problems.push((
                Part::Effect,
                format!("\"{effect}\" is none of \"NoSchedule\", \"PreferNoSchedule\" and \"NoExecute\"."),
            ));
        }
        if self.toleration_seconds.is_some() && effect != "NoExecute" {
            problems.push((Part::Seconds, "only a toleration with effect \"NoExecute\" can have it.".to_owned()));
        }
        problems
    }

    /// Whether two tolerate the same: a left out operator is `Equal`, and what is empty is left out.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let parts = |toleration: &Self| {
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            let operator = Some(text(&toleration.operator)).filter(|operator| !operator.is_empty());
            (
                text(&toleration.key),
                operator.unwrap_or_else(|| "Equal".to_owned()),
                text(&toleration.value),
                text(&toleration.effect),
                toleration.toleration_seconds,
            )
        };
        parts(self) == parts(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration(key: &str, operator: &str, value: &str, effect: &str, seconds: Option<i64>) -> Toleration {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Toleration {
            key: text(key),
            operator: text(operator),
            value: text(value),
            effect: text(effect),
            toleration_seconds: seconds,
        }
    }

    #[test]
    fn the_rules_are_those_of_the_api() {
        for (key, operator, value, effect, seconds, wrong) in [
            ("nvidia.com/gpu", "Exists", "", "NoSchedule", None, vec![]),
            ("a", "", "b", "", None, vec![]),
            ("", "Exists", "", "", None, vec![]),
            ("", "", "", "", None, vec![Part::Operator]),
            ("", "Equal", "", "", None, vec![Part::Operator]),
            ("a", "Exists", "b", "", None, vec![Part::Value]),
            ("a", "Equal", "b c", "", None, vec![Part::Value]),
            ("a b", "Exists", "", "", None, vec![Part::Key]),
            ("a", "In", "", "", None, vec![Part::Operator]),
            ("a", "Exists", "", "Evict", None, vec![Part::Effect]),
            ("a", "Exists", "", "NoSchedule", Some(5), vec![Part::Seconds]),
            ("a", "Exists", "", "NoExecute", Some(5), vec![]),
        ] {
            let given = toleration(key, operator, value, effect, seconds);
            let found: Vec<Part> = given.problems().into_iter().map(|(part, _)| part).collect();
            assert_eq!(found, wrong, "{given:?}");
        }
    }

    #[test]
    fn a_default_that_is_written_out_is_the_same() {
        assert!(toleration("a", "Equal", "", "", None).same(&toleration("a", "", "", "", None)));
        assert!(!toleration("a", "Exists", "", "", None).same(&toleration("a", "", "", "", None)));
    }
}
