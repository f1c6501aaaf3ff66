//! The proof that edits of machine configurations are exact: generated configurations, Talos's own parser as the judge.
//!
//! Configurations come from Talos's own generator; their content and style are changed by chance (`content`, `style`).
//! For each, with a desired set of chance, on the back-end of its release:
//! - an edit changes no foreign byte, and Talos reads the result as intended and everything else as before;
//! - editing the result again changes nothing;
//! - taking back gives the identical bytes;
//! - a text that is broken at random is refused, or edited as exactly;
//! - somebody's edit in between, mended or left alone, survives taking back, and nothing else does.
//!
//! `cargo test` runs a few hundred. `acceptance-tests/config-proof.sh` runs all of it and prints the figures:
//! CONFIG_PROOF_COUNT configurations from CONFIG_PROOF_SEED on.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;

use talos::machine_config::Backend;

use config_proof::case::{Base, bases, case, mangled, minor_of};
use config_proof::exact::run;
use config_proof::meaning::compare;
use config_proof::talos as judge;

mod config_proof {
    pub(crate) mod case;
    pub(crate) mod content;
    pub(crate) mod dice;
    pub(crate) mod exact;
    pub(crate) mod mangle;
    pub(crate) mod meaning;
    pub(crate) mod model;
    pub(crate) mod style;
    pub(crate) mod talos;

    pub(crate) use super::{CRI, Features, Figures};
}

pub(crate) const CRI: &str = "io.containerd.cri.v1.runtime";

/// What the features of one configuration are, and of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Features(BTreeMap<&'static str, usize>);

impl Features {
    pub(crate) fn count(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    pub(crate) fn count_if(&mut self, is: bool, name: &'static str) {
        if is {
            self.count(name);
        }
    }
}

/// The features that the issue wants to see, each in so many configurations.
const WANTED: &[&str] = &[
    "anchors",
    "aliases",
    "CRLF",
    "flow style",
    "null parents",
    "empty parents",
    "duplicates",
    "comments between",
    "comments at lower indentation",
    "trailing comments",
    "comments after the last",
    "comments behind a dash",
    "comments within flow style",
    "Talos's own comments",
    "CRI part",
    "CRI part literal",
    "CRI part folded",
    "CRI part quoted",
    "several documents",
    "missing final newline",
    "byte order mark",
    "a leading document mark",
    "document end marks",
    "null documents",
    "JSON",
    "quoted keys",
    "tags",
    "merge keys",
    "non-ASCII",
    "trailing commas",
    "block scalars, clip",
    "block scalars, strip",
    "block scalars, keep",
    "scalars on several lines",
    "a module of ours is there",
    "a sysctl of ours is there",
    "KernelModuleConfig is there",
    "SysctlConfig is there",
    "CRICustomizationConfig is there",
    "complex keys",
    "tabs",
    "directives",
];

/// The figures of a run.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) configurations: usize,
    pub(crate) refused: BTreeMap<&'static str, usize>,
    pub(crate) features: Features,
    pub(crate) unchanged: usize,
    pub(crate) insertions_only: usize,
    pub(crate) drifts: usize,
    pub(crate) drifts_refused: usize,
    pub(crate) mangled: usize,
    pub(crate) mangled_refused: usize,
    pub(crate) mangled_judged: usize,
    pub(crate) failures: usize,
}

