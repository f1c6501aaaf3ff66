//! The product: NVIDIA GPUs on Talos Linux, as resources of Terraform and OpenTofu.
//!
//! The only room that sees the others. It decides purely (what to edit, what is drift, what needs a reboot) and lets
//! `talos` and `kubernetes` carry it out; it meets neither wire types nor gRPC.

mod clusters;
mod configuration;
pub mod device_plugin_release;
mod driver_status;
mod extensions;
mod kernel_modules;
mod node_patch;
mod nodes;
mod object_rules;
mod pending;
mod run;
mod runtime_class;
mod smoke_test;
mod texts;

use std::sync::Arc;

use async_trait::async_trait;
use plugin::{Context, DataSource, Diagnostics, Provider, Resource, Schema, Value};

use crate::{
    clusters::Clusters, device_plugin_release::DevicePluginRelease, driver_status::DriverStatus, node_patch::NodePatch,
    nodes::Nodes, runtime_class::RuntimeClass, smoke_test::SmokeTest,
};

/// The provider `nvidia`.
#[derive(Clone, Default)]
pub struct Nvidia {
    nodes: Arc<Nodes>,
    clusters: Arc<Clusters>,
}

impl Nvidia {
    /// Connects to nothing; what a resource needs is reached when it needs it.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Provider for Nvidia {
    fn schema(&self) -> Schema {
        configuration::schema()
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![
            Arc::new(NodePatch::new(Arc::clone(&self.nodes))),
            Arc::new(RuntimeClass::new(Arc::clone(&self.clusters))),
            Arc::new(DevicePluginRelease::new(Arc::clone(&self.clusters))),
            Arc::new(SmokeTest::new(Arc::clone(&self.clusters))),
        ]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        vec![Arc::new(DriverStatus::new(Arc::clone(&self.nodes)))]
    }

    async fn validate(&self, _context: &Context, config: &Value, diagnostics: &mut Diagnostics) {
        configuration::validate(config, diagnostics);
    }

    async fn configure(&self, _context: &Context, config: &Value, _diagnostics: &mut Diagnostics) {
        self.nodes.configure(configuration::TalosSettings::from(config));
        self.clusters.configure(configuration::KubernetesSettings::from(config));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One bad type makes the whole provider unusable for Terraform, even where nobody uses it.
    #[test]
    fn terraform_takes_every_schema() {
        assert_eq!(plugin::schema::provider_problems(&Nvidia::new()), Vec::<String>::new());
    }
}
