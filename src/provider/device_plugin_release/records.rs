//! The release records of one release as they stand in the cluster: read, begun, ended, forgotten.
//!
//! A revision under way that a run of ours has begun is told by its description, which helm never copies into a revision
//! of its own (labels it does). Whether that run lives or was killed its signs of life say (`signs`).

use std::time::{SystemTime, UNIX_EPOCH};

use kubernetes::{Cluster, Error, ErrorKind, Kind, Limits, Object, ObjectRef, Preconditions, Propagation, Selection};
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use super::{
    MANAGER,
    record::{
        NotARecord, Record, Revision, Stamp, Status,
        history::{History, KEPT},
        labels_of_user,
    },
    signs::{self, Heard, Listener},
    values::Release,
    wanted::Wanted,
};

/// How descriptions of ours begin.
const OURS: &str = "terraform-provider-nvidia:";

/// A revision of somebody else's that is younger is one that they are still at work on.
const FRESH: u64 = 600;

/// Why records cannot be used.
#[derive(Debug)]
pub(crate) enum NoRecords {
    Call(Error),
    /// A Secret with a record's labels holds none.
    NotARecord(ObjectRef, NotARecord),
}

impl From<Error> for NoRecords {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// A revision that somebody else is at work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Busy {
    pub(crate) secret: String,
    pub(crate) status: &'static str,
    pub(crate) managers: Vec<String>,
    /// Seconds since it was written.
    pub(crate) age: u64,
}

impl Busy {
    /// Whether they may still be at it.
    pub(crate) fn is_fresh(&self) -> bool {
        self.age < FRESH
    }
}

/// What a run of ours has begun and not ended.
pub(super) enum Left {
    /// Nothing, or what a killed run has left. With the records as they are now.
    Behind(Records),
    /// The run lives: the Secret, and what its revision is.
    Alive(String, &'static str),
}

/// A record and what its Secret says of it.
struct Stored {
    record: Record,
    /// The last sign of life of the run that works on it.
    sign: Option<String>,
    resource_version: String,
    managers: Vec<String>,
    labels_of_user: Map<String, Json>,
    /// Seconds since 1970.
    written: u64,
}

/// All records of a release.
#[derive(Default)]
pub(super) struct Records {
    stored: Vec<Stored>,
    pub(super) history: History,
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whether a run of ours wrote this revision.
fn is_ours(record: &Record) -> bool {
    record.description().starts_with(OURS)
}

impl Records {
    /// Reads them.
    pub(super) async fn read(cluster: &Cluster, release: &Release, limits: &Limits) -> Result<Self, NoRecords> {
        let selection = Selection::all(Kind::SECRET, Some(&release.namespace))
            .with_labels(&format!("owner=helm,name={}", release.name));
        let mut stored = Vec::new();
        for secret in cluster.list(&selection, limits).await?.items {
            let at = ObjectRef::in_namespace(Kind::SECRET, &release.namespace, secret.name());
            stored.push(read_one(secret).map_err(|why| NoRecords::NotARecord(at, why))?);
        }
        let history = History::new(stored.iter().map(|stored| stored.record.clone()).collect());
        Ok(Self { stored, history })
    }

    /// A revision that somebody else has begun and not ended.
    pub(super) fn busy(&self) -> Option<Busy> {
        let record = self.history.pending().filter(|record| !is_ours(record))?;
        let stored = self.stored.iter().find(|stored| stored.record == *record)?;
        Some(Busy {
            secret: record.secret_name(),
            status: record.status().word(),
            managers: stored.managers.clone(),
            age: now().saturating_sub(stored.written),
        })
    }

    /// A revision that a run of ours has begun and not ended.
    pub(super) fn left_by_us(&self) -> Option<&Record> {
        self.history.pending().filter(|record| is_ours(record))
    }

