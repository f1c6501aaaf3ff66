//! Why an apply or a destroy of a release did not end as it should.

use kubernetes::{Error, ErrorKind, ObjectRef};

use super::super::{
    record::Record,
    records::{Busy, NoRecords},
    wait::NotReady,
};

/// Why an apply did not end as it should.
#[derive(Debug)]
pub(crate) enum Stopped {
    Call(Error),
    Records(NoRecords),
    /// An object of somebody else has the name of one of ours.
    Foreign {
        at: ObjectRef,
        managers: Vec<String>,
    },
    /// Helm, or another state, has a release of this name.
    ReleaseExists {
        number: u32,
        status: &'static str,
        chart: String,
    },
    /// Somebody else is at work on it.
    Busy(Busy),
    /// Another run of this provider is.
    AtWork {
        secret: String,
        status: &'static str,
    },
    NoNamespace,
    /// An object was deleted and is still there at the deadline, kept by these finalizers.
    Stays {
        at: ObjectRef,
        finalizers: Vec<String>,
    },
    NotReady(NotReady),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

impl From<NoRecords> for Stopped {
    fn from(why: NoRecords) -> Self {
        match why {
            NoRecords::Call(error) => Self::Call(error),
            other => Self::Records(other),
        }
    }
}

impl Stopped {
    /// As the record says it, in a word or two.
    pub(super) fn brief(&self) -> &'static str {
        match self {
            Self::NotReady(NotReady::Call(error)) | Self::Call(error) if *error.kind() == ErrorKind::Interrupted => {
                "interrupted"
            }
            Self::NotReady(_) => "its pods do not run",
            _ => "failed",
        }
    }

    /// There is a release already: its newest revision.
    pub(super) fn exists(latest: &Record) -> Self {
        Self::ReleaseExists {
            number: latest.number(),
            status: latest.status().word(),
            chart: format!("{}-{}", latest.chart_name(), latest.chart_version()),
        }
    }
}
