//! Read: what the release owns of each object as it stands, and a revision that somebody else has made since.
//!
//! A newer revision that helm deployed is read as an import would read it, so that a plan shows the version and the values
//! that differ and not only the objects.

use futures_util::future::try_join_all;
use kubernetes::{Cluster, Error, ErrorKind, Limits, Object, ObjectRef, drift};
use plugin::{Applied, Context, Diagnostics, ReadRequest, Value};
use serde_json::Value as Json;

use super::{
    import, manifest,
    memory::Memory,
    namespace, objects,
    record::{Record, Status, history::History},
    records::{NoRecords, Records},
    values::Release,
    wanted::{Manner, Wanted, manifest_value, release, timeouts},
};
use crate::{
    clusters::{Clusters, NoCluster, refresh_limits},
    texts::device_plugin_release::engine::Say,
};

pub(super) async fn read(
    clusters: &Clusters,
    context: &Context,
    request: ReadRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let ReadRequest { state, private } = request;
    let Some(release) = release(&state) else { return Some(Applied { state, private }) };
    let mut say = Say::new(&release, diagnostics);
    let kept = Applied { state: state.clone(), private: private.clone() };
    let cluster = match clusters.cluster() {
        Ok(cluster) => cluster,
        Err(NoCluster::Unknown(attribute)) => {
            say.not_refreshed_unknown(&attribute);
            return Some(kept);
        }
        Err(why) => {
            say.no_cluster(&why);
            return Some(kept);
        }
    };
    let span = timeouts(&state).read;
    let memory = Memory::beside(&state, &private);
    let look = Look { cluster: &cluster, limits: refresh_limits(span, context), release: &release };
    // The nodes are for a warning in the plan, which makes no call of its own when nothing changes.
    let (looked, _) = tokio::join!(look.at(state, memory), clusters.talos_nodes(&cluster, context));
    match looked {
        Ok(Some(Seen { applied, memory, going, unseen })) => {
            if let Some(error) = unseen {
                say.record_is_unseen(&error);
            }
            for at in &going {
                say.is_going(at);
            }
            for at in memory.objects.iter().filter_map(objects::place) {
                clusters.note_ours(&at);
            }
            Some(applied)
        }
        Ok(None) => None,
        Err(why) => {
            say.no_records(&why, "Reading", span);
            Some(kept)
        }
    }
}

struct Look<'a> {
    cluster: &'a Cluster,
    limits: Limits,
    release: &'a Release,
}

/// What a look has found.
struct Seen {
    applied: Applied,
    memory: Memory,
    /// Objects that are deleted and still there.
    going: Vec<ObjectRef>,
    /// Why the records could not be seen.
    unseen: Option<Error>,
}

impl Seen {
    fn of(mut state: Value, memory: Memory, lives: &[Option<Object>], unseen: Option<Error>) -> Self {
        state.set("manifest", manifest_value(&standing(&state, &memory, lives)));
        let going = lives.iter().flatten().filter(|live| live.is_going()).filter_map(|live| live.reference().ok());
        Self { applied: Applied { state, private: memory.to_private() }, going: going.collect(), memory, unseen }
    }
}

