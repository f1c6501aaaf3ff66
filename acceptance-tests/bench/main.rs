//! `make bench`: how fast the provider starts, how much it holds, how big it is, what a plan of many nodes, classes and
//! releases and a read of many states cost, and how long a release takes until it is ready.
//!
//! `cargo bench --bench speed -- status render` measures these parts alone; `PARTS` has their names.
//!
//! Times are compared with `terraform_data` or helm in the same run, since the machine's own speed cancels out there. The
//! run fails when a figure is a fault.

mod classes;
mod nothing;
mod plans;
mod ready;
mod releases;
mod render;
mod start;
mod status;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

/// One measured figure beside what it aims at and what is too much.
struct Figure {
    what: String,
    unit: &'static str,
    measured: f64,
    aim: f64,
    fault: f64,
}

fn main() -> ExitCode {
    if nothing::is_asked_for() {
        return nothing::serve();
    }
    match measure() {
        Ok(figures) => judge(&figures),
        Err(error) => {
            say(&format!("the bench could not measure: {error:?}"));
            ExitCode::FAILURE
        }
    }
}

/// A name and what measures it.
type Part = (&'static str, fn(&Path) -> Result<Vec<Figure>>);

/// What can be measured, in this order.
const PARTS: [Part; 7] = [
    ("start", start::measure),
    ("plans", plans::measure),
    ("status", status::measure),
    ("classes", classes::measure),
    ("render", |_| render::measure()),
    ("releases", releases::measure),
    ("ready", ready::measure),
];

fn measure() -> Result<Vec<Figure>> {
    let binary = Path::new(env!("CARGO_BIN_EXE_terraform-provider-nvidia"));
    // Cargo adds `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|name| PARTS.iter().all(|(part, _)| part != name)) {
        bail!("there is no part {unknown}; there are {}", PARTS.map(|(name, _)| name).join(", "));
    }
    let mut figures = Vec::new();
    for (name, part) in PARTS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            figures.extend(part(binary).with_context(|| format!("part {name}"))?);
        }
    }
    Ok(figures)
}

fn judge(figures: &[Figure]) -> ExitCode {
    say(&format!("\n{:<62} {:>9} {:>9} {:>9}", "figure", "measured", "aim", "fault"));
    let mut faults = 0;
    for figure in figures {
        let verdict = match figure.measured {
            measured if measured > figure.fault => "FAULT",
            measured if measured > figure.aim => "over the aim",
            _ => "",
        };
        faults += usize::from(verdict == "FAULT");
        let what = format!("{}, {}", figure.what, figure.unit);
        say(&format!("{what:<62} {:>9.2} {:>9.2} {:>9.2} {verdict}", figure.measured, figure.aim, figure.fault));
    }
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The middle of an odd number of measurements: one that was disturbed does not count.
fn median(mut measured: Vec<f64>) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured.get(measured.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::print_stdout, reason = "a bench is read on a terminal; stdout is no handshake here")]
fn say(line: &str) {
    println!("{line}");
}
