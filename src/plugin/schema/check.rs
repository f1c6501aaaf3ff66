//! What Terraform demands of a schema before it uses any of it. One bad schema makes the whole provider unusable, so
//! every provider checks its schemas in a unit test.

use std::collections::BTreeSet;

use crate::{
    diagnostics::Diagnostics,
    path::Path,
    provider::Provider,
    rules::check::conform,
    schema::{Attribute, Kind, Mode, Nesting, Schema},
    value::Type,
};

/// Names that mean something else at the top of a resource or data source block.
const RESERVED: [&str; 7] = ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];

/// Names that mean something else at the top of a provider block.
const RESERVED_FOR_PROVIDERS: [&str; 2] = ["alias", "version"];

/// All that is wrong with the schemas and names of a provider, in sentences; empty when it can be served.
pub fn provider_problems(provider: &dyn Provider) -> Vec<String> {
    let mut problems = of_provider(&provider.schema());
    let mut add = |kind: &str, names: &mut BTreeSet<&'static str>, name: &'static str, schema: &Schema| {
        if !is_name(name) {
            problems.push(format!("{kind} {name}: {NAME_RULE}"));
        }
        if !names.insert(name) {
            problems.push(format!("{kind} {name}: the name is given twice"));
        }
        problems.extend(schema.problems().into_iter().map(|problem| format!("{kind} {name}: {problem}")));
    };
    let (mut resources, mut data_sources) = (BTreeSet::new(), BTreeSet::new());
    for resource in provider.resources() {
        add("resource", &mut resources, resource.type_name(), &resource.schema());
    }
    for data_source in provider.data_sources() {
        add("data source", &mut data_sources, data_source.type_name(), &data_source.schema());
    }
    problems
}

fn of_provider(schema: &Schema) -> Vec<String> {
    let mut problems = schema.problems_without(&RESERVED_FOR_PROVIDERS);
    schema.walk(&mut |path, attribute| {
        if attribute.is_computed() {
            problems.push(format!("{path}: nothing in a provider block can be computed"));
        }
    });
    problems.into_iter().map(|problem| format!("provider: {problem}")).collect()
}

impl Schema {
    /// All that is wrong with this schema of a resource or data source, in sentences; empty when it can be served.
    pub fn problems(&self) -> Vec<String> {
        self.problems_without(&RESERVED)
    }

    fn problems_without(&self, reserved: &[&str]) -> Vec<String> {
        let mut problems = Vec::new();
        if self.version < 0 {
            problems.push("the version is negative".to_owned());
        }
        for attribute in self.attributes.iter().filter(|attribute| reserved.contains(&attribute.name)) {
            problems.push(format!("{}: the name is reserved by Terraform", attribute.name));
        }
        check_all(&self.attributes, &Path::root(), &mut problems);
        problems
    }
}

const NAME_RULE: &str = "a name is lowercase letters, digits and underscores, and begins with none of the digits";

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn check_all(attributes: &[Attribute], path: &Path, problems: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for attribute in attributes {
        let path = path.then(attribute.name);
        let mut report = |problem: &str| problems.push(format!("{path}: {problem}"));
        if !names.insert(attribute.name) {
            report("the name is given twice");
        }
        if !is_name(attribute.name) {
            report(NAME_RULE);
        }
        check_flags(attribute, &mut report);
        check_write_only(attribute, &mut report);
        check_kind(attribute, &mut report);
        check_default(attribute, &mut report);
        check_all(attribute.children(), &path, problems);
    }
}

fn check_flags(attribute: &Attribute, report: &mut impl FnMut(&str)) {
    if attribute.mode == Mode::Computed && !attribute.validators.is_empty() {
        report("what the user cannot give needs no validators");
    }
    if attribute.deprecated.is_some_and(str::is_empty) {
        report("a deprecation has to say what to use in its place");
    }
}

fn check_write_only(attribute: &Attribute, report: &mut impl FnMut(&str)) {
    if !attribute.write_only {
        return;
    }
    if attribute.is_computed() {
        report("a write-only value cannot be computed");
    }
    if attribute.replaces {
        report("a write-only value is in no state, so its change cannot replace anything");
    }
    if attribute.children().iter().any(|child| !child.write_only) {
        report("what is nested in a write-only attribute has to be write-only");
    }
}

fn check_kind(attribute: &Attribute, report: &mut impl FnMut(&str)) {
    match &attribute.kind {
        Kind::Plain(ty) => {
            if collects_dynamic(ty) {
                report("a collection cannot hold values of any type");
            }
        }
        Kind::Nested(nesting, children) => {
            let dynamic = children.iter().any(|child| child.value_type().has_dynamic());
            if dynamic && *nesting != Nesting::Single {
                report("a collection cannot hold values of any type");
            }
            if *nesting == Nesting::Set && children.iter().any(holds_write_only) {
                report("a set cannot hold write-only values");
            }
            if attribute.mode == Mode::Computed && children.iter().any(|child| child.mode != Mode::Computed) {
                report("what is nested in a computed attribute has to be computed");
            }
        }
    }
}