/// Runs the configurations with these seeds.
fn prove(seeds: std::ops::Range<u64>, bases: &[Base]) -> Figures {
    let mut figures = Figures::default();
    let mut judged = Vec::new();
    let sound = seeds.clone().map(|seed| case(seed, bases));
    for case in sound.chain(seeds.map(|seed| mangled(seed, bases))) {
        if case.mangled {
            figures.mangled += 1;
        } else {
            figures.configurations += 1;
            for name in case.features.0.keys() {
                figures.features.count(name);
            }
        }
        if let Some(done) = figures.attempt(|figures| run(&case, figures)) {
            judged.push((case, done));
        }
    }
    for backend in [Backend::V1Alpha1, Backend::Documents] {
        let own: Vec<_> = judged.iter().filter(|(case, _)| case.backend == backend).collect();
        let mut texts: Vec<&[u8]> = Vec::new();
        for (case, done) in &own {
            texts.push(case.text.as_bytes());
            if let Some(done) = done {
                texts.push(done.after.as_bytes());
                texts.extend(done.later.iter().map(|later| later.text.as_bytes()));
            }
        }
        let mut readings = judge::read(minor_of(backend), &texts).into_iter();
        for (case, done) in &own {
            let before = readings.next().unwrap();
            match done {
                Some(done) => {
                    let after = readings.next().unwrap();
                    let later: Vec<_> = readings.by_ref().take(done.later.len()).collect();
                    figures.mangled_judged += usize::from(case.mangled && before.ok);
                    figures.attempt(|_| compare(case, done, &before, &after, &later));
                }
                None if case.mangled => {}
                None => {
                    figures.attempt(|_| {
                        assert!(before.ok, "seed {}: Talos refuses it too: {}\n{}", case.seed, before.error, case.text);
                    });
                }
            }
        }
    }
    figures
}

impl Figures {
    /// A failure is kept, so that one run shows them all.
    fn attempt<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step(self)));
        self.failures += usize::from(done.is_err());
        done.ok()
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn edits_are_exact_and_talos_reads_them_as_intended() {
    let count = number("CONFIG_PROOF_COUNT").unwrap_or(200);
    let seed = number("CONFIG_PROOF_SEED").unwrap_or(2026);
    let bases = bases();
    let mut total = Figures::default();
    let started = std::time::Instant::now();
    let mut at = seed;
    while at < seed + count {
        let end = (at + 250).min(seed + count);
        let figures = prove(at..end, &bases);
        total.configurations += figures.configurations;
        total.unchanged += figures.unchanged;
        total.insertions_only += figures.insertions_only;
        total.drifts += figures.drifts;
        total.drifts_refused += figures.drifts_refused;
        total.mangled += figures.mangled;
        total.mangled_refused += figures.mangled_refused;
        total.mangled_judged += figures.mangled_judged;
        total.failures += figures.failures;
        for (name, count) in figures.features.0 {
            *total.features.0.entry(name).or_default() += count;
        }
        for (name, count) in figures.refused {
            *total.refused.entry(name).or_default() += count;
        }
        at = end;
    }
    let refused: usize = total.refused.values().sum();
    println!(
        "{} configurations, seeds {seed} to {}, in {:?}",
        total.configurations,
        seed + count - 1,
        started.elapsed()
    );
    println!(
        "{} edited, of these {} as wanted already, {} by additions alone; {} drifts and {} refused to mend",
        total.configurations - refused,
        total.unchanged,
        total.insertions_only,
        total.drifts,
        total.drifts_refused
    );
    println!("{refused} refused ({:.2} %)", 100.0 * refused as f64 / total.configurations as f64);
    for (reason, count) in &total.refused {
        println!("  {count:6} {reason}");
    }
    println!(
        "{} broken at random: {} refused, {} edited and judged by Talos, the rest refused by Talos as they were",
        total.mangled, total.mangled_refused, total.mangled_judged
    );
    println!("features");
    for (name, count) in &total.features.0 {
        println!("  {count:6} {name}");
    }
    assert_eq!(total.failures, 0, "failures, each printed above with its seed");
    assert!(refused * 20 < total.configurations, "more than 5 % are refused");
    let least = if count >= 10_000 { 300 } else { 1 };
    let missing: Vec<_> =
        WANTED.iter().filter(|name| total.features.0.get(*name).copied().unwrap_or(0) < least).collect();
    assert!(missing.is_empty(), "seen in fewer than {least} configurations: {missing:?}");
}
