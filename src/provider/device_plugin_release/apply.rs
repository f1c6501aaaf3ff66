//! Create and update: namespace, release record, objects in Helm's order, what left the set, the wait, the record's end.
//!
//! A create takes over nothing but what a killed run of this provider has left; an update changes what belongs to the
//! release by Helm's own marks. What was made is known to the state however the apply ends.

mod stopped;

use std::{collections::HashSet, time::Duration};

use kubernetes::{Cluster, Error, ErrorKind, Limits, Object};
use plugin::{Applied, ApplyRequest, Context, Diagnostics, Value};
use serde_json::Value as Json;

pub(crate) use self::stopped::Stopped;
use super::{
    manifest::{self, Change, Key},
    memory::Memory,
    namespace::{self, Ensured},
    objects::{self, Removed},
    plan,
    record::{Record, Status},
    records::{self, Left, Records},
    signs,
    values::Release,
    wait::{self, Wait},
    wanted::{Manner, Wanted, timeouts},
};
use crate::{clusters::Clusters, run, texts::device_plugin_release::engine::Say};

/// The records of a release on which no run of this provider is at work: one that has not ended was listened to.
pub(super) async fn settled(cluster: &Cluster, release: &Release, limits: &Limits) -> Result<Records, Stopped> {
    listened(Records::read(cluster, release, limits).await?, cluster, release, limits).await
}

async fn listened(records: Records, cluster: &Cluster, release: &Release, limits: &Limits) -> Result<Records, Stopped> {
    match records.settled(cluster, release, limits).await? {
        Left::Behind(records) => Ok(records),
        Left::Alive(secret, status) => Err(Stopped::AtWork { secret, status }),
    }
}

/// One apply.
struct Work<'a, 'd> {
    cluster: Cluster,
    wanted: &'a Wanted,
    manner: Manner,
    limits: Limits,
    is_create: bool,
    /// What tells this run from others.
    run: String,
    memory: Memory,
    /// Something was made, so that the state has to know of it.
    made: bool,
    /// Objects that are as they should be.
    applied: Vec<Key>,
    say: Say<'d>,
}

pub(super) async fn create(
    clusters: &Clusters,
    context: &Context,
    request: ApplyRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let planned = request.planned;
    let span = timeouts(&planned).create;
    let (applied, made) = carry_out(clusters, context, planned, None, span, diagnostics).await?;
    made.then_some(applied)
}

pub(super) async fn update(
    clusters: &Clusters,
    context: &Context,
    request: ApplyRequest,
    diagnostics: &mut Diagnostics,
) -> Applied {
    let ApplyRequest { prior, planned, private, .. } = request;
    let memory = Memory::beside(&prior, &private);
    if plan::is_settled(&prior, &planned, Wanted::of(&planned).as_ref(), &memory) {
        return Applied { state: planned, private };
    }
    let span = timeouts(&planned).update;
    match carry_out(clusters, context, planned, Some(memory), span, diagnostics).await {
        Some((applied, true)) => applied,
        _ => Applied { state: prior, private },
    }
}

/// What is there after an apply, and whether anything was done at all. `None`: not even begun.
async fn carry_out(
    clusters: &Clusters,
    context: &Context,
    planned: Value,
    memory: Option<Memory>,
    span: Duration,
    diagnostics: &mut Diagnostics,
) -> Option<(Applied, bool)> {
    let wanted = Wanted::of(&planned)?;
    let mut say = Say::new(&wanted.release, diagnostics);
    let cluster = clusters.cluster().map_err(|why| say.no_cluster(&why)).ok()?;
    let mut work = Work {
        cluster,
        wanted: &wanted,
        manner: Manner::of(&planned),
        // The cluster may be on its way up in this same apply.
        limits: Limits::patient(span, &context.stop),
        is_create: memory.is_none(),
        run: run::id(),
        memory: memory.unwrap_or_default(),
        made: false,
        applied: Vec::new(),
        say,
    };
    if let Err(stopped) = work.run().await {
        work.say.stopped(&stopped, span, work.is_create);
        work.say_how_far();
    }
    for object in &work.memory.objects {
        if let Some(at) = objects::place(object) {
            clusters.note_ours(&at);
        }
    }
    let mut state = planned;
    state.set("revision", work.memory.revision.map(i64::from).into());
    Some((Applied { state, private: work.memory.to_private() }, work.made))
}

