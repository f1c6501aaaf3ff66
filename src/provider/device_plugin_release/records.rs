//! The release records of one release as they stand in the cluster: read, begun, ended, forgotten.
//!
//! A revision under way that a killed run of ours has left is told by its description, which helm never copies into a
//! revision of its own (labels it does). Two runs of ours at the same time are kept apart by Terraform's state lock and
//! not by this.

use std::time::{SystemTime, UNIX_EPOCH};

use kubernetes::{Cluster, Error, ErrorKind, Kind, Limits, Object, ObjectRef, Preconditions, Propagation, Selection};
use serde_json::json;

use super::{
    MANAGER,
    record::{
        NotARecord, Record, Revision, Stamp, Status,
        history::{History, KEPT},
    },
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

/// A record and what its Secret says of it.
struct Stored {
    record: Record,
    managers: Vec<String>,
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

    /// Begins a revision. One that a killed run of ours has left gives its number.
    pub(super) async fn begin(&self, cluster: &Cluster, wanted: &Wanted, limits: &Limits) -> Result<Record, Error> {
        let left = self.left_by_us();
        if let Some(left) = left {
            delete(cluster, left, limits).await?;
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
        create(cluster, &record, limits).await?;
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

/// Notes that the release is being taken away, as helm does.
pub(super) async fn uninstalling(cluster: &Cluster, record: &Record, limits: &Limits) -> Result<(), Error> {
    let said = format!("{OURS} uninstall under way");
    write(cluster, &record.clone().with_status(Status::Uninstalling, &said), limits).await
}

fn read_one(secret: Object) -> Result<Stored, NotARecord> {
    let label = |name: &str| secret.at(&format!("/metadata/labels/{name}")).and_then(|at| at.as_str()?.parse().ok());
    let written = label("modifiedAt").or_else(|| label("createdAt")).unwrap_or_default();
    let managers = secret.managers().into_iter().map(ToOwned::to_owned).collect();
    Ok(Stored { record: Record::from_secret(&secret.into_json())?, managers, written })
}

fn place(record: &Record) -> ObjectRef {
    ObjectRef::in_namespace(Kind::SECRET, record.namespace(), &record.secret_name())
}

/// The Secret of a record, which is written to memory and so cannot fail.
fn secret(record: &Record, stamp: Stamp) -> serde_json::Value {
    record.secret(stamp, now()).unwrap_or_default()
}

async fn create(cluster: &Cluster, record: &Record, limits: &Limits) -> Result<(), Error> {
    let Ok(object) = Object::new(secret(record, Stamp::Created)) else { return Ok(()) };
    match cluster.create(&object, MANAGER, limits).await {
        Ok(_) => Ok(()),
        Err(error) if error.may_have_been_carried_out() || *error.kind() == ErrorKind::AlreadyExists => {
            // An answer that was lost: it is ours when it holds what we sent.
            let found = cluster.get(&place(record), limits).await?;
            let is_same = found.as_ref().and_then(|live| live.at("/data")) == object.at("/data");
            if is_same && found.is_some() {
                Ok(())
            } else if found.is_none() {
                cluster.create(&object, MANAGER, limits).await.map(drop)
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
    }
}

async fn write(cluster: &Cluster, record: &Record, limits: &Limits) -> Result<(), Error> {
    let secret = secret(record, Stamp::Modified);
    let patch = json!({ "metadata": { "labels": secret["metadata"]["labels"] }, "data": secret["data"] });
    cluster.patch(&place(record), MANAGER, &patch, limits).await.map(drop)
}

async fn delete(cluster: &Cluster, record: &Record, limits: &Limits) -> Result<(), Error> {
    cluster.delete(&place(record), &Preconditions::default(), Propagation::Background, limits).await.map(drop)
}
