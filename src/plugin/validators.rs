//! Rules that attributes of any provider need.

use std::sync::Arc;

use crate::{
    diagnostics::Diagnostics,
    path::Path,
    schema::Validator,
    value::{Field, Value},
};

/// A rule about text: `check` answers why the text breaks it.
pub fn text(
    rule: impl Into<String>,
    summary: &'static str,
    check: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
) -> Validator {
    Validator {
        rule: rule.into(),
        check: Arc::new(move |value: &Value, path: &Path, diagnostics: &mut Diagnostics| {
            if let Field::Known(text) = value.string()
                && let Err(why) = check(text)
            {
                diagnostics.error(path.clone(), summary, why);
            }
        }),
    }
}

/// The text is one of `allowed`.
pub fn one_of(allowed: &'static [&'static str]) -> Validator {
    let list = allowed.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ");
    let message = allowed.iter().map(|a| format!("\"{a}\"")).collect::<Vec<_>>().join(", ");
    text(format!("one of {list}"), "Invalid value", move |given| {
        if allowed.contains(&given) { Ok(()) } else { Err(format!("\"{given}\" is not one of {message}.")) }
    })
}

/// The text is a duration as Go writes it, greater than zero: `90s`, `10m`, `1h30m`.
pub fn duration() -> Validator {
    text("a duration such as `90s`, `10m` or `1h30m`", "Invalid duration", |given| {
        crate::timeouts::parse_duration(given).map(|_| ())
    })
}