impl Work<'_, '_> {
    async fn run(&mut self) -> Result<(), Stopped> {
        let had_objects = self.memory.objects.clone();
        let records = self.look().await?;
        // What somebody has left long ago under the same marks is gone on with as well.
        let is_resumed = records.left_by_us().is_some() || records.busy().is_some();
        let live = self.live(is_resumed).await?;
        let record = self.begin(&records).await?;
        self.memory.unfinished = true;
        let (cluster, run, limits) = (self.cluster.clone(), self.run.clone(), self.limits.clone());
        let at = record.as_ref().map(records::place);
        let work = self.objects_and_wait(&had_objects, live);
        let done = signs::beside(&cluster, at.as_ref(), &run, &limits, work).await;
        match (done, record) {
            (Ok(()), Some(record)) => records.succeed(&self.cluster, record, &self.limits).await?,
            (Ok(()), None) => self.without_record(&records).await?,
            (Err(stopped), Some(record)) => {
                // Whatever ended it, nobody is to be kept from the next try; the user may have asked to stop.
                let limits = Limits::brief(objects::AFTERWARDS, &Default::default());
                if let Err(error) = records::fail(&self.cluster, record, stopped.brief(), &limits).await {
                    self.say.record_is_left(&error);
                }
                return Err(stopped);
            }
            (Err(stopped), None) => return Err(stopped),
        }
        self.memory.unfinished = false;
        Ok(())
    }

    /// The records, the namespace and what they forbid, before anything is written but the namespace.
    async fn look(&mut self) -> Result<Records, Stopped> {
        let release = &self.wanted.release;
        let records = match self.manner.writes_record {
            true if self.is_create => self.records_before().await?,
            true => settled(&self.cluster, release, &self.limits).await?,
            false => self.records_to_end().await?,
        };
        if let Some(busy) = records.busy() {
            if busy.is_fresh() {
                return Err(Stopped::Busy(busy));
            }
            self.say.goes_on_after(&busy);
        }
        if self.is_create
            && !records.is_begun_create()
            && let Some(latest) = records.history.latest()
            && latest.status() != Status::Uninstalled
            && records.busy().is_none()
        {
            return Err(Stopped::exists(latest));
        }
        Ok(records)
    }

    /// The records that a create finds. An upgrade that is under way is none of its business: the release exists.
    async fn records_before(&self) -> Result<Records, Stopped> {
        let release = &self.wanted.release;
        let records = Records::read(&self.cluster, release, &self.limits).await?;
        match records.is_begun_create() {
            true => listened(records, &self.cluster, release, &self.limits).await,
            false => Ok(records),
        }
    }

    /// The records that an earlier apply wrote, where this one is to have none.
    async fn records_to_end(&mut self) -> Result<Records, Stopped> {
        if self.memory.revision.is_none() {
            return Ok(Records::default());
        }
        match settled(&self.cluster, &self.wanted.release, &self.limits).await {
            Err(Stopped::Call(error)) if matches!(error.kind(), ErrorKind::Forbidden { .. }) => {
                self.say.records_are_left(&error);
                Ok(Records::default())
            }
            other => other,
        }
    }

    /// The objects as they stand, where they are ours or not there.
    async fn live(&self, is_resumed: bool) -> Result<Vec<Option<Object>>, Stopped> {
        let release = &self.wanted.release;
        let looks = self.wanted.owned().into_iter().map(|owned| async move {
            let Some(at) = objects::place(&owned) else { return Ok(None) };
            let Some(live) = self.cluster.get(&at, &self.limits).await? else { return Ok(None) };
            let is_ours = objects::belongs(&live, release)
                && (!self.is_create || is_resumed || (!self.manner.writes_record && objects::is_under_way(&live)));
            match is_ours {
                true => Ok(Some(live)),
                false => {
                    Err(Stopped::Foreign { at, managers: live.managers().into_iter().map(ToOwned::to_owned).collect() })
                }
            }
        });
        futures_util::future::try_join_all(looks).await
    }

