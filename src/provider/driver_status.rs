//! `nvidia_driver_status`: what the guide reads by eye, in one place and with a verdict.
//!
//! `gather` asks the node, `parse` reads its files, `verdict` decides purely what is wrong, `report` makes the object.
//! It changes nothing and waits for nothing: it says what is there at this moment.

mod facts;
mod gather;
mod hardware;
mod parse;
mod report;
mod schema;
mod verdict;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use plugin::{Context, DataSource, Diagnostics, Schema, Value};
use talos::version::Support;

use self::{
    facts::Facts,
    gather::{NoAnswer, gather},
};
pub(crate) use self::{
    facts::{Gpu, Service},
    hardware::{NeedsFabricManager, TooOld},
    verdict::Problem,
};
use crate::{
    configuration::OnUnreachable,
    node_patch::Target,
    nodes::{NoNode, Nodes},
    texts::Say,
};

/// How long a read may take in all.
const LIMIT: Duration = Duration::from_secs(60);

/// The data source type.
pub(crate) struct DriverStatus {
    nodes: Arc<Nodes>,
}

impl DriverStatus {
    pub(crate) fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// The facts of a node; `None` when why there are none was said as an error.
    async fn ask(&self, context: &Context, target: &Target, say: &mut Say<'_>) -> Option<Answer> {
        let snapshot = match self.nodes.snapshot(&target.node, target.endpoint.as_deref()) {
            Ok(snapshot) => snapshot,
            Err(NoNode::Unknown(attribute)) => {
                say.status_needs_known_configuration(&attribute);
                return None;
            }
            Err(why) => {
                why.say(say);
                return None;
            }
        };
        let outcome = tokio::select! {
            () = context.stop.cancelled() => {
                say.interrupted("was reading the driver's status");
                return None;
            }
            outcome = tokio::time::timeout(LIMIT, gather(&snapshot)) => outcome,
        };
        let is_lenient = self.nodes.on_unreachable() == OnUnreachable::Warn;
        match outcome {
            Ok(Ok(facts)) => Some(Answer::Facts(Box::new(facts))),
            Ok(Err(NoAnswer::Call(error))) if error.is_unreachable() && is_lenient => {
                Some(Answer::None(say.status_of_a_silent_node(&error)))
            }
            Ok(Err(why)) => {
                why.say(say);
                None
            }
            Err(_) if is_lenient => Some(Answer::None(say.status_of_a_slow_node(LIMIT))),
            Err(_) => {
                say.status_too_slow(LIMIT);
                None
            }
        }
    }
}

/// What a read has come to.
enum Answer {
    Facts(Box<Facts>),
    /// The node cannot be reached, and the provider is to go on: the sentence that says so.
    None(String),
}

#[async_trait]
impl DataSource for DriverStatus {
    fn type_name(&self) -> &'static str {
        "nvidia_driver_status"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn read(&self, context: &Context, config: Value, diagnostics: &mut Diagnostics) -> Option<Value> {
        let target = Target::from(&config)?;
        let mut say = Say { node: &target.node, diagnostics };
        match self.ask(context, &target, &mut say).await? {
            Answer::Facts(facts) => {
                if facts.version.support() == Support::Newer {
                    say.newer_than_known(&facts.tag);
                }
                let problems = verdict::verdict(&facts);
                Some(report::object(&config, &facts, &problems))
            }
            Answer::None(sentence) => Some(report::silent(&config, sentence)),
        }
    }
}
