//! The calls of Talos's machine service: version, configuration, files, services, logs, reboot.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tonic::{Status, Streaming};

use super::Node;
use super::call::{Call, MESSAGE_LIMIT};
use super::transport::Channel;
use crate::controller_log::{self, ControllerFailure};
use crate::error::{Error, ErrorKind, Role};
use crate::proto::common;
use crate::proto::machine::machine_service_client::MachineServiceClient;
use crate::proto::machine::{self, apply_configuration_request::Mode};
use crate::secret::ConfigBytes;
use crate::version::{TalosVersion, VersionError};

/// The largest machine configuration that is sent. Talos takes up to 32 MiB, but answers with the configuration twice
/// over, so that one of more than half of that could never be read again.
pub const CONFIG_LIMIT: usize = 15 << 20;

/// What runs on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Talos's version as the node says it: `v1.13.9`.
    pub tag: String,
    /// The operating system: `linux`.
    pub os: String,
    /// The architecture in Go's words: `amd64`, `arm64`.
    pub arch: String,
    /// The platform: `metal`, `aws`.
    pub platform: String,
    /// Its kind: `metal`, `cloud`, `container` or `metal-agent`.
    pub mode: String,
}

impl Version {
    /// The tag as a version.
    ///
    /// # Errors
    /// When the tag is none, as a build of one's own may have it.
    pub fn parsed(&self) -> Result<TalosVersion, VersionError> {
        self.tag.parse()
    }
}

/// How a configuration is applied. The mode that reboots is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// At once; refused where that needs a reboot (up to Talos 1.13).
    NoReboot,
    /// At the next boot.
    Staged,
    /// At once and for a minute, unless applied again; what a check with `dry_run` uses, since every other mode cancels
    /// somebody else's trial even then.
    Try,
    /// At once, and up to Talos 1.13 with a reboot of the node where the change needs one.
    Auto,
}

/// The mode that a node took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectiveMode {
    /// It reboots, or would.
    Reboot,
    /// It does what it thinks best.
    Auto,
    /// It applied the configuration at once, or would.
    NoReboot,
    /// It keeps the configuration for the next boot, or would.
    Staged,
    /// It applied the configuration for a trial, or would.
    Try,
}

/// A node's answer to a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyReply {
    /// What it does, or would do.
    pub mode: EffectiveMode,
    /// What it warns of: not errors, and some come with every configuration.
    pub warnings: Vec<String>,
    /// Its own words, up to the diff that can show secrets.
    pub details: String,
    /// A dry run found the configuration to be the running one.
    pub no_changes: bool,
}

/// A file or folder of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// The whole path.
    pub path: String,
    /// The path below the listed folder; `.` for that folder itself, which is the first of its listing.
    pub relative_path: String,
    /// Bytes.
    pub size: u64,
    /// Go's `fs.FileMode` bits.
    pub mode: u32,
    /// The last change.
    pub modified: SystemTime,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// What a symbolic link points to; empty for anything else.
    pub link: String,
    /// Why the node could not look at it; empty where it could.
    pub error: String,
}

/// A service of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceInfo {
    /// Its name: `cri`, `ext-nvidia-persistenced`.
    pub id: String,
    /// `Initialized`, `Preparing`, `Waiting`, `Starting`, `Running`, `Stopping`, `Finished`, `Failed` or `Skipped`.
    pub state: String,
    /// What its health check says; nothing where it has none.
    pub health: Option<Health>,
    /// The message of its newest event, which says what it waits for; empty where there is none.
    pub last_event: String,
}

/// The outcome of a service's health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it is well.
    pub healthy: bool,
    /// Why not.
    pub message: String,
}

impl Node {
    /// Asks what runs there.
    ///
    /// # Errors
    /// Any kind of a read.
    pub async fn version(&self) -> Result<Version, Error> {
        let call = Call::read("Version", "", Role::Reader);
        let send = |channel| async move { service(channel).version(()).await };
        let answer = self.answer(call, send).await?;
        let reply = answer.value.into_inner().messages.into_iter().next();
        let reply = reply.ok_or_else(|| answer.line.malformed("it holds no version"))?;
        let (version, platform) = (reply.version.unwrap_or_default(), reply.platform.unwrap_or_default());
        let machine::VersionInfo { tag, os, arch } = version;
        Ok(Version { tag, os, arch, platform: platform.name, mode: platform.mode })
    }

