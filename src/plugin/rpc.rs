//! The calls of the provider service, one file each: decode, ask the rules, ask the provider, check its answer, encode.
//!
//! What a failure means is said in diagnostics, never in a gRPC status: the CLI shows a status as a crash.

pub(crate) mod apply_resource_change;
pub(crate) mod call_function;
pub(crate) mod configure_provider;
pub(crate) mod get_functions;
pub(crate) mod get_metadata;
pub(crate) mod get_provider_schema;
pub(crate) mod get_resource_identity_schemas;
pub(crate) mod import_resource_state;
pub(crate) mod move_resource_state;
pub(crate) mod plan_resource_change;
pub(crate) mod read_data_source;
pub(crate) mod read_resource;
pub(crate) mod stop_provider;
pub(crate) mod upgrade_resource_state;
pub(crate) mod validate_data_resource_config;
pub(crate) mod validate_provider_config;
pub(crate) mod validate_resource_config;

use crate::{
    diagnostics::Diagnostics,
    path::{Path, Step},
    rules::{Operation, Violation, violation_to_diagnostic},
    value::{Type, Value},
    wire::{
        self,
        tfplugin6::{DynamicValue, ServerCapabilities},
    },
};

/// What this server can do. A destroy is planned, so that a resource can warn; a process serves without having been
/// asked for its schema, so that the CLI asks once a command instead of once a process.
pub(crate) fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: false,
        generate_resource_config: false,
    }
}

/// What the CLI sent, read by the schema. A value that is not of the schema's type is an error of the call.
pub(crate) fn decoded(
    what: &str,
    value: Option<&DynamicValue>,
    ty: &Type,
    diagnostics: &mut Diagnostics,
) -> Option<Value> {
    wire::decode(value, ty)
        .map_err(|error| {
            diagnostics.error(
                Path::root(),
                "A value from Terraform cannot be read",
                format!("{what} does not fit the schema of this release of the provider: {error}."),
            );
        })
        .ok()
}

/// Reports each broken rule as a bug of the provider, before Terraform does it in its own words.
pub(crate) fn report(
    binary: &str,
    type_name: &str,
    operation: Operation,
    violations: &[Violation],
    diagnostics: &mut Diagnostics,
) {
    for violation in violations {
        let message = violation_to_diagnostic(binary, type_name, operation, violation);
        // The keys of a map are the user's; the attribute is ours.
        let attribute = violation.path.0.first().map(|step| match step {
            Step::Attribute(name) => name.as_str(),
            Step::Key(_) | Step::Index(_) => "",
        });
        tracing::error!(attribute, "the provider broke a rule of the protocol");
        diagnostics.error(message.path, message.summary, message.detail);
    }
}

/// What goes back to the CLI. A value that is not of the schema's type is a bug of the provider.
pub(crate) fn encoded(value: &Value, ty: &Type, diagnostics: &mut Diagnostics) -> Option<DynamicValue> {
    wire::encode(value, ty)
        .map_err(|error| {
            diagnostics.error(
                Path::root(),
                "Bug in the provider: a value does not fit the schema",
                format!("{error}. This is a bug of the provider: please report this message."),
            );
        })
        .ok()
}
