//! `make bench`: how fast the provider starts, how much it holds, how big it is, and what a plan of many nodes costs.
//!
//! Times are compared with `terraform_data` in the same run, since the machine's own speed cancels out there. The run
//! fails when a figure is one that issue 3 calls a fault.

mod classes;
mod plans;
mod start;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

/// One measured figure beside what it aims at and what is too much.
struct Figure {
    what: String,
    unit: &'static str,
    measured: f64,
    aim: f64,
    fault: f64,
}

fn main() -> ExitCode {
    match measure() {
        Ok(figures) => judge(&figures),
        Err(error) => {
            say(&format!("the bench could not measure: {error:?}"));
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<Vec<Figure>> {
    let binary = Path::new(env!("CARGO_BIN_EXE_terraform-provider-nvidia"));
    let mut figures = start::measure(binary)?;
    figures.extend(plans::measure(binary)?);
    figures.extend(classes::measure(binary)?);
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