    /// Gives the node a whole machine configuration; with `dry_run` it only says what it would do. Sent once: when no
    /// answer comes, [`Error::may_have_been_carried_out`] tells whether it may have arrived.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] before anything is sent; [`ErrorKind::NeedsReboot`], [`ErrorKind::Invalid`],
    /// [`ErrorKind::Busy`], [`ErrorKind::Rebooting`] and [`ErrorKind::UpdateConflict`] are the node's.
    pub async fn apply_configuration(
        &self,
        config: &ConfigBytes,
        mode: ApplyMode,
        dry_run: bool,
    ) -> Result<ApplyReply, Error> {
        let call = Call::write("ApplyConfiguration", Role::Admin);
        if config.len() > CONFIG_LIMIT {
            let kind = ErrorKind::TooLarge { what: "the machine configuration", limit: CONFIG_LIMIT };
            return Err(Error::new(self.place(&call, None), kind));
        }
        let send = |channel| {
            let data = config.expose().to_vec();
            let request = machine::ApplyConfigurationRequest { data, mode: mode.on_the_wire().into(), dry_run };
            async move { service(channel).apply_configuration(request).await }
        };
        let answer = self.answer(call, send).await?;
        let reply = answer.value.into_inner().messages.into_iter().next();
        let reply = reply.ok_or_else(|| answer.line.malformed("it does not say how the configuration was taken"))?;
        Ok(ApplyReply {
            mode: reply.mode().into(),
            no_changes: reply.mode_details.contains("No changes."),
            details: without_diff(&reply.mode_details).to_owned(),
            warnings: reply.warnings,
        })
    }

    /// Reads a file of the node, or nothing if it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] for what is not a file, [`ErrorKind::TooLarge`] for more than 32 MiB.
    pub async fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let call = Call::read("Read", path, Role::Admin);
        let send = |channel| {
            let request = machine::ReadRequest { path: path.to_owned() };
            async move { whole(service(channel).read(request).await?.into_inner()).await }
        };
        none_if_missing(self.call(call, send).await)
    }

    /// Lists one level of a folder of the node, or nothing if it is not there. A path that is a symbolic link is
    /// followed; a file is listed as itself alone.
    ///
    /// # Errors
    /// Any kind of a read.
    pub async fn list_directory(&self, path: &str) -> Result<Option<Vec<FileInfo>>, Error> {
        let call = Call::read("List", path, Role::Reader);
        let send = |channel| {
            let request = machine::ListRequest { root: path.to_owned(), recurse: false, recursion_depth: 0 };
            async move { items(service(channel).list(request).await?.into_inner()).await }
        };
        none_if_missing(self.call(call, send).await)
    }

    /// The node's services.
    ///
    /// # Errors
    /// Any kind of a read.
    pub async fn services(&self) -> Result<Vec<ServiceInfo>, Error> {
        let call = Call::read("ServiceList", "", Role::Reader);
        let send = |channel| async move { service(channel).service_list(()).await };
        let reply = self.call(call, send).await?.into_inner();
        Ok(reply.messages.into_iter().flat_map(|list| list.services).map(ServiceInfo::from).collect())
    }

    /// Tells the node to reboot; it answers before it does. Sent once.
    ///
    /// # Errors
    /// Any kind; [`ErrorKind::Other`] on a node that is a container, which cannot.
    pub async fn reboot(&self) -> Result<(), Error> {
        let call = Call::write("Reboot", Role::Operator);
        let send = |channel| async move { service(channel).reboot(machine::RebootRequest::default()).await };
        self.call(call, send).await.map(|_| ())
    }

    /// What failed in the node's controllers, oldest first, from the last lines of their log. The kernel's log hides the
    /// first errors of each controller; this one has all.
    ///
    /// # Errors
    /// Any kind of a read.
    pub async fn controller_log(&self, tail_lines: u32) -> Result<Vec<ControllerFailure>, Error> {
        Ok(controller_log::failures(&self.raw_controller_log(tail_lines).await?))
    }

    /// The last lines of the controllers' log as the node has them, with its terminal colours.
    ///
    /// # Errors
    /// Any kind of a read.
    pub async fn raw_controller_log(&self, tail_lines: u32) -> Result<String, Error> {
        const NAMESPACE: &str = "system";
        const LOG: &str = "controller-runtime";
        let call = Call::read("Logs", LOG, Role::Reader);
        let tail_lines = i32::try_from(tail_lines).unwrap_or(i32::MAX);
        let send = |channel| {
            let (namespace, id) = (NAMESPACE.to_owned(), LOG.to_owned());
            let request = machine::LogsRequest { namespace, id, follow: false, tail_lines };
            async move { whole(service(channel).logs(request).await?.into_inner()).await }
        };
        self.call(call, send).await.map(text)
    }

    /// The kernel's log.
    ///
    /// # Errors
    /// Any kind of a read.
    pub async fn dmesg(&self) -> Result<String, Error> {
        let call = Call::read("Dmesg", "", Role::Reader);
        let send = |channel| async move {
            whole(service(channel).dmesg(machine::DmesgRequest { follow: false, tail: false }).await?.into_inner())
                .await
        };
        self.call(call, send).await.map(text)
    }
}