    /// A first revision that a run of ours has begun and not ended: what a create goes on from. An upgrade that was begun
    /// belongs to the state that has the release.
    pub(super) fn is_begun_create(&self) -> bool {
        self.left_by_us().is_some() && self.history.deployed().is_none()
    }

    fn stored(&self, record: &Record) -> Option<&Stored> {
        self.stored.iter().find(|stored| stored.record == *record)
    }

    /// Finds out whether a run of ours that has not ended lives, and listens to it for as long as that takes.
    pub(super) async fn settled(
        mut self,
        cluster: &Cluster,
        release: &Release,
        limits: &Limits,
    ) -> Result<Left, NoRecords> {
        let Some(stored) = self.left_by_us().and_then(|left| self.stored(left)) else { return Ok(Left::Behind(self)) };
        tracing::info!(secret = stored.record.secret_name(), "another run has begun it: listening whether it lives");
        let mut listener = Listener::new(stored.sign.as_deref(), Instant::now());
        loop {
            tokio::select! {
                () = limits.stop.cancelled() => {}
                () = tokio::time::sleep(signs::PAUSE) => {}
            }
            self = Self::read(cluster, release, limits).await?;
            let Some(stored) = self.left_by_us().and_then(|left| self.stored(left)) else {
                return Ok(Left::Behind(self));
            };
            match listener.look(stored.sign.as_deref(), Instant::now()) {
                Heard::Alive => return Ok(Left::Alive(stored.record.secret_name(), stored.record.status().word())),
                Heard::Dead => return Ok(Left::Behind(self)),
                Heard::Nothing => {}
            }
        }
    }

    /// Begins a revision for the run `run`. One that a killed run of ours has left gives its number.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] and [`ErrorKind::Changed`]: another run was there first, and nothing was written.
    pub(super) async fn begin(
        &self,
        cluster: &Cluster,
        wanted: &Wanted,
        run: &str,
        limits: &Limits,
    ) -> Result<Record, Error> {
        let left = self.left_by_us();
        if let Some(left) = left {
            // Exactly the one that was silent.
            let resource_version = self.stored(left).map(|stored| stored.resource_version.clone());
            let only = Preconditions { uid: None, resource_version };
            cluster.delete(&place(left), &only, Propagation::Background, limits).await?;
        }
        let is_first = self.history.deployed().is_none();
        let kept = self.history.to_forget(KEPT).into_iter().filter(|record| Some(*record) != left);
        for record in kept {
            delete(cluster, record, limits).await?;
        }
        let record = Record::new(&Revision {
            chart: wanted.chart,
            release: &wanted.release,
            number: left.map_or_else(|| self.history.next(), Record::number),
            values: &wanted.values,
            objects: &wanted.objects,
            first_deployed: self.history.latest().map(Record::first_deployed).filter(|date| !date.is_empty()),
            status: if is_first { Status::PendingInstall } else { Status::PendingUpgrade },
            description: &format!("{OURS} {} under way", if is_first { "install" } else { "upgrade" }),
            now: now(),
        });
        let before = self.history.latest().and_then(|latest| self.stored(latest));
        let labels = before.map(|stored| stored.labels_of_user.clone()).unwrap_or_default();
        create(cluster, &record, labels, run, limits).await?;
        Ok(record)
    }

    /// Ends a revision that went well: what was deployed is superseded.
    pub(super) async fn succeed(&self, cluster: &Cluster, record: Record, limits: &Limits) -> Result<(), Error> {
        let (ended, said) = match record.status() {
            Status::PendingInstall => (Status::Deployed, "install complete"),
            _ => (Status::Deployed, "upgrade complete"),
        };
        for before in self.history.superseded_by_next() {
            let said = before.description().to_owned();
            write(cluster, &before.clone().with_status(Status::Superseded, &said), limits).await?;
        }
        write(cluster, &record.with_status(ended, &format!("{OURS} {said}")), limits).await
    }

