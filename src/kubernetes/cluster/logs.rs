//! The log of a pod's container, bounded.

use kube::api::LogParams;

use super::{Cluster, Limits, path};
use crate::error::{Call, Error};
use crate::object::ObjectRef;

/// Which part of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container; without it the only one.
    pub container: Option<String>,
    /// Only the last lines.
    pub tail_lines: Option<u32>,
    /// At most this many bytes, from the first of those lines on.
    pub limit_bytes: Option<u32>,
    /// The log of the container that ran before.
    pub previous: bool,
}

impl Cluster {
    /// The log of a pod. Bytes that are no UTF-8 are replaced.
    ///
    /// # Errors
    /// Among others [`crate::ErrorKind::Invalid`] while the container has not started.
    pub async fn logs(&self, pod: &ObjectRef, options: &LogOptions, limits: &Limits) -> Result<String, Error> {
        let place = self.0.place(Call::Logs, pod);
        let params = LogParams {
            container: options.container.clone(),
            tail_lines: options.tail_lines.map(i64::from),
            limit_bytes: options.limit_bytes.map(i64::from),
            previous: options.previous,
            ..LogParams::default()
        };
        let request = || path(pod).logs(&pod.name, &params).map_err(|error| error.to_string());
        let answer = self.0.ask(&place, limits, request).await?;
        let limit = options.limit_bytes.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let bytes = answer.body.get(..limit).unwrap_or(&answer.body);
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}
