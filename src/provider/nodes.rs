//! The nodes of one provider: how each is reached, one snapshot of each shared by all that read it, and who may write.
//!
//! A snapshot is dropped by every write to its node and by every ConfigureProvider, so that a plan never shows what an
//! apply has changed. Locks are for writers alone; readers never wait for one another.

mod claims;
mod site;
mod snapshot;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use talos::machine_config::Record;
use tokio::sync::Mutex as AsyncMutex;

pub(crate) use self::{
    claims::{ApplyClaims, Claim, Holding, Overlap, Owner, PlanClaims},
    site::{Kin, Site},
    snapshot::{Running, Snapshot, active, boot_id, loaded, machine, persisted, running},
};
use crate::{
    configuration::{OnUnreachable, TalosSettings},
    texts::Say,
};

/// How long a dial may take: a plan must not hang on a node that is not there.
const DIAL: Duration = Duration::from_secs(5);

/// All nodes of one provider.
#[derive(Default)]
pub(crate) struct Nodes {
    state: Mutex<State>,
    writers: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
    /// One node at a time in a process is rebooted.
    pub(crate) reboots: Arc<AsyncMutex<()>>,
}

#[derive(Default)]
struct State {
    settings: TalosSettings,
    client: Option<talos::Client>,
    snapshots: HashMap<(String, Option<String>), Arc<Snapshot>>,
    planned: PlanClaims,
    applied: ApplyClaims,
    /// What this process has put on machines or taken back from them, for the containers that it made there.
    made: Vec<(Site, Record)>,
    /// Instances that this process has taken back from their node.
    taken_back: HashSet<String>,
}

/// Why a node cannot be asked.
pub(crate) enum NoNode {
    /// The provider block has no `talos`.
    Absent,
    /// This attribute of it is known only after apply.
    Unknown(String),
    /// It cannot be used.
    Bad(talos::config::ConfigError),
}

impl NoNode {
    /// Says it as an error.
    pub(crate) fn say(&self, say: &mut Say<'_>) {
        match self {
            Self::Absent => say.no_talos_block(),
            Self::Unknown(attribute) => say.needs_known_configuration(attribute),
            Self::Bad(error) => say.bad_client_configuration(error),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these hold is whole between any two statements, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Nodes {
    /// Takes a provider block: everything known from an earlier one is dropped.
    pub(crate) fn configure(&self, settings: TalosSettings) {
        *lock(&self.state) = State { settings, ..State::default() };
    }

    /// What to do about a node that cannot be reached.
    pub(crate) fn on_unreachable(&self) -> OnUnreachable {
        match &lock(&self.state).settings {
            TalosSettings::Known(block) => block.on_unreachable,
            TalosSettings::Absent | TalosSettings::Unknown(_) => OnUnreachable::Error,
        }
    }

    /// The snapshot of a node that all readers share, made when nobody has asked yet. Nothing connects here.
    pub(crate) fn snapshot(&self, node: &str, endpoint: Option<&str>) -> Result<Arc<Snapshot>, NoNode> {
        let mut state = lock(&self.state);
        let key = (node.to_owned(), endpoint.map(ToOwned::to_owned));
        if let Some(snapshot) = state.snapshots.get(&key) {
            return Ok(Arc::clone(snapshot));
        }
        // The schema's validator has passed it.
        let endpoint = endpoint.and_then(|text| text.parse::<talos::Endpoint>().ok());
        let node = state.client()?.node(node, endpoint.as_ref()).with_connect_timeout(DIAL);
        let snapshot = Arc::new(Snapshot::new(node));
        state.snapshots.insert(key, Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Drops what is known of a machine, whatever address and endpoint it was asked through.
    pub(crate) fn forget(&self, node: &str) {
        let mut state = lock(&self.state);
        let machines: HashSet<String> = state
            .snapshots
            .iter()
            .filter(|((name, _), _)| name == node)
            .filter_map(|(_, snapshot)| snapshot.known_machine().cloned())
            .collect();
        state.snapshots.retain(|(name, _), snapshot| {
            name != node && snapshot.known_machine().is_none_or(|machine| !machines.contains(machine))
        });
    }

    /// A lock for writers, by the address of a node or by what its machine says it is.
    pub(crate) fn writer(&self, of: &str) -> Arc<AsyncMutex<()>> {
        Arc::clone(lock(&self.writers).entry(of.to_owned()).or_default())
    }

    /// Claims of this plan.
    pub(crate) fn planned<T>(&self, with: impl FnOnce(&mut PlanClaims) -> T) -> T {
        with(&mut lock(&self.state).planned)
    }

    /// Notes what a resource has put on a machine or has taken back from it.
    pub(crate) fn note_made(&self, site: &Site, record: &Record) {
        lock(&self.state).made.push((site.clone(), record.clone()));
    }

    /// A record with the containers that other resources of this process made on the same machine.
    pub(crate) fn with_containers(&self, site: &Site, record: Record) -> Record {
        let state = lock(&self.state);
        let here = state.made.iter().filter(|(made, _)| made.kin(site) == Kin::One);
        here.fold(record, |record, (_, made)| record.with_containers_of(made))
    }

    /// Notes that an instance is gone from its node.
    pub(crate) fn note_taken_back(&self, instance: &str) {
        lock(&self.state).taken_back.insert(instance.to_owned());
    }

    /// Whether this process has taken an instance back from its node.
    pub(crate) fn was_taken_back(&self, instance: &str) -> bool {
        lock(&self.state).taken_back.contains(instance)
    }

    /// Claims of resources that this process has applied.
    pub(crate) fn applied<T>(&self, with: impl FnOnce(&mut ApplyClaims) -> T) -> T {
        with(&mut lock(&self.state).applied)
    }
}

impl State {
    fn client(&mut self) -> Result<&talos::Client, NoNode> {
        let block = match &self.settings {
            TalosSettings::Absent => return Err(NoNode::Absent),
            TalosSettings::Unknown(attribute) => return Err(NoNode::Unknown(attribute.clone())),
            TalosSettings::Known(block) => block,
        };
        if self.client.is_none() {
            let discovery = talos::Discovery {
                config_path: block.config_path.clone(),
                context: block.config_context.clone(),
                endpoints: block.endpoints.clone(),
                inline: block.credentials.clone(),
                environment: talos::config::Environment::of_process(),
            };
            let client = discovery.resolve().and_then(talos::Client::new).map_err(NoNode::Bad)?;
            self.client = Some(client);
        }
        self.client.as_ref().ok_or(NoNode::Absent)
    }
}
