//! What a schema says of values: the type of its objects, and which attribute a path means.

use crate::{
    path::{Path, Step},
    schema::{Attribute, Kind, Mode, Nesting, Schema},
    value::Type,
};

impl Schema {
    /// The type of the objects that have this schema.
    pub fn object_type(&self) -> Type {
        object_type(&self.attributes)
    }

    /// The attribute at `path` or, in a value of a plain type, the one that holds it. A path that stops at a set may
    /// go on with an attribute of the set's elements.
    pub fn attribute_at(&self, path: &Path) -> Option<&Attribute> {
        self.along(path).pop()
    }

    /// Whether Terraform masks what stands at `path`: it is sensitive, in something sensitive, or holds it.
    pub fn is_sensitive_at(&self, path: &Path) -> bool {
        let along = self.along(path);
        along.iter().any(|attribute| attribute.sensitive)
            || along.last().is_some_and(|attribute| attribute.holds_sensitive())
    }

    /// The attributes that `path` goes through, outermost first.
    fn along(&self, path: &Path) -> Vec<&Attribute> {
        let mut attributes: &[Attribute] = &self.attributes;
        let mut along = Vec::new();
        for step in &path.0 {
            if let Step::Attribute(name) = step {
                let Some(found) = attributes.iter().find(|attribute| attribute.name == name) else { break };
                along.push(found);
                attributes = found.children();
            }
        }
        along
    }

    /// Calls `visit` with every attribute, nested ones after the one that holds them, and its path. Paths of a schema
    /// name attributes alone, since there are no elements yet.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&Path, &'a Attribute)) {
        walk(&self.attributes, &Path::root(), visit);
    }
}

fn walk<'a>(attributes: &'a [Attribute], path: &Path, visit: &mut impl FnMut(&Path, &'a Attribute)) {
    for attribute in attributes {
        let path = path.then(attribute.name);
        visit(&path, attribute);
        walk(attribute.children(), &path, visit);
    }
}

fn object_type(attributes: &[Attribute]) -> Type {
    Type::object(attributes.iter().map(|attribute| (attribute.name, attribute.value_type())))
}

impl Attribute {
    /// The type of its values.
    pub fn value_type(&self) -> Type {
        match &self.kind {
            Kind::Plain(ty) => ty.clone(),
            Kind::Nested(nesting, attributes) => {
                let object = object_type(attributes);
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Set => Type::set(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }

    /// The nested attributes; none when it holds a plain type.
    pub fn children(&self) -> &[Self] {
        match &self.kind {
            Kind::Plain(_) => &[],
            Kind::Nested(_, attributes) => attributes,
        }
    }

    /// Whether the provider may give the value.
    pub fn is_computed(&self) -> bool {
        matches!(self.mode, Mode::Computed | Mode::OptionalComputed)
    }

    /// Whether it or an attribute in it is sensitive.
    pub fn holds_sensitive(&self) -> bool {
        self.sensitive || self.children().iter().any(Self::holds_sensitive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Schema {
        let attributes = vec![
            Attribute::required("name", Type::String),
            Attribute::optional("tags", Type::map(Type::String)),
            Attribute::nested(
                "modules",
                Mode::Optional,
                Nesting::List,
                vec![
                    Attribute::required("name", Type::String),
                    Attribute::nested(
                        "secrets",
                        Mode::Optional,
                        Nesting::Set,
                        vec![Attribute::optional("token", Type::String).sensitive()],
                    ),
                ],
            ),
        ];
        Schema { attributes, ..Schema::default() }
    }

    #[test]
    fn a_schema_has_the_type_of_its_objects() {
        let expect = Type::object([
            ("name", Type::String),
            ("tags", Type::map(Type::String)),
            (
                "modules",
                Type::list(Type::object([
                    ("name", Type::String),
                    ("secrets", Type::set(Type::object([("token", Type::String)]))),
                ])),
            ),
        ]);
        assert_eq!(sample().object_type(), expect);
    }

    #[test]
    fn a_path_means_an_attribute() {
        let schema = sample();
        let name = |path: &Path| schema.attribute_at(path).map(|attribute| attribute.name);
        let modules = Path::attribute("modules");
        assert_eq!(name(&modules.index(0).then("name")), Some("name"));
        assert_eq!(name(&modules.index(0).then("secrets").then("token")), Some("token"));
        assert_eq!(name(&Path::attribute("tags").key("k")), Some("tags"));
        assert_eq!(name(&Path::attribute("none")), None);
        assert_eq!(name(&Path::root()), None);
    }

    #[test]
    fn what_holds_something_sensitive_is_sensitive() {
        let schema = sample();
        let modules = Path::attribute("modules");
        for (path, sensitive) in [
            (Path::attribute("name"), false),
            (modules.clone(), true),
            (modules.index(0).then("name"), false),
            (modules.index(0).then("secrets"), true),
            (modules.index(0).then("secrets").then("token"), true),
        ] {
            assert_eq!(schema.is_sensitive_at(&path), sensitive, "{path}");
        }
    }

    #[test]
    fn a_walk_meets_every_attribute() {
        let schema = sample();
        let mut met = Vec::new();
        schema.walk(&mut |path, _| met.push(path.to_string()));
        assert_eq!(met, ["name", "tags", "modules", "modules.name", "modules.secrets", "modules.secrets.token"]);
    }
}