    /// The namespace, and the record of a revision under way.
    async fn begin(&mut self, records: &Records) -> Result<Option<Record>, Stopped> {
        let release = &self.wanted.release;
        match namespace::ensure(&self.cluster, release, self.manner.creates_namespace, &self.limits).await? {
            Ensured::Ours(uid) => {
                self.memory.namespace = Some(uid);
                self.made = true;
            }
            Ensured::Theirs => self.memory.namespace = None,
            Ensured::Missing => return Err(Stopped::NoNamespace),
        }
        if !self.manner.writes_record {
            return Ok(None);
        }
        let begun = records.begin(&self.cluster, self.wanted, &self.run, &self.limits).await;
        let record = match begun {
            Ok(record) => record,
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Changed(_)) => {
                // What there is belongs to that run, the namespace too: it says for which release it was made.
                self.made = false;
                return Err(self.overtaken(error).await);
            }
            Err(error) => return Err(error.into()),
        };
        self.made = true;
        self.memory.revision = Some(record.number());
        Ok(Some(record))
    }

    /// Another run has begun a revision since the records were read.
    async fn overtaken(&self, error: Error) -> Stopped {
        match Records::read(&self.cluster, &self.wanted.release, &self.limits).await {
            Ok(records) => match (records.busy(), records.history.latest()) {
                (Some(busy), _) => Stopped::Busy(busy),
                (None, Some(latest)) if self.is_create && !latest.status().is_pending() => Stopped::exists(latest),
                (None, Some(latest)) => {
                    Stopped::AtWork { secret: latest.secret_name(), status: latest.status().word() }
                }
                (None, None) => error.into(),
            },
            Err(why) => why.into(),
        }
    }

    async fn objects_and_wait(&mut self, had: &[Json], live: Vec<Option<Object>>) -> Result<(), Stopped> {
        let before = self.refusals().await;
        let changes = manifest::changes(had, &self.wanted.objects);
        let wanted = self.wanted.owned();
        for (owned, live) in wanted.iter().zip(live) {
            self.one(owned, live, &changes, had).await?;
        }
        self.leftovers(&wanted, had).await?;
        let wait = Wait { cluster: &self.cluster, limits: &self.limits, manner: self.manner, before: &before };
        wait.until_ready(&wanted).await.map_err(Stopped::NotReady)
    }

    /// Which objects an apply that ended early has come to.
    fn say_how_far(&mut self) {
        let all = self.wanted.objects.iter().map(Key::of);
        let (done, open): (Vec<Key>, Vec<Key>) = all.partition(|key| self.applied.contains(key));
        if self.made && !open.is_empty() {
            self.say.is_in_part(&done, &open);
        }
    }

    async fn refusals(&self) -> HashSet<String> {
        wait::refusals(&self.cluster, &self.wanted.release.namespace, &self.limits).await
    }

    async fn one(
        &mut self,
        owned: &Json,
        mut live: Option<Object>,
        changes: &std::collections::BTreeMap<Key, Change>,
        had: &[Json],
    ) -> Result<(), Stopped> {
        let key = Key::of(owned);
        let release = &self.wanted.release;
        let is_marked = self.is_create && !self.manner.writes_record;
        let Some((sent, at)) = objects::sendable(owned, release, is_marked).zip(objects::place(owned)) else {
            return Ok(());
        };
        let is_replaced = matches!(changes.get(&key), Some(Change::Replaced(_)));
        // What goes takes nothing new.
        let must_go = |live: &Object| is_replaced || live.is_going() || objects::immutable(&sent, live).is_some();
        if live.as_ref().is_some_and(must_go) {
            self.made = true;
            objects::remove(&self.cluster, &at, release, &self.limits).await?;
            live = None;
        }
        let was = had.iter().find(|object| Key::of(object) == key);
        self.made = true;
        if live.as_ref().is_some_and(|live| objects::is_as_sent(&sent, was, live)) {
            self.memory.note(owned.clone());
            self.applied.push(key);
            return Ok(());
        }
        let sent = objects::without_account(sent, was);
        match objects::apply(&self.cluster, &sent, was, live.as_ref(), &self.limits).await {
            Ok(_) => {
                self.memory.note(owned.clone());
                self.applied.push(key);
            }
            Err(error) => {
                if live.is_some() || error.may_have_been_carried_out() {
                    self.memory.note(owned.clone());
                }
                return Err(error.into());
            }
        }
        tracing::info!(object = %at, "applied");
        Ok(())
    }

    /// Deletes what the release had and has no more.
    async fn leftovers(&mut self, wanted: &[Json], had: &[Json]) -> Result<(), Stopped> {
        let keys = had.iter().map(Key::of).filter(|key| !wanted.iter().any(|owned| Key::of(owned) == *key)).collect();
        for key in manifest::in_delete_order(keys) {
            let place = self.memory.find(&key).and_then(objects::place);
            if let Some(at) = place {
                let removed = objects::remove(&self.cluster, &at, &self.wanted.release, &self.limits).await?;
                if removed == Removed::Foreign {
                    self.say.is_left(&at);
                }
            }
            self.memory.forget(&key);
        }
        Ok(())
    }

    /// The end of an apply without a record: objects lose the mark of a create under way, and records that an earlier one
    /// wrote go.
    async fn without_record(&mut self, records: &Records) -> Result<(), Stopped> {
        if self.is_create {
            let release = &self.wanted.release;
            for sent in self.wanted.owned().iter().filter_map(|owned| objects::sendable(owned, release, false)) {
                objects::apply(&self.cluster, &sent, None, None, &self.limits).await?;
            }
        } else {
            records.purge(&self.cluster, &self.limits).await?;
            self.memory.revision = None;
        }
        Ok(())
    }
}
