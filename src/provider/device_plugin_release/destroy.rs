//! Destroy: the objects in the reverse of Helm's order, the release records, the namespace where it is ours and empty.

use std::time::Duration;

use kubernetes::{Cluster, Limits};
use plugin::{Applied, Context, DeleteRequest, Diagnostics};
use serde_json::Value as Json;

use super::{
    apply::{self, Stopped},
    manifest::{self, Key},
    memory::Memory,
    namespace::{self, Left},
    objects::{self, Removed},
    records::{self, Records},
    signs,
    values::Release,
    wanted::{Manner, release, timeouts},
};
use crate::{clusters::Clusters, run, texts::device_plugin_release::engine::Say};

/// `Some`: part of it is still there.
pub(super) async fn delete(
    clusters: &Clusters,
    context: &Context,
    request: DeleteRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let DeleteRequest { prior, private } = request;
    let release = release(&prior)?;
    let mut say = Say::new(&release, diagnostics);
    let span: Duration = timeouts(&prior).delete;
    let mut memory = Memory::beside(&prior, &private);
    let cluster = match clusters.cluster() {
        Ok(cluster) => cluster,
        Err(why) => {
            say.no_cluster(&why);
            return Some(Applied { state: prior, private });
        }
    };
    let limits = Limits::patient(span, &context.stop);
    let mut work = Work { cluster, limits, release: &release, memory: &mut memory, say };
    match work.run(Manner::of(&prior).writes_record).await {
        Ok(()) => None,
        Err(stopped) => {
            work.say.stopped(&stopped, span, false);
            Some(Applied { state: prior, private: memory.to_private() })
        }
    }
}

struct Work<'a, 'd> {
    cluster: Cluster,
    limits: Limits,
    release: &'a Release,
    memory: &'a mut Memory,
    say: Say<'d>,
}

impl Work<'_, '_> {
    async fn run(&mut self, has_record: bool) -> Result<(), Stopped> {
        let records = match has_record {
            true => apply::settled(&self.cluster, self.release, &self.limits).await?,
            false => Records::default(),
        };
        if let Some(busy) = records.busy() {
            if busy.is_fresh() {
                return Err(Stopped::Busy(busy));
            }
            self.say.goes_on_after(&busy);
        }
        let (latest, run) = (records.history.latest(), run::id());
        if let Some(latest) = latest {
            records::uninstalling(&self.cluster, latest, &run, &self.limits).await?;
            // What a revision of helm's has made since the last refresh.
            for object in latest.objects().unwrap_or_default() {
                self.memory.note(manifest::owned(&object));
            }
        }
        let (cluster, limits, at) = (self.cluster.clone(), self.limits.clone(), latest.map(records::place));
        signs::beside(&cluster, at.as_ref(), &run, &limits, self.objects()).await?;
        records.purge(&self.cluster, &self.limits).await?;
        self.namespace().await
    }

    async fn objects(&mut self) -> Result<(), Stopped> {
        for owned in in_delete_order(&self.memory.objects) {
            self.object(&owned).await?;
        }
        Ok(())
    }

    async fn object(&mut self, owned: &Json) -> Result<(), Stopped> {
        if let Some(at) = objects::place(owned)
            && objects::remove(&self.cluster, &at, self.release, &self.limits).await? == Removed::Foreign
        {
            self.say.is_left(&at);
        }
        self.memory.forget(&Key::of(owned));
        Ok(())
    }

    async fn namespace(&mut self) -> Result<(), Stopped> {
        let uid = self.memory.namespace.clone();
        // What was made by an apply that did not end may not be remembered; the namespace itself says whose it is.
        if uid.is_none() && !self.memory.unfinished {
            return Ok(());
        }
        match namespace::remove(&self.cluster, self.release, uid.as_deref(), &self.limits).await? {
            Left::Gone => {}
            Left::InUse(others) => self.say.namespace_is_left(&others),
            Left::Unseen(error) => self.say.namespace_is_unseen(&error),
        }
        Ok(())
    }
}

fn in_delete_order(objects: &[Json]) -> Vec<Json> {
    let keys = manifest::in_delete_order(objects.iter().map(Key::of).collect());
    let find = |key: &Key| objects.iter().find(|object| Key::of(object) == *key).cloned();
    keys.iter().filter_map(find).collect()
}
