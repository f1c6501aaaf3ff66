//! `nvidia_device_plugin_release`: what `helm install` of NVIDIA's device plugin does, without helm.
//!
//! `schema` defines the attributes, `model` turns them into the chart's values and back, `values` puts those over the
//! chart's defaults, `check` refuses what the chart refuses, `render` gives the objects of a version, and `record` is
//! what Helm keeps of a release. `manifest` says what a plan shows of the objects, `rollout`, `placement` and `obstacles`
//! whether and why not their pods run. All of it is pure: nothing here connects.
#![cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the engine that applies a release over the Kubernetes room comes next and uses the rest"
    )
)]

mod check;
mod config_file;
mod manifest;
mod model;
pub(crate) mod obstacles;
mod placement;
mod record;
mod render;
mod rollout;
mod schema;
#[cfg(test)]
mod snapshots;
mod values;
pub(crate) mod versions;
mod yaml;

pub use check::{Refused, refused};
pub use model::{Left, through_attributes};
pub use render::render;
pub use values::{NotValues, Release, Values};
pub use versions::{CHARTS, Chart, Version};
