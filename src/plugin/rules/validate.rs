//! The checks of a configuration that Terraform leaves to providers: it does not enforce a schema's flags itself.
//!
//! An unknown value counts as given. Rules about values wait until the value is known: Terraform asks again then.

use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    path::Path,
    schema::{Attribute, Kind, Mode, Nesting, Schema},
    value::{Field, Value},
};

/// Checks `config` by its schema and by the attributes' validators.
///
/// `write_only_allowed` is what the CLI says of itself in the same call.
pub fn validate(schema: &Schema, config: &Value, write_only_allowed: bool, diagnostics: &mut Diagnostics) {
    let mut validation = Validation { write_only_allowed, hidden: false, diagnostics };
    validation.object(&schema.attributes, config, &Path::root());
}

struct Validation<'a> {
    write_only_allowed: bool,
    /// What is around the place is sensitive.
    hidden: bool,
    diagnostics: &'a mut Diagnostics,
}

impl Validation<'_> {
    fn object(&mut self, attributes: &[Attribute], config: &Value, path: &Path) {
        if let Value::Object(_) = config {
            for attribute in attributes {
                self.attribute(attribute, config.get(attribute.name), &path.then(attribute.name));
            }
        }
    }

    fn attribute(&mut self, attribute: &Attribute, value: &Value, path: &Path) {
        if value.is_null() {
            if attribute.mode == Mode::Required {
                self.missing(path);
            }
            return;
        }
        if attribute.mode == Mode::Computed {
            self.read_only(path);
            return;
        }
        if attribute.write_only && !self.write_only_allowed {
            self.write_only(path);
        }
        if value.is_unknown() {
            return;
        }
        if let Some(message) = attribute.deprecated {
            self.diagnostics.warn(
                path.clone(),
                "Attribute Deprecated",
                format!("The attribute {path} is deprecated. {message}"),
            );
        }
        self.rules(attribute, value, path);
        match &attribute.kind {
            Kind::Plain(_) => self.no_null_within(value, path),
            Kind::Nested(nesting, children) => {
                let around = self.hidden;
                self.hidden |= attribute.sensitive || attribute.write_only;
                self.nested(*nesting, children, value, path);
                self.hidden = around;
            }
        }
    }

    /// Terraform takes `[null]` for a list of text. Whoever reads such a list would pass the element over, and with it what
    /// the user meant; so no list, set or map of the configuration has one.
    fn no_null_within(&mut self, value: &Value, path: &Path) {
        let mut element = |item: &Value, at: Path| {
            // The attribute's own rule may have found better words.
            let is_said = |diagnostics: &Diagnostics| diagnostics.iter().any(|said| said.path == at);
            if item.is_null() && !is_said(self.diagnostics) {
                self.null_element(&at, "Leave the element out, or give it a value.");
            } else {
                self.no_null_within(item, &at);
            }
        };
        match value {
            Value::List(items) => items.iter().enumerate().for_each(|(index, item)| element(item, path.index(index))),
            // Elements of a set have no address.
            Value::Set(items) => items.iter().for_each(|item| element(item, path.clone())),
            Value::Map(entries) => entries.iter().for_each(|(key, item)| element(item, path.key(key))),
            _ => {}
        }
    }

    fn null_element(&mut self, path: &Path, step: &str) {
        self.diagnostics.error(path.clone(), "Null element", format!("{path} is null. {step}"));
    }

    /// The attribute's own rules. They like to quote the value, which a diagnostic must not do when it is sensitive.
    fn rules(&mut self, attribute: &Attribute, value: &Value, path: &Path) {
        let hidden = self.hidden || attribute.write_only || attribute.holds_sensitive();
        for validator in &attribute.validators {
            let mut found = Diagnostics::new();
            (validator.check)(value, path, &mut found);
            for mut diagnostic in found {
                if hidden {
                    diagnostic.detail = format!(
                        "The value of {} breaks a rule: {}. It is sensitive and therefore not shown.",
                        diagnostic.path, validator.rule
                    );
                }
                self.diagnostics.add(diagnostic);
            }
        }
    }

    fn nested(&mut self, nesting: Nesting, children: &[Attribute], value: &Value, path: &Path) {
        match (nesting, value) {
            (Nesting::Single, value) => self.object(children, value, path),
            (Nesting::List, value) => {
                for (index, item) in value.items().known().unwrap_or_default().iter().enumerate() {
                    self.element(children, item, &path.index(index));
                }
            }
            // Elements of a set have no address, so what is wrong in one is said of the set.
            (Nesting::Set, value) => {
                for item in value.items().known().unwrap_or_default() {
                    self.element_of_set(children, item, path);
                }
            }
            (Nesting::Map, value) => {
                if let Field::Known(entries) = value.entries() {
                    for (key, item) in entries {
                        self.element(children, item, &path.key(key));
                    }
                }
            }
        }
    }

    fn element(&mut self, children: &[Attribute], item: &Value, path: &Path) {
        if item.is_null() {
            self.null_element(path, "Leave the element out, or give it its attributes.");
        }
        self.object(children, item, path);
    }

    fn element_of_set(&mut self, children: &[Attribute], item: &Value, path: &Path) {
        let mut found = Diagnostics::new();
        let (write_only_allowed, hidden) = (self.write_only_allowed, self.hidden);
        let mut within = Validation { write_only_allowed, hidden, diagnostics: &mut found };
        within.element(children, item, path);
        for diagnostic in found {
            self.diagnostics.add(Diagnostic { path: path.clone(), ..diagnostic });
        }
    }

    fn missing(&mut self, path: &Path) {
        self.diagnostics.error(
            path.clone(),
            "Missing Configuration for Required Attribute",
            format!("The attribute {path} is required: give it a value that is not null."),
        );
    }

    fn read_only(&mut self, path: &Path) {
        self.diagnostics.error(
            path.clone(),
            "Invalid Configuration for Read-Only Attribute",
            format!("The attribute {path} cannot be set: only the provider gives its value. Remove it."),
        );
    }

    fn write_only(&mut self, path: &Path) {
        self.diagnostics.error(
            path.clone(),
            "WriteOnly Attribute Not Allowed",
            format!(
                "The attribute {path} is write-only, which Terraform supports from 1.11 and OpenTofu from 1.11 on. \
                 Upgrade, or remove the attribute."
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostics::Severity,
        rules::samples::{child, object, schema},
    };

    fn found(config: &Value, write_only_allowed: bool) -> Vec<(Severity, String, String)> {
        let mut diagnostics = Diagnostics::new();
        validate(&schema(), config, write_only_allowed, &mut diagnostics);
        diagnostics.into_iter().map(|d| (d.severity, d.summary, d.path.to_string())).collect()
    }

    #[test]
    fn a_sound_configuration_passes() {
        let nested = || child([("key", "k".into())]);
        for config in [
            object([("name", "n".into())]),
            object([("name", Value::unknown()), ("note", Value::unknown()), ("list", Value::unknown())]),
            object([
                ("name", "n".into()),
                ("note", "a".into()),
                ("once", "secret".into()),
                ("one", nested()),
                ("list", Value::List(vec![nested(), Value::unknown()])),
                ("set", Value::Set(vec![nested()])),
                ("map", Value::map([("k", nested())])),
            ]),
        ] {
            assert_eq!(found(&config, true), [], "{config}");
        }
    }

    #[test]
    fn each_broken_rule_is_said_on_its_attribute() {
        let named = |values: (&'static str, Value)| object([("name", "n".into()), values]);
        let keyless = || child([]);
        for (config, severity, summary, path) in [
            (object([]), Severity::Error, "Missing Configuration for Required Attribute", "name"),
            (named(("id", "i".into())), Severity::Error, "Invalid Configuration for Read-Only Attribute", "id"),
            (named(("id", Value::unknown())), Severity::Error, "Invalid Configuration for Read-Only Attribute", "id"),
            (named(("once", "s".into())), Severity::Error, "WriteOnly Attribute Not Allowed", "once"),
            (named(("once", Value::unknown())), Severity::Error, "WriteOnly Attribute Not Allowed", "once"),
            (named(("old", "o".into())), Severity::Warning, "Attribute Deprecated", "old"),
            (named(("note", "c".into())), Severity::Error, "Invalid value", "note"),
            (named(("one", keyless())), Severity::Error, "Missing Configuration for Required Attribute", "one.key"),
            (
                named(("list", Value::List(vec![child([("key", "k".into())]), keyless()]))),
                Severity::Error,
                "Missing Configuration for Required Attribute",
                "list[1].key",
            ),
            (
                named(("map", Value::map([("k", keyless())]))),
                Severity::Error,
                "Missing Configuration for Required Attribute",
                "map[\"k\"].key",
            ),
            (
                named(("set", Value::Set(vec![keyless()]))),
                Severity::Error,
                "Missing Configuration for Required Attribute",
                "set",
            ),
            (
                named(("one", child([("key", "k".into()), ("out", "o".into())]))),
                Severity::Error,
                "Invalid Configuration for Read-Only Attribute",
                "one.out",
            ),
            (named(("list", Value::List(vec![Value::Null]))), Severity::Error, "Null element", "list[0]"),
            (named(("tags", Value::Set(vec!["a".into(), Value::Null]))), Severity::Error, "Null element", "tags"),
        ] {
            assert_eq!(found(&config, false), [(severity, summary.to_owned(), path.to_owned())], "{config}");
        }
    }

    #[test]
    fn a_null_within_is_said_on_its_place_and_once() {
        let own = crate::Validator {
            rule: "no b".to_owned(),
            check: std::sync::Arc::new(|_, path, diagnostics| {
                diagnostics.error(path.key("b"), "Invalid entry", "The entry is null.");
            }),
        };
        let attributes = vec![
            Attribute::optional("words", crate::Type::list(crate::Type::String)),
            Attribute::optional("lists", crate::Type::map(crate::Type::list(crate::Type::String))),
            Attribute::optional("own", crate::Type::map(crate::Type::String)).validate(own),
        ];
        let schema = Schema { attributes, ..Schema::default() };
        let config = Value::object([
            ("words", Value::List(vec!["a".into(), Value::Null, Value::unknown()])),
            ("lists", Value::map([("k", Value::List(vec![Value::Null])), ("l", Value::Null)])),
            ("own", Value::map([("a", Value::Null), ("b", Value::Null)])),
        ]);
        let mut diagnostics = Diagnostics::new();
        validate(&schema, &config, true, &mut diagnostics);
        let said: Vec<_> = diagnostics.into_iter().map(|said| format!("{}: {}", said.path, said.summary)).collect();
        assert_eq!(
            said,
            [
                "words[1]: Null element",
                "lists[\"k\"][0]: Null element",
                "lists[\"l\"]: Null element",
                "own[\"b\"]: Invalid entry",
                "own[\"a\"]: Null element",
            ]
        );
    }

    #[test]
    fn rules_about_values_wait_until_the_value_is_known() {
        let rule = crate::Validator {
            rule: "never".to_owned(),
            check: std::sync::Arc::new(|_, path, diagnostics| diagnostics.error(path.clone(), "Never", "never.")),
        };
        let attributes = vec![Attribute::optional("a", crate::Type::String).deprecated("Use b.").validate(rule)];
        let schema = Schema { attributes, ..Schema::default() };
        for (value, messages) in [(Value::unknown(), 0), (Value::Null, 0), ("x".into(), 2)] {
            let mut diagnostics = Diagnostics::new();
            validate(&schema, &Value::object([("a", value)]), true, &mut diagnostics);
            assert_eq!(diagnostics.iter().count(), messages);
        }
    }

    #[test]
    fn a_rule_that_a_sensitive_value_breaks_does_not_show_it() {
        let text = || Attribute::optional("text", crate::Type::String).validate(crate::validators::one_of(&["a"]));
        let nested = |nesting| Attribute::nested("outer", Mode::Optional, nesting, vec![text()]).sensitive();
        let value = || Value::object([("text", Value::from("hunter2"))]);
        for (attribute, value) in [
            (text().sensitive(), Value::from("hunter2")),
            (text().write_only(), Value::from("hunter2")),
            (nested(Nesting::Single), value()),
            (nested(Nesting::Set), Value::Set(vec![value()])),
        ] {
            let config = Value::object([(attribute.name, value)]);
            let schema = Schema { attributes: vec![attribute], ..Schema::default() };
            let mut diagnostics = Diagnostics::new();
            validate(&schema, &config, true, &mut diagnostics);
            assert!(diagnostics.has_errors());
            assert!(diagnostics.iter().all(|d| !d.detail.contains("hunter2") && d.detail.contains("one of `a`")));
        }
    }

    #[test]
    fn a_typed_null_in_a_dynamic_attribute_is_null() {
        let attributes = vec![Attribute::required("any", crate::Type::Dynamic)];
        let schema = Schema { attributes, ..Schema::default() };
        let null = Value::Dynamic(Box::new(crate::Type::String), Box::new(Value::Null));
        let mut diagnostics = Diagnostics::new();
        validate(&schema, &Value::object([("any", null)]), true, &mut diagnostics);
        assert!(diagnostics.has_errors());
    }
}
