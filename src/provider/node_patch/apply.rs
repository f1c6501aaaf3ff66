//! Create and update: the node is reached, checked, written, rebooted if that was asked for, and waited for.
//!
//! What is stored after a failure is what is really there: nothing when nothing was sent, else the object with what is
//! remembered of the node before, so that a destroy takes it back.

use plugin::{Applied, ApplyRequest, Context, Diagnostics, Private, Value};
use talos::{TalosVersion, machine_config::Record};
use tokio::time::Instant;

use super::{
    Target, boot,
    check::{self, Moment},
    memory::{self, Former, Memory, PendingReboot, Waiting, new_instance},
    model::{Wanted, backend, default_sysctls, sysctls_value, waits},
    named, observe, patch_text, timeouts, wait,
    write::{self, Job, Step},
};
use crate::{
    kernel_modules::States,
    nodes::{Holding, Nodes, boot_id, running},
    texts::Say,
};

/// One create or update.
struct Run<'a> {
    job: Job<'a>,
    planned: &'a Value,
    /// As the last apply left it; none for a create.
    memory: Option<Memory>,
    /// What objects that this create may replace had left.
    replaces: Vec<Former>,
}

/// A write and what it was for.
struct Written {
    instance: String,
    wanted: Wanted,
    inner: write::Written,
}

/// What is true of the node after a write, whatever came of the rest.
struct Reached {
    memory: Memory,
    wanted: Wanted,
    tag: String,
    version: TalosVersion,
    loaded: States,
    /// The node was seen to have what was sent.
    verified: bool,
}

pub(super) async fn create(
    nodes: &Nodes,
    context: &Context,
    request: ApplyRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let target = Target::from(&request.planned)?;
    let mut say = Say { node: &target.node, diagnostics };
    let deadline = Instant::now() + timeouts(&request.planned).create;
    let mut job = Job::new(nodes, &target, context, deadline, &mut say)?;
    job.patient = true;
    boot::settled(&job, &mut say).await?;
    let replaces = memory::formers(&request.private).map_err(|newer| say.newer_memory(newer.0)).ok()?;
    let mut run = Run { job, planned: &request.planned, memory: None, replaces };
    let reached = run.change(&request.config, &mut say).await?;
    if say.diagnostics.has_errors() {
        say.starts_over();
    }
    Some(run.stored(reached))
}

pub(super) async fn update(
    nodes: &Nodes,
    context: &Context,
    request: ApplyRequest,
    diagnostics: &mut Diagnostics,
) -> Applied {
    let ApplyRequest { config, prior, planned, private } = request;
    let memory = match Memory::of(&private) {
        Ok(memory) => memory,
        Err(newer) => {
            Say { node: named(&planned), diagnostics }.newer_memory(newer.0);
            return Applied { state: prior, private };
        }
    };
    if is_local(&prior, &planned) {
        // Another order or spelling of the modules is nothing to the node, and Read goes by it.
        let memory = memory.zip(Wanted::from(&planned));
        let private = memory.map_or(private, |(memory, applied)| Memory { applied, ..memory }.to_private());
        return Applied { state: planned, private };
    }
    let kept = |private: Private| Applied { state: prior.clone(), private };
    let Some(target) = Target::from(&planned) else { return kept(private) };
    let mut say = Say { node: &target.node, diagnostics };
    let deadline = Instant::now() + timeouts(&planned).update;
    let Some(job) = Job::new(nodes, &target, context, deadline, &mut say) else { return kept(private) };
    let mut memory = memory;
    if let Some(memory) = &mut memory {
        drop_past_boot(&job, memory).await;
    }
    let mut run = Run { job, planned: &planned, memory, replaces: Vec::new() };
    match run.change(&config, &mut say).await {
        Some(reached) if reached.verified => run.stored(reached),
        // What stands on the node is not known, so the state keeps what was there; the record knows what was sent.
        Some(reached) => {
            let applied = run.memory.as_ref().map_or_else(Wanted::default, |memory| memory.applied.clone());
            kept(Memory { applied, ..reached.memory }.to_private())
        }
        None => kept(private),
    }
}

