//! `nvidia_smoke_test`: nvidia-smi in a pod, to its end, as a step of the apply.
//!
//! `plan` decides purely what a plan says, `manifest` what the pod is, `reason` why a test failed, and `nvidia_smi` what
//! an output means; `run` makes the pod, watches it and takes it away again, and `place` sees to it that the name is free.
//!
//! There is nothing to read: what a test found stays true of the moment when it ran. Nothing is left to delete either,
//! unless the pod could not be deleted after the test, which the private state remembers.

mod cleanup;
pub(crate) mod log;
mod manifest;
pub(crate) mod model;
pub(crate) mod nodes;
mod nvidia_smi;
mod place;
mod plan;
pub(crate) mod pod;
pub(crate) mod reason;
mod run;
mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use plugin::{
    Applied, ApplyRequest, Context, DeleteRequest, Diagnostics, PlanRequest, Planned, ReadRequest, Resource, Schema,
    Timeouts, Value,
};

use crate::{
    clusters::{Clusters, Names},
    texts::cluster::SayOf,
};

/// The resource type.
pub(crate) struct SmokeTest {
    clusters: Arc<Clusters>,
    names: Names,
}

impl SmokeTest {
    pub(crate) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters, names: Names::default() }
    }
}

fn timeouts(object: &Value) -> Timeouts {
    Timeouts::from(object.get("timeouts"), schema::TIMEOUTS)
}

#[async_trait]
impl Resource for SmokeTest {
    fn type_name(&self) -> &'static str {
        "nvidia_smoke_test"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, _context: &Context, config: &Value, diagnostics: &mut Diagnostics) {
        schema::validate(config, diagnostics);
    }

    async fn plan(&self, _context: &Context, request: PlanRequest, diagnostics: &mut Diagnostics) -> Planned {
        let state = plan::decide(&request);
        if let Some(at) = plan::runs(&state)
            && let Err(why) = self.clusters.cluster()
            && !why.may_still_come()
        {
            // What the configuration alone decides. The cluster itself is not asked before the apply.
            SayOf { object: &at, at: "name", diagnostics }.no_cluster(&why);
        }
        Planned { state, replace: Vec::new(), private: request.private }
    }

    async fn read(&self, _context: &Context, request: ReadRequest, _diagnostics: &mut Diagnostics) -> Option<Applied> {
        Some(Applied { state: request.state, private: request.private })
    }

    async fn create(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        run::create(&self.clusters, &self.names, context, request, diagnostics).await
    }

    async fn update(&self, _context: &Context, request: ApplyRequest, _diagnostics: &mut Diagnostics) -> Applied {
        // Only a timeout changes in place.
        Applied { state: request.planned, private: request.private }
    }

    async fn delete(
        &self,
        context: &Context,
        request: DeleteRequest,
        diagnostics: &mut Diagnostics,
    ) -> Option<Applied> {
        cleanup::delete(&self.clusters, context, request, diagnostics).await
    }
}