impl Look<'_> {
    /// `None` when nothing of the release is left.
    ///
    /// Records and objects are asked for at the same time. Where the records tell that somebody else has been at work, the
    /// objects may have been seen in the midst of it, or be others: they are asked for again.
    async fn at(&self, mut state: Value, mut memory: Memory) -> Result<Option<Seen>, NoRecords> {
        let (records, seen) = tokio::join!(self.records(&state), self.lives(&memory));
        let records = match records {
            // The way out is to leave the record out, which begins with a refresh as every change does.
            Err(NoRecords::Call(error)) if matches!(error.kind(), ErrorKind::Forbidden { .. }) => {
                return Ok(Some(Seen::of(state, memory, &seen?, Some(error))));
            }
            other => other?,
        };
        let lives = match newer(&records.history, &memory) {
            Newer::Nothing => seen?,
            Newer::Begun => {
                memory.unfinished = true;
                self.lives(&memory).await?
            }
            Newer::Deployed(record) => {
                drop(import::adopt(&mut state, &mut memory, record));
                self.lives(&memory).await?
            }
        };
        let latest = records.history.latest().map(|record| i64::from(record.number()));
        let is_empty = latest.is_none() && lives.iter().all(Option::is_none);
        if is_empty && !self.has_namespace(&memory).await? {
            return Ok(None);
        }
        state.set("revision", if latest.is_some() { memory.revision.map(i64::from).into() } else { Value::Null });
        Ok(Some(Seen::of(state, memory, &lives, None)))
    }

    async fn records(&self, state: &Value) -> Result<Records, NoRecords> {
        match Manner::of(state).writes_record {
            true => Records::read(self.cluster, self.release, &self.limits).await,
            false => Ok(Records::default()),
        }
    }

    async fn lives(&self, memory: &Memory) -> Result<Vec<Option<Object>>, Error> {
        let looks = memory.objects.iter().map(|owned| async move {
            match objects::place(owned) {
                Some(at) => self.cluster.get(&at, &self.limits).await,
                None => Ok(None),
            }
        });
        try_join_all(looks).await
    }

    async fn has_namespace(&self, memory: &Memory) -> Result<bool, Error> {
        let Some(uid) = &memory.namespace else { return Ok(false) };
        let live = self.cluster.get(&namespace::place(self.release), &self.limits).await?;
        Ok(live.is_some_and(|live| live.uid() == uid && !live.is_going()))
    }
}

/// What others have written into the records since the last apply.
enum Newer<'a> {
    Nothing,
    /// A revision that did not end well, or has not ended, or one that is being taken away.
    Begun,
    Deployed(&'a Record),
}

fn newer<'a>(history: &'a History, memory: &Memory) -> Newer<'a> {
    match history.latest() {
        Some(latest) if latest.status() != Status::Deployed => Newer::Begun,
        Some(latest) if Some(latest.number()) != memory.revision => Newer::Deployed(latest),
        _ => Newer::Nothing,
    }
}

/// Our fields of the objects that are there. What means the same is said in the words of today's rendering.
fn standing(state: &Value, memory: &Memory, lives: &[Option<Object>]) -> Vec<Json> {
    let rendered = Wanted::of(state).map(|wanted| wanted.owned()).unwrap_or_default();
    let words = |owned: &Json| -> Option<Object> {
        let ours = Object::new(owned.clone()).ok()?;
        let key = manifest::Key::of(owned);
        let today = rendered.iter().find(|object| manifest::Key::of(object) == key).cloned();
        let today = today.and_then(|today| Object::new(today).ok());
        let is_same = |today: &Object| {
            *today == ours
                || (drift::differences(today, &ours).is_empty() && drift::differences(&ours, today).is_empty())
        };
        Some(today.filter(is_same).unwrap_or(ours))
    };
    let each = memory.objects.iter().zip(lives).filter_map(|(owned, live)| {
        let (ours, live) = words(owned).zip(live.as_ref())?;
        Some(drift::standing(&ours, live))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{record::Revision, versions::Chart};
    use super::*;

    #[test]
    fn a_release_that_is_being_taken_away_is_not_as_it_was_although_its_revision_is() {
        let release = Release { name: "r".into(), namespace: "n".into() };
        let record = Record::new(&Revision {
            chart: Chart::newest(),
            release: &release,
            number: 1,
            values: &json!({}),
            objects: &[],
            first_deployed: None,
            status: Status::Deployed,
            description: "",
            now: 0,
        });
        let memory = Memory { revision: Some(1), ..Memory::default() };
        let with = |status: Status| {
            let history = History::new(vec![record.clone().with_status(status, "")]);
            matches!(newer(&history, &memory), Newer::Begun)
        };
        assert!(!with(Status::Deployed));
        assert!(with(Status::Uninstalling));
    }
}