    /// Deletes all of them.
    pub(super) async fn purge(&self, cluster: &Cluster, limits: &Limits) -> Result<(), Error> {
        for stored in &self.stored {
            delete(cluster, &stored.record, limits).await?;
        }
        Ok(())
    }
}

/// Ends a revision that did not go well, so that nobody is kept from the next one.
pub(super) async fn fail(cluster: &Cluster, record: Record, why: &str, limits: &Limits) -> Result<(), Error> {
    write(cluster, &record.with_status(Status::Failed, &format!("{OURS} {why}")), limits).await
}

/// Notes that the run `run` takes the release away, as helm does.
pub(super) async fn uninstalling(cluster: &Cluster, record: &Record, run: &str, limits: &Limits) -> Result<(), Error> {
    let said = format!("{OURS} uninstall under way");
    let record = record.clone().with_status(Status::Uninstalling, &said);
    patch(cluster, &record, json!(signs::sign(run, 0)), limits).await
}

fn read_one(secret: Object) -> Result<Stored, NotARecord> {
    let label = |name: &str| secret.at(&format!("/metadata/labels/{name}")).and_then(|at| at.as_str()?.parse().ok());
    let written = label("modifiedAt").or_else(|| label("createdAt")).unwrap_or_default();
    let managers = secret.managers().into_iter().map(ToOwned::to_owned).collect();
    let sign = sign_of(&secret).and_then(|sign| sign.as_str()).map(ToOwned::to_owned);
    let resource_version = secret.resource_version().to_owned();
    let secret = secret.into_json();
    let (record, labels_of_user) = (Record::from_secret(&secret)?, labels_of_user(&secret));
    Ok(Stored { record, sign, resource_version, managers, labels_of_user, written })
}

fn sign_of(secret: &Object) -> Option<&Json> {
    secret.at("/metadata/annotations").and_then(|all| all.get(signs::SIGN))
}

/// Where the Secret of a record stands.
pub(super) fn place(record: &Record) -> ObjectRef {
    ObjectRef::in_namespace(Kind::SECRET, record.namespace(), &record.secret_name())
}

async fn create(
    cluster: &Cluster,
    record: &Record,
    labels: Map<String, Json>,
    run: &str,
    limits: &Limits,
) -> Result<(), Error> {
    let mut secret = record.new_secret(labels, now()).unwrap_or_default();
    secret["metadata"]["annotations"] = json!({ signs::SIGN: signs::sign(run, 0) });
    let Ok(object) = Object::new(secret) else { return Ok(()) };
    match cluster.create(&object, MANAGER, limits).await {
        Ok(_) => Ok(()),
        Err(error) if error.may_have_been_carried_out() || *error.kind() == ErrorKind::AlreadyExists => {
            // An answer that was lost: it is ours when this run has signed it.
            match cluster.get(&place(record), limits).await? {
                None => cluster.create(&object, MANAGER, limits).await.map(drop),
                Some(found) if signs::is_of(sign_of(&found), run) => Ok(()),
                Some(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Writes a revision on which nobody works any more.
async fn write(cluster: &Cluster, record: &Record, limits: &Limits) -> Result<(), Error> {
    patch(cluster, record, Json::Null, limits).await
}

async fn patch(cluster: &Cluster, record: &Record, sign: Json, limits: &Limits) -> Result<(), Error> {
    // Written to memory, which cannot fail.
    let secret = record.secret(Stamp::Modified, now()).unwrap_or_default();
    let metadata = json!({ "labels": secret["metadata"]["labels"], "annotations": { signs::SIGN: sign } });
    let patch = json!({ "metadata": metadata, "data": secret["data"] });
    cluster.patch(&place(record), MANAGER, &patch, limits).await.map(drop)
}

async fn delete(cluster: &Cluster, record: &Record, limits: &Limits) -> Result<(), Error> {
    cluster.delete(&place(record), &Preconditions::default(), Propagation::Background, limits).await.map(drop)
}