/// Whether a change is of attributes alone that only this provider reads. A plan that changes the node always changes
/// `pending_reboot` (to unknown, or from true to false).
fn is_local(prior: &Value, planned: &Value) -> bool {
    prior.get("pending_reboot") == planned.get("pending_reboot")
}

/// A boot that came between plan and apply has brought what waited for it.
async fn drop_past_boot(job: &Job<'_>, memory: &mut Memory) {
    let Some(made_in) = memory.pending.as_ref().and_then(|pending| pending.boot_id.as_ref()) else { return };
    let Ok(running) = running(&job.call()).await else { return };
    if let Some(version) = running.version
        && let Ok(Some(now)) = boot_id(&job.call(), &version).await
        && now != *made_in
    {
        memory.pending = None;
    }
}

impl Run<'_> {
    /// Writes, reboots and waits. `None`: nothing was sent.
    async fn change(&mut self, config: &Value, say: &mut Say<'_>) -> Option<Reached> {
        let turn = self.job.turn_to_write(say).await?;
        let mark = wait::mark_log(&self.job).await;
        let written = self.write(config, say).await?;
        self.job.nodes.note_made(&self.job.site, &written.inner.step.edited.record);
        let (complete, reboots) = (written.inner.complete, written.inner.step.delivery.reboots());
        let mut reached = self.reached(written);
        if !complete || (reboots && !self.reboot(&mut reached, say).await) {
            return Some(reached);
        }
        drop(turn);
        if self.waits_for_modules(&reached) {
            let wanted = &reached.wanted;
            reached.loaded = wait::modules(&self.job, &reached.version, wanted, mark, say).await;
        }
        Some(reached)
    }

    fn waits_for_modules(&self, reached: &Reached) -> bool {
        let staged = reached.memory.pending.as_ref().is_some_and(|pending| pending.kind == Waiting::Staged);
        waits(self.planned) && !staged && !reached.wanted.modules.is_empty()
    }

    async fn write(&self, config: &Value, say: &mut Say<'_>) -> Option<Written> {
        let memory = self.memory.as_ref();
        let record = memory.map(|memory| memory.record.clone()).unwrap_or_default();
        let record = self.job.nodes.with_containers(&self.job.site, record);
        let instance = memory.map_or_else(new_instance, |memory| memory.instance.clone());
        let planned_version = self.planned.get("talos_version").string().known();
        let mut wanted_at_last = None;
        let inner = write::write(&self.job, record, say, |facts, record, say| {
            if let Some(planned) = planned_version.filter(|planned| *planned != facts.tag) {
                say.upgraded_since_plan(planned, &facts.tag);
                return None;
            }
            let wanted = resolved(self.planned, config, &facts.version)?;
            let (node, machine) = (&self.job.node_name, facts.machine.as_ref());
            let here = self.replaces.iter().filter(|old| old.is_at(node, machine)).map(|old| &old.memory);
            let (gone, left): (Vec<_>, Vec<_>) = here.partition(|old| self.job.nodes.was_taken_back(&old.instance));
            if left.iter().any(|old| !old.keys().is_disjoint(&wanted.keys())) {
                say.created_before_destroyed();
                return None;
            }
            // What is ours still is claimed with what is wanted: nobody may take it before it is taken back.
            let ours = self.remembered(&instance, &wanted).keys();
            let holds = Holding { site: self.job.site.clone(), keys: ours.union(&wanted.keys()).cloned().collect() };
            let taken: Vec<String> =
                self.job.nodes.applied(|claims| claims.claim(&instance, holds)).into_iter().collect();
            if !taken.is_empty() {
                say.owned_twice(&taken, None);
            }
            // A later attempt knows the record of the first, so that our own writing is never taken for somebody's.
            let mut known = Memory { record: record.clone(), ..self.remembered(&instance, &wanted) };
            // What the destroy before this create has staged is ours.
            known.staged_over = known.staged_over.or_else(|| gone.first().map(|old| old.record.clone()));
            let (prospect, delivery) =
                check::judge(facts, &wanted, Some(&known), &[], self.planned, Moment::Apply, say)?;
            let at_next_boot = !prospect.at_next_boot.is_empty();
            wanted_at_last = Some(wanted);
            Some(Step { edited: prospect.edited, delivery, at_next_boot })
        })
        .await;
        match (inner, wanted_at_last) {
            (Some(inner), Some(wanted)) => Some(Written { instance, wanted, inner }),
            _ => {
                self.job.nodes.applied(|claims| claims.release(&instance));
                None
            }
        }
    }

    /// What a judge of this change has to know of the past.
    fn remembered(&self, instance: &str, wanted: &Wanted) -> Memory {
        let first = || Memory::new(instance.to_owned(), None, Record::default(), wanted.clone());
        self.memory.clone().unwrap_or_else(first)
    }

    fn reached(&self, written: Written) -> Reached {
        let Written { instance, wanted, inner: write::Written { facts, step, boot_id, complete } } = written;
        let before = self.memory.as_ref();
        // After a lost answer the retry finds what was staged, and nothing left to send.
        let waits = !step.delivery.sends() && facts.active.bytes.expose() != step.edited.bytes;
        let kind = if step.delivery.stages() || waits {
            Some(Waiting::Staged)
        } else if step.at_next_boot {
            Some(Waiting::NextBoot)
        } else {
            None
        };
        let pending = kind.map(|kind| PendingReboot { kind, boot_id }).or_else(|| {
            // A live apply makes an end of what was staged; what waits for a boot goes on waiting.
            let was = before.and_then(|memory| memory.pending.clone());
            was.filter(|was| was.kind == Waiting::NextBoot || !step.delivery.sends())
        });
        let memory = Memory {
            version: memory::VERSION,
            instance,
            machine: facts.machine.or_else(|| before.and_then(|memory| memory.machine.clone())),
            record: step.edited.record,
            applied: wanted.clone(),
            default_sysctls: before
                .map_or_else(|| default_sysctls(&facts.version), |memory| memory.default_sysctls.clone()),
            staged_over: pending
                .as_ref()
                .filter(|pending| pending.kind == Waiting::Staged)
                .and_then(|_| before.map(|memory| memory.staged_over.clone().unwrap_or_else(|| memory.record.clone()))),
            pending,
            unverified: !complete,
        };
        Reached { memory, wanted, tag: facts.tag, version: facts.version, loaded: facts.loaded, verified: complete }
    }

    /// Reboots the node and waits for it. `false`: it is not back, and why was said.
    async fn reboot(&mut self, reached: &mut Reached, say: &mut Say<'_>) -> bool {
        let Some(running) = boot::reboot(&mut self.job, &reached.version, say).await else {
            return false;
        };
        reached.memory.pending = None;
        if running.tag != reached.tag && self.planned.get("talos_version").string().known().is_some() {
            say.other_version_after_boot(&reached.tag, &running.tag);
        }
        if let Some(version) = running.version {
            reached.version = version;
        }
        reached.tag = running.tag;
        true
    }

    /// The object to store.
    fn stored(&self, reached: Reached) -> Applied {
        self.job.nodes.forget(&self.job.node_name);
        let Reached { memory, wanted, tag, version, loaded, .. } = reached;
        let mut state = self.planned.clone();
        state.set("id", self.planned.get("node").clone());
        state.set("sysctls", sysctls_value(&wanted.sysctls));
        state.set("talos_version", Value::from(tag));
        state.set("patch", Value::from(patch_text::patch(&wanted, backend(&version))));
        state.set("pending_reboot", Value::from(memory.pending.is_some()));
        state.set("module_state", observe::module_state(&wanted, &loaded));
        Applied { state, private: memory.to_private() }
    }
}

/// What a planned object wants on a node of this version: an unset `sysctls` is filled in by it.
fn resolved(planned: &Value, config: &Value, version: &TalosVersion) -> Option<Wanted> {
    let mut object = planned.clone();
    if config.get("sysctls").is_null() && object.get("sysctls").is_unknown() {
        object.set("sysctls", sysctls_value(&default_sysctls(version)));
    }
    Wanted::from(&object)
}
