//! A panic in a resource, turned into a message for the operator. The process goes on: other calls are under way in it.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, Location, PanicHookInfo},
};

use futures_util::FutureExt;

use crate::{diagnostics::Diagnostics, path::Path};

/// Where it happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panic {
    place: Option<String>,
    text: Option<&'static str>,
}

thread_local! {
    /// The last panic of this thread: the hook runs on it, and so does whoever catches.
    static LAST: RefCell<Panic> = RefCell::default();
}

/// Takes the place of Rust's own report, which Terraform shows to nobody.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(remember));
}

fn remember(info: &PanicHookInfo<'_>) {
    let panic = Panic::of(info);
    // Terraform takes a line that starts with "panic: " for the end of the process. This is not the end.
    tracing::error!(place = panic.place, text = panic.text, "a bug of the provider stopped a call");
    LAST.set(panic);
}

/// Runs `work`; a panic in it is an error.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panic> {
    // What `work` leaves half changed is only its caller's diagnostics, which are whole after every push.
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| LAST.take())
}

impl Panic {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        let place = info.location().map(Location::to_string);
        // Text that was put together at run time may hold a value of a configuration; a literal cannot.
        Self { place, text: info.payload().downcast_ref::<&'static str>().copied() }
    }

    /// Tells the operator what happened in `call`.
    pub(crate) fn report(self, call: &str, diagnostics: &mut Diagnostics) {
        let place = self.place.map(|place| format!(" at {place}")).unwrap_or_default();
        let text = self.text.map(|text| format!(": {text}")).unwrap_or_default();
        diagnostics.error(
            Path::root(),
            "Bug in the provider: a call crashed",
            format!(
                "{call} stopped{place}{text}. This is a bug of the provider, not of the configuration: please report \
                 this message. Nothing else was affected; look at the plan before the next apply, since what the call \
                 had already done is not in the state."
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_reported_with_its_place_and_without_run_time_text() {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            remember(info);
            others(info);
        }));
        let literal = caught(async { panic!("no value in here") }).await;
        let formatted = caught(async { panic!("{}", String::from("secret")) }).await;
        for (outcome, shows) in [(literal, true), (formatted, false)] {
            let mut diagnostics = Diagnostics::new();
            outcome.map(|(): ()| ()).unwrap_err().report("ReadResource", &mut diagnostics);
            let detail = diagnostics.iter().next().unwrap().detail.clone();
            assert!(detail.contains("panics.rs:"), "{detail}");
            assert_eq!(detail.contains("no value in here"), shows, "{detail}");
            assert!(!detail.contains("secret"), "{detail}");
        }
    }
}
