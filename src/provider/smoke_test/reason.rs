//! Why a test failed, as a reason that is known: a pure function of the pod's status, its events, its log and the nodes.
//!
//! The texts that are looked for are those of kubelet and scheduler (Kubernetes 1.30 to 1.37), containerd and runc,
//! NVIDIA's container toolkit, and nvidia-smi. What is not known stays without a reason: state, events and log say it.

use kubernetes::{ErrorKind, Event};

use super::{
    model::Test,
    nodes::NodeGpus,
    pod::{Container, Pod},
};

/// All that is known of a test that did not succeed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) test: &'a Test,
    /// As it was last seen.
    pub(crate) pod: Pod<'a>,
    /// Its events, the last one last.
    pub(crate) events: &'a [Event],
    pub(crate) log: &'a str,
    /// None: they could not be asked for.
    pub(crate) nodes: Option<&'a [NodeGpus]>,
}

/// A known reason. Where it holds a text, that is the cluster's own word for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    // Before there is a pod.
    NoNamespace,
    PodSecurity(String),
    NoRuntimeClass,
    Quota(String),

    // Before it has a node.
    NoGpuFree(Vec<NodeGpus>),
    NodeUnknown,
    Tainted(String),
    NoNodeFits,
    NoRoom(String),

    // Before its container runs.
    NoRuntime,
    ImagePull(String),
    BadImage(String),
    BadContainer(String),
    CommandNotFound,
    OldDriver(String),
    NodeRefused(String),

    // When it ran.
    VersionMismatch(Option<String>),
    NoDevices,
    NoDriver,
    NoLibrary,
    GpuLost,
    NoPermission,
    AccessLost,
    OutOfMemory,

    // When it was taken away.
    Evicted(String),
    Preempted,
    NodeLost,
    EndedByDeadline,
}

/// The reason of a pod that was not even made.
pub(crate) fn of_refusal(kind: &ErrorKind) -> Option<Reason> {
    match kind {
        ErrorKind::NotFound => Some(Reason::NoNamespace),
        ErrorKind::Admission { said, .. } => of_admission(said),
        _ => None,
    }
}

fn of_admission(said: &str) -> Option<Reason> {
    if said.contains("violates PodSecurity") {
        Some(Reason::PodSecurity(behind(said, "violates PodSecurity").to_owned()))
    } else if said.contains("RuntimeClass") && said.contains("not found") {
        Some(Reason::NoRuntimeClass)
    } else if said.contains("exceeded quota") || said.contains("failed quota") {
        Some(Reason::Quota(behind(said, " is forbidden: ").to_owned()))
    } else if said.contains("being terminated") {
        Some(Reason::NoNamespace)
    } else {
        None
    }
}

fn behind<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or(text, |(_, rest)| rest.trim())
}

/// Whether a refusal goes away by itself: a namespace that was just made has no service account yet.
pub(crate) fn heals(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Admission { said, .. } if said.contains("error looking up service account") && said.contains("not found"))
}

