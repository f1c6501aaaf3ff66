//! What is said while a release is planned, applied, read and taken away.

use std::time::Duration;

use kubernetes::{Error, ErrorKind, ObjectRef, SettingsError};
use plugin::{Diagnostics, Path};

use super::{Obstacle, obstacle};
use crate::{
    clusters::{NoCluster, TalosNode},
    device_plugin_release::{
        Left, Release,
        apply::Stopped,
        manifest::Key,
        namespace,
        records::{Busy, NoRecords},
        standing::Ending,
        wait::NotReady,
    },
    texts::{
        cluster::{SayOf, failed_call},
        list, span, two_addresses as texts_of_two,
    },
};

const RESOURCE: &str = "nvidia_device_plugin_release";

/// How many things a message names.
const NAMED: usize = 5;

pub(crate) fn invalid_import_id(id: &str, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        Path::root(),
        "Invalid import id",
        format!("A release is imported by namespace and name, such as `kube-system/nvidia-device-plugin`, as `helm list --all-namespaces` shows them; \"{id}\" is not of that form."),
    );
}

pub(crate) fn is_replaced(key: &Key, field: &str, diagnostics: &mut Diagnostics) {
    diagnostics.warn(
        Path::attribute("manifest").key(key.to_string()),
        "An object is deleted and made anew",
        format!("{key} gets another {field}, which Kubernetes lets nobody change: it is deleted with its pods, and made anew. Pods that use GPUs run on; until the new plugin is ready no pod gets one."),
    );
}

pub(crate) fn talos_1_13(release: &Release, nodes: &[TalosNode], diagnostics: &mut Diagnostics) {
    if nodes.is_empty() {
        return;
    }
    let mut names: Vec<String> =
        nodes.iter().take(NAMED).map(|node| format!("{} ({})", node.name, node.version)).collect();
    if nodes.len() > NAMED {
        names.push(format!("{} more", nodes.len() - NAMED));
    }
    diagnostics.warn(
        Path::root(),
        "The guide uses the GPU operator from Talos 1.13 on",
        format!("These nodes run Talos 1.13 or newer: {}. The guide for these versions uses the NVIDIA GPU operator in place of the release {}/{}, and the two must not run together. Keep this resource for nodes up to Talos 1.12.", list(&names), release.namespace, release.name),
    );
}

pub(crate) fn no_runtime_class(diagnostics: &mut Diagnostics) {
    diagnostics.warn(
        Path::attribute("runtime_class_name"),
        "The plugin runs without a runtime class",
        "The nodes run Talos 1.12 or older, where a pod sees the driver only through the runtime nvidia. Set runtime_class_name to the name of a nvidia_runtime_class, unless nvidia is containerd's default runtime on every GPU node.",
    );
}

