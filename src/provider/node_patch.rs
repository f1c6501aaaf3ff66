//! `talos_nvidia_node_patch`: the part of a machine configuration that NVIDIA GPUs need, and nothing else of it.
//!
//! `plan` and `observe` decide purely what a plan says and what a read stores; `prospect` works a change out on a
//! node's present configuration; `check` says what is wrong with it; `apply`, `boot` and `wait` carry it out.

mod apply;
mod boot;
mod check;
mod claim;
mod destroy;
mod import;
mod memory;
mod model;
mod observe;
mod patch_text;
mod plan;
pub(crate) mod prospect;
mod read;
pub(crate) mod schema;
mod turn;
mod wait;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use plugin::{
    Applied, ApplyRequest, Context, DeleteRequest, Diagnostics, Field, Imported, PlanRequest, Planned, Private,
    ReadRequest, Resource, Schema, Timeouts, Value,
};

use self::{memory::Memory, plan::Effect};
use crate::{nodes::Nodes, texts::Say};

/// The resource type.
pub(crate) struct NodePatch {
    nodes: Arc<Nodes>,
}

impl NodePatch {
    pub(crate) fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// What the object remembers that a plan may replace, as its private state or as a create carries it.
    fn former(&self, request: &PlanRequest) -> Private {
        if request.prior.is_none() && request.private.0.is_empty() {
            memory::carry(self.nodes.planned(|claims| claims.replaceable()))
        } else {
            request.private.clone()
        }
    }
}

/// The node of an object and the endpoint to go through.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) node: String,
    pub(crate) endpoint: Option<String>,
}

impl Target {
    /// `None` while one of the two is unknown.
    pub(crate) fn from(object: &Value) -> Option<Self> {
        let endpoint = match object.get("endpoint").string() {
            Field::Unknown => return None,
            Field::Null => None,
            Field::Known(text) => Some(text.to_owned()),
        };
        Some(Self { node: object.get("node").string().known()?.to_owned(), endpoint })
    }
}

/// The node of an object, for a message.
fn named(object: &Value) -> &str {
    object.get("node").string().known().unwrap_or_default()
}

fn timeouts(object: &Value) -> Timeouts {
    Timeouts::from(object.get("timeouts"), schema::TIMEOUTS)
}

#[async_trait]
impl Resource for NodePatch {
    fn type_name(&self) -> &'static str {
        "talos_nvidia_node_patch"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn plan(&self, _context: &Context, request: PlanRequest, diagnostics: &mut Diagnostics) -> Planned {
        let memory = match Memory::of(&request.private) {
            Ok(memory) => memory,
            Err(newer) => {
                Say { node: named(&request.planned), diagnostics }.newer_memory(newer.0);
                return Planned { state: request.planned, replace: Vec::new(), private: request.private };
            }
        };
        let decision = plan::decide(&request, memory.as_ref());
        let machine = match decision.effect {
            Effect::None => check::unchanged(&self.nodes, &decision, diagnostics),
            Effect::Create => {
                // A form that this release does not know is told of above, or by the destroy of what has it.
                let replaced = memory::formers(&self.former(&request)).unwrap_or_default();
                check::plan(&self.nodes, &decision, None, &replaced, diagnostics).await
            }
            Effect::Change => check::plan(&self.nodes, &decision, memory.as_ref(), &[], diagnostics).await,
        };
        let claimed = claim::Claimed { request: &request, decision: &decision, memory: memory.as_ref(), machine };
        claimed.check(&self.nodes, diagnostics).await;
        // Looked at last, when most of the stored resources of this walk are planned and so are not replaced.
        let private = self.former(&request);
        Planned { state: decision.planned, replace: Vec::new(), private }
    }

    async fn plan_destroy(&self, _context: &Context, request: DeleteRequest, diagnostics: &mut Diagnostics) {
        destroy::plan(&self.nodes, &request, diagnostics).await;
    }

    async fn read(&self, _context: &Context, request: ReadRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        Some(read::read(&self.nodes, request, diagnostics).await)
    }

    async fn create(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Option<Applied> {
        apply::create(&self.nodes, context, request, diagnostics).await
    }

    async fn update(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Applied {
        apply::update(&self.nodes, context, request, diagnostics).await
    }

    async fn delete(
        &self,
        context: &Context,
        request: DeleteRequest,
        diagnostics: &mut Diagnostics,
    ) -> Option<Applied> {
        destroy::delete(&self.nodes, context, request, diagnostics).await
    }

    async fn import(&self, _context: &Context, id: &str, diagnostics: &mut Diagnostics) -> Option<Imported> {
        import::import(&self.nodes, id, diagnostics).await
    }
}
