//! The provider of this room's tests, served as a real one is. Its resource breaks a rule of the protocol when the
//! attribute `fault` says so, and waits where a test wants to look.
#![expect(clippy::panic, reason = "panics on request")]

mod gate;
mod lookup;
mod thing;

use std::{process::ExitCode, sync::Arc};

use plugin::{
    Attribute, Context, DataSource, Diagnostics, Path, Provider, Resource, Schema, ServeOptions, Type, Value,
    async_trait,
};

struct Faulty;

#[async_trait]
impl Provider for Faulty {
    fn schema(&self) -> Schema {
        Schema {
            attributes: vec![Attribute::optional("endpoint", Type::String), Attribute::optional("fault", Type::String)],
            ..Schema::default()
        }
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![Arc::new(thing::Thing)]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        vec![Arc::new(lookup::Lookup)]
    }

    async fn configure(&self, _context: &Context, config: &Value, diagnostics: &mut Diagnostics) {
        let fault = config.get("fault").string().known();
        assert_ne!(fault, Some("configure panics"), "configure was told to");
        if fault == Some("configure fails") {
            diagnostics.error(Path::attribute("endpoint"), "No such endpoint", "It was told to fail.");
        }
    }
}

fn main() -> ExitCode {
    plugin::serve(
        Faulty,
        ServeOptions {
            name: "faulty",
            version: "1.2.3",
            address: "registry.terraform.io/test/faulty",
            rooms: &["terraform_provider_faulty"],
        },
    )
}