/// Diagnostics about one release.
pub(crate) struct Say<'a> {
    release: Release,
    /// Where the release lives, for what is said of a cluster.
    place: ObjectRef,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Say<'a> {
    pub(crate) fn new(release: &Release, diagnostics: &'a mut Diagnostics) -> Self {
        let kind = kubernetes::Kind::DAEMON_SET;
        let place = ObjectRef::in_namespace(kind, &release.namespace, &release.name);
        Self { release: release.clone(), place, diagnostics }
    }

    fn id(&self) -> String {
        format!("{}/{}", self.release.namespace, self.release.name)
    }

    /// What stands for the release where objects are told apart.
    pub(crate) fn place(&self) -> &ObjectRef {
        &self.place
    }

    fn of_cluster(&mut self) -> SayOf<'_> {
        SayOf { object: &self.place, at: "name", diagnostics: self.diagnostics }
    }

    fn say(&mut self, is_error: bool, path: Path, summary: &str, detail: String) {
        if is_error {
            self.diagnostics.error(path, summary, detail);
        } else {
            self.diagnostics.warn(path, summary, detail);
        }
    }

    pub(crate) fn imported_twice(&mut self) {
        let id = self.id();
        texts_of_two::imported(&format!("release {id}"), Path::root(), self.diagnostics);
    }

    pub(crate) fn managed_twice(&mut self) {
        let id = self.id();
        texts_of_two::managed(&format!("release {id}"), Path::attribute("name"), self.diagnostics);
    }

    // The provider block and the way to the cluster.

    pub(crate) fn no_cluster(&mut self, why: &NoCluster) {
        self.of_cluster().no_cluster(why);
    }

    pub(crate) fn not_refreshed_unknown(&mut self, attribute: &str) {
        self.of_cluster().not_refreshed_unknown(attribute);
    }

    pub(crate) fn settings_come_at_apply(&mut self, error: &SettingsError) {
        self.of_cluster().settings_come_at_apply(error);
    }

    pub(crate) fn checks_come_at_apply(&mut self, error: &Error) {
        self.of_cluster().checks_come_at_apply(error);
    }

    /// A call failed.
    fn call(&mut self, error: &Error, what: &str, limit: Duration) {
        let id = self.id();
        match error.kind() {
            ErrorKind::Interrupted => self.interrupted(error),
            ErrorKind::DeadlineExceeded => self.of_cluster().too_slow(what, limit, error),
            ErrorKind::Forbidden { resource, .. } if resource == "secrets" => self.say(
                true,
                Path::attribute("helm_release_record"),
                "A right is missing for the release record",
                format!("{} Or set helm_release_record = false: then release {id} is managed without a record, and helm does not know of it.", failed_call(error)),
            ),
            ErrorKind::Changed(_) => self.say(
                true,
                Path::attribute("name"),
                "An object was changed in between",
                format!("Somebody else has written or replaced an object of release {id} while this apply was at it. Apply again. {}", failed_call(error)),
            ),
            _ => self.of_cluster().failed(error),
        }
    }

    fn interrupted(&mut self, error: &Error) {
        let id = self.id();
        let sent = if error.may_have_been_carried_out() {
            format!(" {} had been asked for and may have been carried out.", error.subject())
        } else {
            String::new()
        };
        self.say(true, Path::attribute("name"), "Interrupted", format!("The apply of release {id} was interrupted.{sent} What was made is in the state; the next apply goes on from there."));
    }

    pub(crate) fn no_records(&mut self, why: &NoRecords, what: &str, limit: Duration) {
        match why {
            NoRecords::Call(error) => self.call(error, what, limit),
            NoRecords::NotARecord(at, not) => {
                let id = self.id();
                let cause = std::error::Error::source(not).map(|cause| format!(": {cause}")).unwrap_or_default();
                self.say(
                    true,
                    Path::attribute("name"),
                    "A release record cannot be read",
                    format!("{at} is a record of release {id} by its labels, and {not}{cause}. Look at it with helm; if helm cannot read it either, delete that Secret, or set helm_release_record = false."),
                );
            }
        }
    }

    // Apply.

    /// Why an apply or a destroy did not end as it should. Of a create Terraform taints what it leaves.
    pub(crate) fn stopped(&mut self, stopped: &Stopped, limit: Duration, is_create: bool) {
        match stopped {
            Stopped::Call(error) => self.call(error, "The apply of the release at", limit),
            Stopped::Records(why) => self.no_records(why, "Reading", limit),
            Stopped::Foreign { at, managers } => {
                let managers: Vec<&str> = managers.iter().map(String::as_str).collect();
                self.foreign(true, at, &managers);
            }
            Stopped::ReleaseExists { number, status, chart } => self.release_exists(true, *number, status, chart),
            Stopped::Busy(busy) => self.busy(busy),
            Stopped::AtWork { secret, status } => self.at_work(secret, status),
            Stopped::NoNamespace => self.no_namespace(true),
            Stopped::Stays { at, finalizers } => self.stays(at, finalizers, limit),
            Stopped::NotReady(not_ready) => self.not_ready(not_ready, limit, is_create),
        }
    }

    fn stays(&mut self, at: &ObjectRef, finalizers: &[String], limit: Duration) {
        let names: Vec<&str> = finalizers.iter().map(String::as_str).collect();
        let by = match names.as_slice() {
            [] => String::new(),
            ["foregroundDeletion"] => " Pods of it have not ended.".to_owned(),
            names => format!(" Its finalizers keep it: {}.", list(names)),
        };
        let detail = format!(
            "{at} was deleted and is still there after {}.{by} Look at what it waits for, or give `timeouts` more; then apply or destroy again, which goes on from there.",
            span(limit)
        );
        self.say(true, Path::attribute("timeouts"), "The object does not go", detail);
    }

    /// An object that somebody else deletes, and that is still there.
    pub(crate) fn is_going(&mut self, at: &ObjectRef) {
        SayOf { object: at, at: "name", diagnostics: self.diagnostics }.is_going();
    }

    pub(crate) fn release_exists(&mut self, is_error: bool, number: u32, status: &str, chart: &str) {
        let (id, name) = (self.id(), &self.release.name);
        let detail = format!(
            "There is a release {id} already, revision {number} ({status}) of {chart}, and a create never takes over what it did not make. To manage it, import it, with what this resource is called for NAME (in a module: its whole address):\n\n  terraform import {RESOURCE}.NAME {id}\n\nor with a block:\n\n  import {{\n    to = {RESOURCE}.NAME\n    id = \"{id}\"\n  }}\n\nOr choose another name, or take it away with `helm uninstall --namespace {} {name}`.",
            self.release.namespace
        );
        self.say(is_error, Path::attribute("name"), "The release exists already", detail);
    }

    pub(crate) fn foreign(&mut self, is_error: bool, at: &ObjectRef, managers: &[&str]) {
        let id = self.id();
        let by = if managers.is_empty() { String::new() } else { format!(" (written by {})", list(managers)) };
        let detail = format!(
            "{at} is there already{by} and does not belong to release {id}: it lacks the marks that Helm puts on a release's objects, or has those of another. It was not touched. Delete it, or choose another name or namespace. If a Helm release made it, import that release by its own namespace and name:\n\n  terraform import {RESOURCE}.NAME NAMESPACE/RELEASE\n\n`helm list --all-namespaces` shows them."
        );
        self.say(is_error, Path::attribute("name"), "The object exists already", detail);
    }

    fn busy(&mut self, busy: &Busy) {
        let id = self.id();
        let by = if busy.managers.is_empty() { "somebody".to_owned() } else { list(&busy.managers) };
        self.say(
            true,
            Path::attribute("name"),
            "Somebody else is at work on the release",
            format!("Release {id} is {}: {by} wrote that {} s ago (Secret {}). Nothing was changed. Wait until they have ended, then apply again; if they were killed, `helm rollback` ends it, and after ten minutes this provider goes on by itself.", busy.status, busy.age, busy.secret),
        );
    }

    /// An apply ended before it came to all objects.
    pub(crate) fn is_in_part(&mut self, done: &[Key], open: &[Key]) {
        let names = |keys: &[Key]| list(&keys.iter().map(ToString::to_string).collect::<Vec<_>>());
        let id = self.id();
        let applied = match done {
            [] => "none of its objects was applied".to_owned(),
            done => format!("applied is {}", names(done)),
        };
        self.say(
            false,
            Path::attribute("manifest"),
            "The release is applied in part",
            format!("Of release {id} {applied}; not yet {}. What was made is in the cluster and in the state, and the next apply goes on from there.", names(open)),
        );
    }

    fn at_work(&mut self, secret: &str, status: &str) {
        let id = self.id();
        self.say(
            true,
            Path::attribute("name"),
            "Another apply is at work on the release",
            format!("Another run of this provider, from another state or another machine, is at work on release {id} ({status}, Secret {secret}): it gave a sign of life while this one looked. Nothing was changed. Wait until it has ended. A release belongs to one state: give this one another name, or import it here once the other state has let it go (`terraform state rm`)."),
        );
    }

    /// A revision that somebody has left long ago.
    pub(crate) fn goes_on_after(&mut self, busy: &Busy) {
        let id = self.id();
        self.say(
            false,
            Path::attribute("name"),
            "A revision was left unfinished",
            format!("Release {id} has been {} for {} min (Secret {}, written by {}). It counts as left behind, and a new revision follows it.", busy.status, busy.age / 60, busy.secret, list(&busy.managers)),
        );
    }

    pub(crate) fn no_namespace(&mut self, is_error: bool) {
        let namespace = self.release.namespace.clone();
        self.say(
            is_error,
            Path::attribute("create_namespace"),
            "The namespace does not exist",
            format!("There is no namespace \"{namespace}\", and create_namespace is false. Make it, with the label pod-security.kubernetes.io/enforce=privileged (on Talos the pods are refused without it), or set create_namespace = true."),
        );
    }

    /// A refresh may not see the records.
    pub(crate) fn record_is_unseen(&mut self, error: &Error) {
        let id = self.id();
        self.say(
            false,
            Path::attribute("helm_release_record"),
            "The release record cannot be seen",
            format!("Whether helm has changed release {id} since the last apply is not known; its objects were looked at. {} Or set helm_release_record = false.", failed_call(error)),
        );
    }

    /// An apply that is to end the records may not see them.
    pub(crate) fn records_are_left(&mut self, error: &Error) {
        let id = self.id();
        self.say(
            false,
            Path::attribute("helm_release_record"),
            "The release records are left",
            format!("The release records of {id} were to be deleted, since helm_release_record is false now. They stay, and helm shows a release that nobody keeps up. {}", failed_call(error)),
        );
    }

    pub(crate) fn record_is_left(&mut self, error: &Error) {
        let id = self.id();
        self.say(
            false,
            Path::attribute("helm_release_record"),
            "The release record still says that work goes on",
            format!("The newest record of release {id} could not be marked as failed. The next apply or destroy of this resource goes on from it; helm refuses to work on the release until then. {}", failed_call(error)),
        );
    }

    fn not_ready(&mut self, not_ready: &NotReady, limit: Duration, is_create: bool) {
        match not_ready {
            NotReady::Call(error) => self.call(error, "Waiting for the pods of", limit),
            NotReady::Pods { at, rollout, least, obstacles, ending } => {
                let when = match ending {
                    Ending::Deadline => format!("Waited for {}", span(limit)),
                    Ending::Hopeless => "This does not pass by itself, so it was not waited for any longer".to_owned(),
                    Ending::Stood(stood) => format!(
                        "It was not waited for any longer, since something has stood in the way for {} on end, a third of the time that there was; a longer timeout gives it more",
                        span(Duration::from_secs(stood.as_secs()))
                    ),
                };
                let numbers = format!(
                    "{at}: {} of {} pods ready, {} of them of the newest revision; ready on at least {least} nodes is asked for.",
                    rollout.ready, rollout.desired, rollout.updated
                );
                let after = if is_create {
                    "The objects are in the cluster and in the state, where Terraform marks them as tainted. Mend what stands in the way; the next apply then makes them anew, or, after `terraform untaint` with this resource's address, goes on from what is there."
                } else {
                    "The objects are in the cluster and in the state. Mend what stands in the way; the next apply goes on from there."
                };
                if obstacles.is_empty() {
                    let detail = format!(
                        "{numbers} {when}, and the cluster shows no reason. See `kubectl describe daemonset --namespace {} {}`. {after}",
                        at.namespace.as_deref().unwrap_or_default(),
                        at.name
                    );
                    self.say(true, Path::attribute("wait_for"), "The device plugin does not run", detail);
                }
                for one in obstacles {
                    let (summary, detail) = obstacle(&at.name, at.namespace.as_deref().unwrap_or_default(), one);
                    self.say(true, path_of(one), summary, format!("{detail}\n\n{numbers} {when}. {after}"));
                }
            }
            NotReady::Gpus { nodes, offering, least } => {
                let nodes = if nodes.is_empty() { "no node".to_owned() } else { list(&first(nodes)) };
                self.say(
                    true,
                    Path::attribute("wait_for"),
                    "The nodes offer no GPUs",
                    format!("The plugin is ready on {nodes}, and {offering} of these nodes offer nvidia.com/gpu, where {least} are asked for. Waited for {}. See the plugin's log (`kubectl logs --namespace {} --selector app.kubernetes.io/instance={}`) and whether the driver is loaded (data source nvidia_driver_status): without runtime_class_name the plugin sees no driver on Talos up to 1.12.", span(limit), self.release.namespace, self.release.name),
                );
            }
        }
    }

    // Plan.

    pub(crate) fn pod_security(&mut self, level: &str) {
        let namespace = self.release.namespace.clone();
        self.say(
            false,
            Path::attribute("namespace"),
            "Pod security will refuse the pods",
            format!("Namespace {namespace} enforces the pod security level \"{level}\", and the plugin needs the node's directories. Label it (`kubectl label --overwrite namespace {namespace} pod-security.kubernetes.io/enforce=privileged`), or choose a namespace that create_namespace makes."),
        );
    }

    pub(crate) fn no_node(&mut self, daemon_set: &str, found: &Obstacle) {
        let namespace = self.release.namespace.clone();
        let (_, detail) = obstacle(daemon_set, &namespace, found);
        self.say(
            false,
            path_of(found),
            "No node for the pods",
            format!("{detail} At the moment the plugin would run nowhere."),
        );
    }

    pub(crate) fn another_plugin(&mut self, at: &ObjectRef, is_of_operator: bool) {
        let id = self.id();
        let (summary, who) = if is_of_operator {
            (
                "The GPU operator runs the device plugin already",
                "NVIDIA's GPU operator made it. Use one of the two: take this resource out, or turn the operator's devicePlugin off.",
            )
        } else {
            (
                "Another device plugin is there",
                "Two plugins on one node register the same GPUs twice. Take one of them out, or keep them on different nodes with `node_selector`.",
            )
        };
        self.say(
            false,
            Path::attribute("name"),
            summary,
            format!("{at} runs NVIDIA's device plugin and does not belong to release {id}. {who}"),
        );
    }

    // Import and destroy.

    pub(crate) fn nothing_to_import(&mut self, server: &str) {
        let id = self.id();
        self.say(
            true,
            Path::root(),
            "There is nothing to import",
            format!("There is no Helm release {id} at {server}: no Secret with the labels owner=helm and name={} in its namespace. `helm list --all-namespaces` shows the releases that there are.", self.release.name),
        );
    }

    pub(crate) fn another_chart(&mut self, name: &str, version: &str) {
        let id = self.id();
        self.say(
            true,
            Path::root(),
            "This is a release of another chart",
            format!(
                "Release {id} is of chart {name} {version}; this resource manages releases of nvidia-device-plugin."
            ),
        );
    }

    pub(crate) fn value_is_left(&mut self, path: &str, left: &Left) {
        let id = self.id();
        let why = match left {
            Left::NoAttribute => "no attribute of this resource gives it, so the next apply takes it away",
            Left::NoEffect => "the chart passes over it in this version, so that nothing is lost without it",
            Left::NodeFeatureDiscovery => {
                "Node Feature Discovery is not managed by this resource: the next apply leaves out its objects. Install it on its own first"
            }
        };
        self.say(
            false,
            Path::root(),
            "A value of the release is left out",
            format!("Value {path} of release {id}: {why}."),
        );
    }

    pub(crate) fn is_left(&mut self, at: &ObjectRef) {
        let id = self.id();
        self.say(false, Path::attribute("name"), "Another object was left alone", format!("{at} no longer belongs to release {id}: it lacks Helm's marks of it. It was not deleted; nothing manages it any more."));
    }

    pub(crate) fn namespace_is_unseen(&mut self, error: &Error) {
        let at = namespace::place(&self.release);
        self.say(false, Path::attribute("create_namespace"), "The namespace is left", format!("{at} was made by this resource, and it cannot be seen whether others have objects in it, so it was not deleted. {}", failed_call(error)));
    }

    pub(crate) fn namespace_is_left(&mut self, others: &[String]) {
        let at = namespace::place(&self.release);
        let more = if others.len() > NAMED { " and more" } else { "" };
        self.say(
            false,
            Path::attribute("create_namespace"),
            "The namespace is left",
            format!(
                "{at} was made by this resource and holds objects of others: {}{more}. It was not deleted.",
                first(others).join(", ")
            ),
        );
    }
}

fn first(names: &[String]) -> Vec<String> {
    names.iter().take(NAMED).cloned().collect()
}

/// The attribute that an obstacle is about.
fn path_of(obstacle: &Obstacle) -> Path {
    Path::attribute(match obstacle {
        Obstacle::PodSecurity { .. } => "namespace",
        Obstacle::Quota { .. } => "resources",
        Obstacle::RuntimeClass { .. } | Obstacle::Handler { .. } => "runtime_class_name",
        Obstacle::NoNode { .. } => "affinity",
        Obstacle::Tainted { .. } => "tolerations",
        Obstacle::Image { .. } | Obstacle::Pulling { .. } => "image",
        Obstacle::Refused { .. }
        | Obstacle::Sandbox { .. }
        | Obstacle::Mount { .. }
        | Obstacle::Crash { .. }
        | Obstacle::Unscheduled { .. } => "wait_for",
    })
}