fn service(channel: Channel) -> MachineServiceClient<Channel> {
    // The request may hold a whole configuration, so both directions have Talos's own limit.
    MachineServiceClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT)
}

/// A log may hold anything; what is not UTF-8 is replaced.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Puts the chunks of a stream together.
async fn whole(mut chunks: Streaming<common::Data>) -> Result<Vec<u8>, Status> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.message().await? {
        if bytes.len() + chunk.bytes.len() > MESSAGE_LIMIT {
            return Err(Status::resource_exhausted("the file or log is too large"));
        }
        bytes.extend(chunk.bytes);
    }
    Ok(bytes)
}

async fn items(mut stream: Streaming<machine::FileInfo>) -> Result<Vec<FileInfo>, Status> {
    let mut items = Vec::new();
    while let Some(item) = stream.message().await? {
        items.push(item.into());
    }
    Ok(items)
}

/// A missing file is `NotFound` to a read; a missing folder comes to a listing as the raw error of the system.
fn none_if_missing<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_missing(error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_missing(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::NotFound(_) => true,
        ErrorKind::Other { code: "Unknown", message } => message.ends_with("no such file or directory"),
        _ => false,
    }
}

/// Up to 1.13 after `diff:`, in a dry run after `Config diff:`.
fn without_diff(details: &str) -> &str {
    let end = ["Config diff:", "diff:", "--- a"].into_iter().filter_map(|mark| details.find(mark)).min();
    details[..end.unwrap_or(details.len())].trim_end()
}

impl ApplyMode {
    const fn on_the_wire(self) -> Mode {
        match self {
            Self::NoReboot => Mode::NoReboot,
            Self::Staged => Mode::Staged,
            Self::Try => Mode::Try,
            Self::Auto => Mode::Auto,
        }
    }
}

impl From<Mode> for EffectiveMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Reboot => Self::Reboot,
            Mode::Auto => Self::Auto,
            Mode::NoReboot => Self::NoReboot,
            Mode::Staged => Self::Staged,
            Mode::Try => Self::Try,
        }
    }
}

impl From<machine::FileInfo> for FileInfo {
    fn from(info: machine::FileInfo) -> Self {
        Self {
            path: info.name,
            relative_path: info.relative_name,
            size: u64::try_from(info.size).unwrap_or(0),
            mode: info.mode,
            modified: UNIX_EPOCH + Duration::from_secs(u64::try_from(info.modified).unwrap_or(0)),
            is_dir: info.is_dir,
            link: info.link,
            error: info.error,
        }
    }
}

impl From<machine::ServiceInfo> for ServiceInfo {
    fn from(info: machine::ServiceInfo) -> Self {
        let events = info.events.map(|events| events.events).unwrap_or_default();
        let health = info.health.filter(|health| !health.unknown);
        Self {
            id: info.id,
            state: info.state,
            health: health.map(|health| Health { healthy: health.healthy, message: health.last_message }),
            last_event: events.into_iter().next_back().map(|event| event.msg).unwrap_or_default(),
        }
    }
}
