//! `nvidia_device_plugin_release`: what `helm install` of NVIDIA's device plugin does, without helm.
//!
//! `schema` defines the attributes, `model` turns them into the chart's values and back, `values` puts those over the
//! chart's defaults, `check` refuses what the chart refuses, `render` gives the objects of a version, and `record` is
//! what Helm keeps of a release. `manifest` says what a plan shows of the objects, `rollout`, `placement` and `obstacles`
//! whether and why not their pods run, `wanted` and `plan` what an apply would do. All of that is pure.
//!
//! `outlook` says at plan what the cluster shows, `apply`, `wait`, `read`, `destroy` and `import` carry out, over `objects`,
//! `records` and `namespace`, which know one thing on the cluster each. What is ours is kept in `memory`.

pub(crate) mod apply;
mod check;
mod config_file;
mod destroy;
mod import;
mod managed_fields;
pub(crate) mod manifest;
mod memory;
mod model;
pub(crate) mod namespace;
mod objects;
pub(crate) mod obstacles;
mod outlook;
mod placement;
mod plan;
mod read;
mod record;
pub(crate) mod records;
mod render;
mod rollout;
mod schema;
mod signs;
#[cfg(test)]
mod snapshots;
pub(crate) mod standing;
mod values;
pub(crate) mod versions;
pub(crate) mod wait;
mod wanted;
mod yaml;

use std::sync::Arc;

use async_trait::async_trait;
use plugin::{
    Applied, ApplyRequest, Context, DeleteRequest, Diagnostics, Imported, PlanRequest, Planned, ReadRequest, Resource,
    Schema, Value,
};

pub use check::{Refused, refused};
pub use model::{Left, through_attributes};
pub use render::render;
pub use values::{NotValues, Release, Values};
pub use versions::{CHARTS, Chart, Version};

use self::{memory::Memory, plan::Effect};
use crate::clusters::Clusters;

/// The field manager of helm, which goes on where we leave off without a conflict.
const MANAGER: &str = "helm";

/// The resource type.
pub(crate) struct DevicePluginRelease {
    clusters: Arc<Clusters>,
}

impl DevicePluginRelease {
    pub(crate) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters }
    }
}

#[async_trait]
impl Resource for DevicePluginRelease {
    fn type_name(&self) -> &'static str {
        "nvidia_device_plugin_release"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, _context: &Context, config: &Value, diagnostics: &mut Diagnostics) {
        check::configuration(config, diagnostics);
    }

    async fn plan(&self, context: &Context, request: PlanRequest, diagnostics: &mut Diagnostics) -> Planned {
        let memory = match &request.prior {
            Some(prior) => Memory::beside(prior, &request.private),
            None => Memory::default(),
        };
        let decision = plan::decide(&request, &memory);
        if let Some(release) = request.prior.as_ref().and_then(wanted::release) {
            outlook::one_address(&self.clusters, &release, diagnostics);
        }
        if decision.effect != Effect::None {
            // With the defaults filled in, and what was unknown when the configuration was checked.
            check::configuration(&decision.planned, diagnostics);
        }
        if !diagnostics.has_errors() {
            outlook::look(&self.clusters, context, &decision, diagnostics).await;
        }
        Planned { state: decision.planned, replace: Vec::new(), private: request.private }
    }

    async fn read(&self, context: &Context, request: ReadRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        read::read(&self.clusters, context, request, diagnostics).await
    }

    async fn create(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        apply::create(&self.clusters, context, request, diagnostics).await
    }

    async fn update(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Applied {
        apply::update(&self.clusters, context, request, diagnostics).await
    }

    async fn delete(
        &self,
        context: &Context,
        request: DeleteRequest,
        diagnostics: &mut Diagnostics,
    ) -> Option<Applied> {
        destroy::delete(&self.clusters, context, request, diagnostics).await
    }

    async fn import(&self, context: &Context, id: &str, diagnostics: &mut Diagnostics) -> Option<Imported> {
        import::import(&self.clusters, context, id, diagnostics).await
    }
}
