//! The messages of Talos's API, made from `proto/talos`. Nothing outside this crate sees them.

#![expect(unreachable_pub, clippy::allow_attributes_without_reason, reason = "generated code")]

pub(crate) mod common {
    tonic::include_proto!("common");
}

pub(crate) mod machine {
    tonic::include_proto!("machine");
}

pub(crate) mod cosi {
    tonic::include_proto!("cosi.resource");
}

pub(crate) mod config {
    tonic::include_proto!("resource.config");
}

pub(crate) mod extensions {
    tonic::include_proto!("talos.resource.definitions.extensions");
}

pub(crate) mod files {
    tonic::include_proto!("talos.resource.definitions.files");
}

pub(crate) mod hardware {
    tonic::include_proto!("talos.resource.definitions.hardware");
}

pub(crate) mod runtime {
    tonic::include_proto!("talos.resource.definitions.runtime");
}

pub(crate) mod v1alpha1 {
    tonic::include_proto!("talos.resource.definitions.v1alpha1");
}