impl Evidence<'_> {
    /// The reason, if it is a known one.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.taken_away().or_else(|| match self.pod.container() {
            Container::Ended { code, reason, message } => self.of_end(code, reason, message),
            Container::Waiting { reason, message } => self.of_waiting(reason, message),
            Container::Running => None,
            Container::Unseen => self.of_scheduling().or_else(|| self.of_sandbox()),
        })
    }

    /// Whether waiting for a pod that has not started is in vain.
    pub(crate) fn is_hopeless(&self) -> bool {
        match (self.pod.container(), self.reason()) {
            (_, Some(Reason::BadImage(_) | Reason::BadContainer(_))) => true,
            // The kubelet has tried again by itself and backs off.
            (Container::Waiting { reason: "ImagePullBackOff", .. }, Some(Reason::ImagePull(said))) => stays(&said),
            // A runtime does not come to a node without a restart of containerd.
            (_, Some(Reason::NoRuntime)) => {
                let failures = self.events.iter().filter(|event| is_no_runtime(&event.message));
                failures.map(|event| event.count).sum::<u64>() >= 2
            }
            _ => false,
        }
    }

    fn has_event(&self, reasons: &[&str]) -> bool {
        self.events.iter().any(|event| reasons.contains(&event.reason.as_str()))
    }

    /// The last event whose message is such.
    fn said(&self, is_such: impl Fn(&str) -> bool) -> Option<&str> {
        self.events.iter().rev().map(|event| event.message.as_str()).find(|message| is_such(message))
    }

    fn taken_away(&self) -> Option<Reason> {
        let message = || self.pod.message().to_owned();
        match self.pod.reason() {
            "Evicted" => return Some(Reason::Evicted(message())),
            "Preempting" | "Preempted" => return Some(Reason::Preempted),
            "NodeLost" | "NodeShutdown" | "Terminated" | "Shutdown" => return Some(Reason::NodeLost),
            "DeadlineExceeded" => return Some(Reason::EndedByDeadline),
            "UnexpectedAdmissionError" => return Some(Reason::NodeRefused(message())),
            reason if reason.starts_with("OutOf") || reason.starts_with("Node") => {
                return Some(Reason::NodeRefused(message()));
            }
            _ => {}
        }
        match self.pod.disruption() {
            Some("PreemptionByScheduler") => return Some(Reason::Preempted),
            Some("DeletionByTaintManager" | "DeletionByPodGC") => return Some(Reason::NodeLost),
            Some(_) => return Some(Reason::Evicted(message())),
            None => {}
        }
        if self.has_event(&["Preempted"]) {
            Some(Reason::Preempted)
        } else if self.has_event(&["NodeNotReady", "TaintManagerEviction"]) || self.node_is_lost() {
            Some(Reason::NodeLost)
        } else {
            None
        }
    }

    fn node_is_lost(&self) -> bool {
        let Some((name, nodes)) = self.pod.node().zip(self.nodes) else { return false };
        !nodes.iter().any(|node| node.name == name && node.ready)
    }

    fn of_scheduling(&self) -> Option<Reason> {
        let said = self.pod.unschedulable()?;
        // What stands behind it tells of preemption, and repeats.
        let said = said.split(" preemption:").next().unwrap_or(said);
        let named = |name: &str| self.nodes.is_some_and(|nodes| nodes.iter().any(|node| node.name == name));
        if self.nodes.is_some() && self.test.node_name.as_ref().is_some_and(|name| !named(name)) {
            Some(Reason::NodeUnknown)
        } else if said.contains(&format!("Insufficient {}", super::manifest::GPU)) {
            Some(Reason::NoGpuFree(self.nodes.unwrap_or_default().to_vec()))
        } else if said.contains("taint") || said.contains("unschedulable") {
            Some(Reason::Tainted(said.to_owned()))
        } else if said.contains("Insufficient ") || said.contains("Too many pods") {
            Some(Reason::NoRoom(said.to_owned()))
        } else if ["didn't match", "didn't satisfy plugin", "no nodes available"].iter().any(|mark| said.contains(mark))
        {
            Some(Reason::NoNodeFits)
        } else {
            None
        }
    }

    fn of_sandbox(&self) -> Option<Reason> {
        self.said(is_no_runtime).map(|_| Reason::NoRuntime)
    }

    fn of_waiting(&self, reason: &str, message: &str) -> Option<Reason> {
        match reason {
            "ErrImagePull" | "ImagePullBackOff" => Some(Reason::ImagePull(self.pull_failure(message))),
            "InvalidImageName" | "ErrImageNeverPull" => Some(Reason::BadImage(message.to_owned())),
            "CreateContainerConfigError" => Some(Reason::BadContainer(message.to_owned())),
            _ => of_start(message).or_else(|| self.of_sandbox()),
        }
    }

    /// Why the image cannot be had: the event says it up to Kubernetes 1.30, the container too from then on.
    fn pull_failure(&self, message: &str) -> String {
        let event = self.said(|text| text.starts_with("Failed to pull image"));
        let backs_off = message.is_empty() || (message.starts_with("Back-off") && !message.contains("ErrImagePull"));
        match event {
            Some(event) if backs_off => event.to_owned(),
            _ => message.to_owned(),
        }
    }

    fn of_end(&self, code: i64, reason: &str, message: &str) -> Option<Reason> {
        if reason == "OOMKilled" {
            return Some(Reason::OutOfMemory);
        }
        // The log, and its end that the kubelet keeps, say more than a code does.
        of_output(self.log).or_else(|| of_start(message)).or_else(|| of_output(message)).or_else(|| {
            let missing = code == 127 || says_not_found(self.log, self.test.program());
            missing.then_some(Reason::CommandNotFound)
        })
    }
}

