//! `nvidia_runtime_class`: the RuntimeClass by which pods ask for the NVIDIA runtime.
//!
//! `plan` and `observe` decide purely what a plan says and what a read stores; `check` says at plan what the cluster
//! shows; `apply` and `destroy` carry it out. Owned is what the last apply wanted ([`model::Memory`]) and nothing else.

mod apply;
mod check;
mod destroy;
mod import;
mod model;
mod observe;
mod plan;
mod read;
mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use kubernetes::{Kind, ObjectRef};
use plugin::{
    Applied, ApplyRequest, Context, DeleteRequest, Diagnostics, Imported, PlanRequest, Planned, ReadRequest, Resource,
    Schema, Timeouts, Value,
};

use self::{model::Memory, plan::Effect};
use crate::clusters::{Clusters, MANAGER, Names};

/// The resource type.
pub(crate) struct RuntimeClass {
    clusters: Arc<Clusters>,
    names: Names,
}

impl RuntimeClass {
    pub(crate) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters, names: Names::default() }
    }
}

/// Where an object stands; `None` while its name is unknown.
fn target(object: &Value) -> Option<ObjectRef> {
    Some(ObjectRef::of_cluster(Kind::RUNTIME_CLASS, object.get("name").string().known()?))
}

fn timeouts(object: &Value) -> Timeouts {
    Timeouts::from(object.get("timeouts"), schema::TIMEOUTS)
}

#[async_trait]
impl Resource for RuntimeClass {
    fn type_name(&self) -> &'static str {
        "nvidia_runtime_class"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn plan(&self, context: &Context, request: PlanRequest, diagnostics: &mut Diagnostics) -> Planned {
        let memory = Memory::of(&request.private);
        let decision = plan::decide(&request, memory.as_ref());
        if let Some(at) = request.prior.as_ref().and_then(target) {
            check::one_address(&self.clusters, &at, diagnostics);
        }
        match decision.effect {
            Effect::None => check::unchanged(&self.clusters, &decision, diagnostics),
            Effect::Create => check::create(&self.clusters, context, &decision, diagnostics).await,
            Effect::Change => check::change(&self.clusters, context, &decision, diagnostics).await,
        }
        Planned { state: decision.planned, replace: Vec::new(), private: request.private }
    }

    async fn read(&self, context: &Context, request: ReadRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        read::read(&self.clusters, context, request, diagnostics).await
    }

    async fn create(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        apply::create(&self.clusters, &self.names, context, request, diagnostics).await
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
