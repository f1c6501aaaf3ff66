//! The `timeouts` attribute: how long an operation may take before it returns what is known with an error.

use std::time::Duration;

use crate::{
    schema::{Attribute, Mode, Nesting},
    validators,
    value::{Field, Type, Value},
};

/// The deadlines of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start of a create.
    pub create: Duration,
    /// From the start of a read.
    pub read: Duration,
    /// From the start of an update.
    pub update: Duration,
    /// From the start of a delete.
    pub delete: Duration,
}

impl Timeouts {
    /// The nested attribute, with these defaults named in its text.
    pub fn attribute(defaults: Self) -> Attribute {
        let one = |name: &'static str, default: Duration| {
            Attribute::optional(name, Type::String)
                .describe(format!(
                    "Deadline of the {name}, as a Go duration (`90s`, `10m`, `1h30m`). Default `{}`.",
                    text(default)
                ))
                .validate(validators::duration())
        };
        Attribute::nested(
            "timeouts",
            Mode::Optional,
            Nesting::Single,
            vec![
                one("create", defaults.create),
                one("read", defaults.read),
                one("update", defaults.update),
                one("delete", defaults.delete),
            ],
        )
        .describe("How long each operation may take. A change of a timeout alone does nothing to the remote object.")
    }

    /// What the `timeouts` attribute of a configuration or state says; the default where it says nothing.
    pub fn from(value: &Value, defaults: Self) -> Self {
        let one = |name: &str, default: Duration| match value.get(name).string() {
            Field::Known(text) => parse_duration(text).unwrap_or(default),
            Field::Null | Field::Unknown => default,
        };
        Self {
            create: one("create", defaults.create),
            read: one("read", defaults.read),
            update: one("update", defaults.update),
            delete: one("delete", defaults.delete),
        }
    }
}

/// Reads a duration as Go's `time.ParseDuration` does, greater than zero.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_duration(given: &str) -> Result<Duration, String> {
    let wrong =
        || format!("\"{given}\" is not a duration. Write a number with a unit, such as \"90s\", \"10m\" or \"1h30m\".");
    let mut rest = given.strip_prefix('+').unwrap_or(given);
    let mut seconds = 0.0_f64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        seconds += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
        rest = tail;
    }
    // As in Go, where they end at 2^63 ns; far beyond, a clock could not be told when it is over.
    if seconds * 1e9 >= 9_223_372_036_854_775_807.0 {
        return Err(format!("\"{given}\" is too long: 2562047h, which are 292 years, are the most."));
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(format!("\"{given}\" is not a duration that can be waited for: it must be greater than zero.")),
    }
}

fn text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, 0) => format!("{m}m"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, _) => format!("{h}h{m}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (given, milliseconds) in
            [("90s", 90_000), ("10m", 600_000), ("1h30m", 5_400_000), ("1.5s", 1_500), ("250ms", 250)]
        {
            assert_eq!(parse_duration(given), Ok(Duration::from_millis(milliseconds)), "{given}");
        }
        for given in ["", "10", "m", "-5m", "0s", "10 m", "ten minutes", "1d"] {
            assert!(parse_duration(given).is_err(), "{given}");
        }
        assert!(
            parse_duration("2562047h").is_ok_and(|longest| std::time::Instant::now().checked_add(longest).is_some())
        );
        for given in ["2562048h", "2600000000000000h", "9999999999999999999h"] {
            assert!(parse_duration(given).is_err_and(|why| why.contains("too long")), "{given}");
        }
    }
}