/// A pull that fails for good: another try finds the same.
fn stays(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["not found", "manifest unknown", "unauthorized", "denied", "no match for platform", "invalid reference"]
        .iter()
        .any(|mark| said.contains(mark))
}

/// containerd and CRI-O, of a handler that they have no runtime for.
fn is_no_runtime(message: &str) -> bool {
    (message.contains("no runtime for") && message.contains("is configured"))
        || message.contains("failed to find runtime handler")
}

/// What the runtime says when it cannot start the container.
fn of_start(message: &str) -> Option<Reason> {
    let lower = message.to_ascii_lowercase();
    if lower.contains("unsatisfied condition") {
        let condition = behind(message, "unsatisfied condition:");
        return Some(Reason::OldDriver(condition.split(',').next().unwrap_or(condition).trim().to_owned()));
    }
    // NVIDIA's hook runs before the program is looked for, and misses files of its own.
    of_output(message).or_else(|| {
        let is_missing = lower.contains("executable file not found in $path")
            || (lower.contains("exec:") && lower.contains("no such file or directory"));
        is_missing.then_some(Reason::CommandNotFound)
    })
}

/// What nvidia-smi and NVIDIA's toolkit say of the driver.
fn of_output(output: &str) -> Option<Reason> {
    let lower = output.to_ascii_lowercase();
    let says = |marks: &[&str]| marks.iter().any(|mark| lower.contains(mark));
    if says(&["driver/library version mismatch"]) {
        Some(Reason::VersionMismatch(library_version(output)))
    } else if says(&["couldn't communicate with the nvidia driver", "driver not loaded", "driver is not loaded"]) {
        Some(Reason::NoDriver)
    } else if says(&["no devices were found", "no devices found", "no cuda-capable device is detected"]) {
        Some(Reason::NoDevices)
    } else if says(&["gpu is lost", "fallen off the bus", "unable to determine the device handle"]) {
        Some(Reason::GpuLost)
    } else if says(&["couldn't find libnvidia-ml", "load library failed: libnvidia-ml"]) {
        Some(Reason::NoLibrary)
    } else if says(&["failed to initialize nvml: insufficient permissions"]) {
        Some(Reason::NoPermission)
    } else if says(&["failed to initialize nvml: unknown error", "gpu access blocked by the operating system"]) {
        Some(Reason::AccessLost)
    } else {
        None
    }
}

/// `NVML library version: 535.309`
fn library_version(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("NVML library version:")?;
    let version: String = rest.trim_start().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    (!version.is_empty()).then_some(version)
}

/// A shell that does not find the program.
fn says_not_found(log: &str, program: &str) -> bool {
    let names = |line: &str| line.contains(program) || line.contains("nvidia-smi");
    log.lines().any(|line| names(line) && (line.ends_with("not found") || line.contains("command not found")))
}

#[cfg(test)]
#[path = "reason/tests.rs"]
mod tests;
