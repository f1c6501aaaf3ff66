//! A data source that breaks rules.

use plugin::{Attribute, Context, DataSource, Diagnostics, Schema, Type, Value, async_trait};

pub(crate) struct Lookup;

#[async_trait]
impl DataSource for Lookup {
    fn type_name(&self) -> &'static str {
        "faulty_lookup"
    }

    fn schema(&self) -> Schema {
        Schema {
            attributes: vec![
                Attribute::required("name", Type::String),
                Attribute::optional("fault", Type::String),
                Attribute::computed("out", Type::String),
            ],
            ..Schema::default()
        }
    }

    async fn read(&self, _context: &Context, config: Value, _diagnostics: &mut Diagnostics) -> Option<Value> {
        let mut found = config.clone();
        found.set("out", "found".into());
        match config.get("fault").string().known() {
            Some("finds nothing") => return None,
            Some("unknown") => found.set("out", Value::unknown()),
            Some("wrong type") => found.set("out", true.into()),
            Some("panics") => panic!("the lookup was told to"),
            _ => {}
        }
        Some(found)
    }
}
