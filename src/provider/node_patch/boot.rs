//! Waiting for a node: one that is still being installed, and one that was rebooted.

use talos::{
    TalosVersion,
    resource::{MachineStage, MachineStatus},
};
use tokio::time::Instant;

use super::{
    check::may_still_come,
    write::{Job, backoff},
};
use crate::{
    nodes::{Running, boot_id, running},
    texts::Say,
};

/// Waits until a node that may still be being installed answers, and until its boot has come to where its extensions
/// are known. `None`: it did not, and why was said.
///
/// A boot with the NVIDIA extensions and without the module `nvidia` never gets to RUNNING, because the extensions'
/// services wait for the module (talos-api facts, E.5 and K.1.6), and this resource is what loads it. So a boot in
/// which just such services are waited for counts.
pub(super) async fn settled(job: &Job<'_>, say: &mut Say<'_>) -> Option<()> {
    for pause in 0.. {
        let Some(answer) = job.unless_stopped(stage(job)).await else {
            say.interrupted("was waiting for the node");
            return None;
        };
        match &answer {
            Ok((stage, _)) if *stage == MachineStage::Running => return Some(()),
            Ok((MachineStage::Booting, true)) => return Some(()),
            Ok(_) => {}
            Err(error) if may_still_come(error) => {}
            Err(error) => {
                say.failed("Reaching", error);
                return None;
            }
        }
        if !job.pause(backoff(pause)).await {
            match answer {
                _ if job.stop.is_cancelled() => say.interrupted("was waiting for the node"),
                Err(error) => say.failed("Reaching", &error),
                Ok((stage, _)) => say.not_settled(&format!("{stage:?}")),
            }
            return None;
        }
    }
    None
}

/// The stage, and while it is booting whether a service of NVIDIA's keeps it from ending.
async fn stage(job: &Job<'_>) -> Result<(MachineStage, bool), talos::Error> {
    let status = job.call().get::<MachineStatus>("machine").await?;
    let stage = status.map_or(MachineStage::Unknown, |found| found.spec.stage);
    if stage != MachineStage::Booting {
        return Ok((stage, false));
    }
    let services = job.call().services().await?;
    Ok((stage, services.iter().any(|service| holds_the_boot(&service.id, &service.state))))
}

/// Whether a boot does not end because of this service: one of NVIDIA's that waits for the module, or that fails and
/// is started again for as long as its device is not there.
fn holds_the_boot(id: &str, state: &str) -> bool {
    id.starts_with("ext-nvidia-") && matches!(state, "Waiting" | "Failed")
}

/// Reboots the node and waits until another boot runs. One node at a time in a process.
pub(super) async fn reboot(job: &mut Job<'_>, version: &TalosVersion, say: &mut Say<'_>) -> Option<Running> {
    let Some(_turn) = job.turn(std::sync::Arc::clone(&job.nodes.reboots)).await else {
        say.interrupted("was waiting for its turn to reboot");
        return None;
    };
    // Without the id of this boot there would be no telling the next one from it.
    let before = match boot_id(&job.call(), version).await {
        Ok(Some(before)) => before,
        Ok(None) => {
            say.no_boot_id();
            return None;
        }
        Err(error) => {
            say.failed("Rebooting", &error);
            return None;
        }
    };
    if job.stop.is_cancelled() {
        say.interrupted("was about to reboot");
        return None;
    }
    if let Err(error) = job.call().reboot().await
        // No answer to a reboot may well be the reboot.
        && !error.may_have_been_carried_out()
    {
        say.failed("Rebooting", &error);
        return None;
    }
    tracing::info!(node = job.node_name, boot = before, "told to reboot");
    let mut last = Progress::SameBoot;
    for pause in 0.. {
        match progress(job, &before, version).await {
            Progress::Runs(running, boot) => {
                job.nodes.applied(|claims| claims.booted(&before, &boot));
                return Some(running);
            }
            other => last = other,
        }
        if !job.pause(backoff(pause)).await {
            break;
        }
    }
    if job.stop.is_cancelled() {
        say.interrupted("was waiting for the reboot");
    } else {
        say.not_booted(&last.words());
    }
    None
}

/// How far a reboot has come.
enum Progress {
    /// In this boot.
    Runs(Running, String),
    SameBoot,
    Stage(MachineStage),
    Silent(talos::Error),
}

impl Progress {
    fn words(&self) -> String {
        match self {
            Self::Runs(..) => String::new(),
            Self::SameBoot => "it was told to reboot and has not yet done so.".to_owned(),
            Self::Stage(stage) => format!("it has booted and is in stage {stage:?}, not Running."),
            Self::Silent(error) => format!("{}.", crate::texts::failed_call(error).trim_end_matches('.')),
        }
    }
}

async fn progress(job: &Job<'_>, before: &str, version: &TalosVersion) -> Progress {
    let look = async {
        // A dead connection must not hold the wait until its deadline.
        let node =
            job.node.clone().with_deadline(job.deadline.min(Instant::now() + std::time::Duration::from_secs(10)));
        let Some(boot) = boot_id(&node, version).await?.filter(|boot| boot != before) else {
            return Ok(Progress::SameBoot);
        };
        let status = node.get::<MachineStatus>("machine").await?;
        match status.map(|found| (found.spec.stage, found.spec.ready)) {
            Some((MachineStage::Running, true)) => Ok(Progress::Runs(running(&node).await?, boot)),
            Some((stage, _)) => Ok(Progress::Stage(stage)),
            None => Ok(Progress::Stage(MachineStage::Unknown)),
        }
    };
    look.await.unwrap_or_else(Progress::Silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_nvidias_that_waits_or_fails_holds_the_boot_and_no_other_does() {
        let held = [("ext-nvidia-persistenced", "Waiting"), ("ext-nvidia-persistenced", "Failed")];
        let free = [("ext-nvidia-persistenced", "Running"), ("ext-iscsid", "Waiting"), ("kubelet", "Failed")];
        assert!(held.iter().all(|(id, state)| holds_the_boot(id, state)));
        assert!(!free.iter().any(|(id, state)| holds_the_boot(id, state)));
    }
}
