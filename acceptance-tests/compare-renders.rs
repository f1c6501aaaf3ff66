//! Compares the objects that this provider renders with those that real Helm rendered from the published charts.
//!
//! The folder holds `values/NAME.yaml` and `out/CHART-VERSION/NAME.json` (the objects, nulls left out) or `NAME.err`
//! (Helm refused the values), for a release `nvidia-device-plugin` in the namespace `gpu`. It is not part of the
//! project: no test needs it. `acceptance-tests/compare-renders.sh FOLDER` runs this.
//!
//! Each value set goes through the resource's attributes and back, so that the schema is compared too.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{collections::BTreeMap, error::Error, fs, path::Path, process::ExitCode};

use provider::device_plugin_release::{CHARTS, Chart, Left, Release, Values, refused, render, through_attributes};
use serde_json::Value as Json;

/// Differences in which the chart is wrong and we are not, by what they have in common.
fn mended(path: &str, theirs: Option<&Json>, ours: Option<&Json>) -> Option<&'static str> {
    let text = |value: Option<&Json>| value.and_then(Json::as_str).map(ToOwned::to_owned);
    let is_env = path.contains(".env[") && path.ends_with(".value");
    match (theirs, text(ours)) {
        (Some(theirs @ (Json::Bool(_) | Json::Number(_))), Some(ours)) if is_env && format!("{theirs}") == ours => {
            Some("an environment value is no text, which the API server refuses")
        }
        _ => None,
    }
}

fn without_nulls(value: Json) -> Json {
    match value {
        Json::Object(entries) => {
            entries.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        Json::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

type Difference = (String, Option<Json>, Option<Json>);

fn differences(at: &str, theirs: &Json, ours: &Json, into: &mut Vec<Difference>) {
    match (theirs, ours) {
        (Json::Object(a), Json::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                optional(&format!("{at}.{key}"), a.get(key), b.get(key), into);
            }
        }
        (Json::Array(a), Json::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                optional(&format!("{at}[{index}]"), a.get(index), b.get(index), into);
            }
        }
        (a, b) if a == b => {}
        (a, b) => into.push((at.to_owned(), Some(a.clone()), Some(b.clone()))),
    }
}

fn optional(at: &str, theirs: Option<&Json>, ours: Option<&Json>, into: &mut Vec<Difference>) {
    match (theirs, ours) {
        (Some(a), Some(b)) => differences(at, a, b, into),
        (a, b) => into.push((at.to_owned(), a.cloned(), b.cloned())),
    }
}

#[derive(Default)]
struct Count {
    equal: usize,
    refused: usize,
    mended: BTreeMap<&'static str, Vec<String>>,
    /// Value sets that the attributes cannot say.
    unsaid: Vec<String>,
    wrong: usize,
}

fn compare(folder: &Path, chart: Chart, name: &str, user: &Json, count: &mut Count) -> Result<(), Box<dyn Error>> {
    let case = format!("{} {name}", chart.version());
    let release = Release { name: "nvidia-device-plugin".into(), namespace: "gpu".into() };
    let (values, left) = through_attributes(chart, user);
    let values = Values::over_defaults(chart, &values)?;
    let refused = refused(chart, &release, &values);
    let out = folder.join("out").join(chart.version().to_string());
    if out.join(format!("{name}.err")).exists() {
        // The value `namespace` is refused by the chart and has no attribute.
        if refused.is_empty() && !left.iter().any(|(path, _)| path == "namespace") {
            println!("WRONG {case}: Helm refuses the values, this provider does not");
            count.wrong += 1;
        } else {
            count.refused += 1;
        }
        return Ok(());
    }
    if !refused.is_empty() {
        println!("WRONG {case}: refused as {refused:?}, and Helm renders it");
        count.wrong += 1;
        return Ok(());
    }
    let theirs: Json = serde_json::from_str(&fs::read_to_string(out.join(format!("{name}.json")))?)?;
    let ours = without_nulls(Json::Array(render(chart, &release, &values)));
    let mut found = Vec::new();
    differences("", &theirs, &ours, &mut found);
    let unsaid: Vec<&str> =
        left.iter().filter(|(_, why)| *why == Left::NoAttribute).map(|(path, _)| path.as_str()).collect();
    if !found.is_empty() && !unsaid.is_empty() {
        count.unsaid.push(format!("{case}: {}", unsaid.join(", ")));
        return Ok(());
    }
    let (mended_ones, wrong): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(at, a, b)| mended(at, a.as_ref(), b.as_ref()).is_some());
    for (at, theirs, ours) in &wrong {
        let show = |value: &Option<Json>| value.as_ref().map_or("nothing".to_owned(), Json::to_string);
        println!("WRONG {case}: {at}: Helm {}, this provider {}", show(theirs), show(ours));
    }
    match (wrong.is_empty(), mended_ones.is_empty()) {
        (false, _) => count.wrong += 1,
        (true, true) => count.equal += 1,
        (true, false) => {
            for (at, theirs, ours) in mended_ones {
                if let Some(why) = mended(&at, theirs.as_ref(), ours.as_ref()) {
                    count.mended.entry(why).or_default().push(format!("{case}: {at}"));
                }
            }
        }
    }
    Ok(())
}

fn run() -> Result<bool, Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: compare-renders FOLDER (with values/ and out/)")?;
    let folder = Path::new(&folder);
    let mut sets = Vec::new();
    for entry in fs::read_dir(folder.join("values"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let values: Json = serde_saphyr::from_str(&fs::read_to_string(&path)?)?;
        sets.push((name, values));
    }
    sets.sort_by(|a, b| a.0.cmp(&b.0));
    let mut count = Count::default();
    let charts: Vec<Chart> =
        CHARTS.into_iter().filter(|chart| folder.join("out").join(chart.version().to_string()).is_dir()).collect();
    for chart in &charts {
        for (name, values) in &sets {
            compare(folder, *chart, name, values, &mut count)?;
        }
    }
    let mended: usize = count
        .mended
        .values()
        .map(|cases| cases.iter().map(|c| c.split(':').next()).collect::<std::collections::BTreeSet<_>>().len())
        .sum();
    println!(
        "{} comparisons ({} versions, {} value sets): {} equal, {} refused by both, {mended} that mend the chart, {} with values that no attribute gives, {} wrong",
        charts.len() * sets.len(),
        charts.len(),
        sets.len(),
        count.equal,
        count.refused,
        count.unsaid.len(),
        count.wrong,
    );
    for case in &count.unsaid {
        println!("no attribute: {case}");
    }
    for (why, cases) in count.mended {
        println!("mended: {why}");
        for case in cases {
            println!("  {case}");
        }
    }
    Ok(count.wrong == 0)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("compare-renders: {error}");
            ExitCode::FAILURE
        }
    }
}