fn holds_write_only(attribute: &Attribute) -> bool {
    attribute.write_only || attribute.children().iter().any(holds_write_only)
}

fn collects_dynamic(ty: &Type) -> bool {
    match ty {
        Type::Bool | Type::Number | Type::String | Type::Dynamic => false,
        Type::List(of) | Type::Set(of) | Type::Map(of) => of.has_dynamic(),
        Type::Object(attributes) => attributes.values().any(collects_dynamic),
        Type::Tuple(items) => items.iter().any(collects_dynamic),
    }
}

fn check_default(attribute: &Attribute, report: &mut impl FnMut(&str)) {
    let Some(default) = &attribute.default else { return };
    if attribute.mode != Mode::OptionalComputed {
        report("only an attribute that is optional and computed has a default");
    }
    if default.is_null() || !default.is_wholly_known() {
        report("a default has to be a known value");
    }
    for violation in conform(default, &attribute.value_type()) {
        report(&format!("the default: {}", violation.what));
    }
    let mut diagnostics = Diagnostics::new();
    for validator in &attribute.validators {
        (validator.check)(default, &Path::attribute(attribute.name), &mut diagnostics);
    }
    for diagnostic in diagnostics.iter() {
        report(&format!("the default breaks a rule of its own attribute: {}", diagnostic.detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{validators, value::Value};

    fn problems(attribute: Attribute) -> Vec<String> {
        Schema { attributes: vec![attribute], ..Schema::default() }.problems()
    }

    fn nested(mode: Mode, nesting: Nesting, child: Attribute) -> Attribute {
        Attribute::nested("outer", mode, nesting, vec![child])
    }

    #[test]
    fn a_sound_schema_has_no_problems() {
        for attribute in [
            Attribute::required("name", Type::String).replaces(),
            Attribute::optional("any", Type::Dynamic),
            Attribute::optional("mode", Type::String).default_to("a").validate(validators::one_of(&["a", "b"])),
            nested(Mode::Optional, Nesting::Set, Attribute::computed("inner", Type::list(Type::String))),
            nested(Mode::Computed, Nesting::Map, Attribute::computed("inner", Type::Bool)),
        ] {
            assert_eq!(problems(attribute), Vec::<String>::new());
        }
    }

    #[test]
    fn each_rule_that_a_schema_breaks_is_named() {
        let write_only = |mut attribute: Attribute| {
            attribute.write_only = true;
            attribute
        };
        let with_default = |mut attribute: Attribute, default: Value| {
            attribute.default = Some(default);
            attribute
        };
        let text = |name| Attribute::optional(name, Type::String);
        for (attribute, expect) in [
            (text("Name"), "a name is"),
            (text("1st"), "a name is"),
            (text("a-b"), "a name is"),
            (text(""), "a name is"),
            (text("count"), "reserved"),
            (text("old").deprecated(""), "has to say"),
            (Attribute::computed("out", Type::String).validate(validators::duration()), "needs no validators"),
            (Attribute::optional("l", Type::list(Type::Dynamic)), "any type"),
            (Attribute::optional("s", Type::set(Type::object([("a", Type::Dynamic)]))), "any type"),
            (nested(Mode::Optional, Nesting::Set, Attribute::optional("inner", Type::Dynamic)), "any type"),
            (nested(Mode::Computed, Nesting::Single, text("inner")), "has to be computed"),
            (nested(Mode::Optional, Nesting::Set, write_only(text("inner"))), "cannot hold write-only"),
            (write_only(nested(Mode::Optional, Nesting::Single, text("inner"))), "has to be write-only"),
            (write_only(Attribute::optional_computed("w", Type::String)), "cannot be computed"),
            (write_only(text("w").replaces()), "cannot replace"),
            (with_default(text("d"), "x".into()), "only an attribute that is optional and computed"),
            (text("d").default_to(1), "the default: a string is required"),
            (text("d").default_to(Value::Null), "known value"),
            (text("d").default_to(Value::unknown()), "known value"),
            (text("d").default_to("c").validate(validators::one_of(&["a"])), "breaks a rule of its own"),
        ] {
            let name = attribute.name;
            let problems = problems(attribute);
            assert!(problems.iter().any(|problem| problem.contains(expect)), "{name}: {problems:?}");
        }
    }

    #[test]
    fn two_attributes_of_one_name_are_a_problem() {
        let attributes = vec![Attribute::optional("a", Type::String), Attribute::required("a", Type::Bool)];
        let schema = Schema { version: -1, attributes, ..Schema::default() };
        assert_eq!(schema.problems(), ["the version is negative", "a: the name is given twice"]);
    }

    #[test]
    fn a_provider_block_computes_nothing() {
        let schema = Schema { attributes: vec![Attribute::computed("id", Type::String)], ..Schema::default() };
        assert_eq!(of_provider(&schema), ["provider: id: nothing in a provider block can be computed"]);
    }
}
