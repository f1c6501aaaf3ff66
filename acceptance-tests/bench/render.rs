//! What it takes to render one release, in microseconds: the provider's own pure function, called here as a plan calls
//! it, once for each version of the chart and once with everything on.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result};
use provider::device_plugin_release::{CHARTS, Chart, Release, Values, render};
use serde_json::{Value, json};

use crate::{Figure, median, say};

/// Calls of each; the middle one counts.
const CALLS: usize = 2001;

/// What `helm` itself takes for a template is beyond 50 ms, and a plan renders each release a few times.
const AIM: f64 = 200.0;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let guide = json!({"runtimeClassName": "nvidia"});
    let newest = CHARTS[CHARTS.len() - 1];
    let mut slowest: f64 = 0.0;
    for chart in CHARTS {
        slowest = slowest.max(one(chart, &guide)?.rendered);
    }
    let (plain, full) = (one(newest, &guide)?, one(newest, &everything())?);
    say(&format!(
        "\nrender of one release, µs, median of {CALLS}: {:.1} ({} objects), slowest of {} versions {slowest:.1}; {:.1} with the values put over the chart's",
        plain.rendered,
        plain.objects,
        CHARTS.len(),
        plain.whole
    ));
    say(&format!(
        "the same with everything on: {:.1} ({} objects); {:.1} with the values put over the chart's",
        full.rendered, full.objects, full.whole
    ));
    let figure =
        |what: &str, measured| Figure { what: what.to_owned(), unit: "µs", measured, aim: AIM, fault: 10.0 * AIM };
    Ok(vec![
        figure("render of a release, slowest version", slowest),
        figure("render of a release with everything on", full.rendered),
    ])
}

/// What the newest chart can have on at once, as Helm's values.
fn everything() -> Value {
    json!({
        "runtimeClassName": "nvidia",
        "migStrategy": "mixed",
        "failOnInitError": false,
        "deviceListStrategy": "envvar,cdi-annotations",
        "gdsEnabled": true,
        "mofedEnabled": true,
        "config": {"default": "shared", "map": {
            "shared": "version: v1\nsharing:\n  mps:\n    resources:\n    - name: nvidia.com/gpu\n      replicas: 4\n",
            "whole": "version: v1\n",
        }},
        "gfd": {"enabled": true},
        "nodeSelector": {"gpu": "yes"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "resources": {"limits": {"memory": "256Mi"}},
        "podAnnotations": {"team": "ml"},
    })
}

/// One release, in microseconds.
struct Measured {
    rendered: f64,
    /// With the user's values put over the chart's.
    whole: f64,
    objects: usize,
}

fn one(chart: Chart, user: &Value) -> Result<Measured> {
    let release = Release { name: "nvidia-device-plugin".to_owned(), namespace: "nvidia-device-plugin".to_owned() };
    let values = Values::over_defaults(chart, user).context("the values are not the chart's")?;
    let whole = || Values::over_defaults(chart, user).map(|values| render(chart, &release, &values));
    Ok(Measured {
        rendered: microseconds(|| drop(black_box(render(chart, &release, black_box(&values))))),
        whole: microseconds(|| drop(black_box(whole()))),
        objects: render(chart, &release, &values).len(),
    })
}

fn microseconds(work: impl Fn()) -> f64 {
    let once = || {
        let began = Instant::now();
        work();
        began.elapsed().as_secs_f64() * 1e6
    };
    median((0..CALLS).map(|_| once()).collect())
}
