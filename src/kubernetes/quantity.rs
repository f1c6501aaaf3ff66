//! Amounts of resources as Kubernetes writes them, compared by what they mean: `0.1` and `100m`, `1Gi` and `1024Mi`.
//!
//! The rules are those of `k8s.io/apimachinery/pkg/api/resource`: an amount is kept in billionths, what is finer is rounded
//! up (away from zero), and what is beyond 2^63 - 1 is that.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Billionths of one.
const NANO: u128 = 1_000_000_000;

/// The largest amount.
const LARGEST: u128 = (i64::MAX as u128) * NANO;

/// An amount. Equality and order are by meaning; `Display` is as it was written.
#[derive(Clone, Debug)]
pub struct Quantity {
    written: String,
    nano: i128,
}

/// Text that is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a quantity. Write a number with an optional suffix, such as \"100m\", \"0.5\", \"250Mi\" or \"1G\"."
)]
pub struct NotAQuantity(String);

impl Quantity {
    /// Whether it is less than nothing.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        self.nano < 0
    }

    /// Whether it is a whole number.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.nano.unsigned_abs().is_multiple_of(NANO)
    }
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(written: &str) -> Result<Self, NotAQuantity> {
        let wrong = || NotAQuantity(written.to_owned());
        let (negative, rest) = match written.as_bytes().first() {
            Some(b'-') => (true, &written[1..]),
            Some(b'+') => (false, &written[1..]),
            _ => (false, written),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(wrong());
        }
        let scale = Scale::of(suffix).ok_or_else(wrong)?;
        let nano = i128::try_from(scale.nano(whole, fraction)).unwrap_or(i128::MAX);
        Ok(Self { written: written.to_owned(), nano: if negative { -nano } else { nano } })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

/// What a suffix multiplies by.
#[derive(Clone, Copy)]
enum Scale {
    /// A power of 1024.
    Binary(u32),
    /// A power of ten.
    Decimal(i64),
}

impl Scale {
    fn of(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "Ki" => Self::Binary(1),
            "Mi" => Self::Binary(2),
            "Gi" => Self::Binary(3),
            "Ti" => Self::Binary(4),
            "Pi" => Self::Binary(5),
            "Ei" => Self::Binary(6),
            "n" => Self::Decimal(-9),
            "u" => Self::Decimal(-6),
            "m" => Self::Decimal(-3),
            "" => Self::Decimal(0),
            "k" => Self::Decimal(3),
            "M" => Self::Decimal(6),
            "G" => Self::Decimal(9),
            "T" => Self::Decimal(12),
            "P" => Self::Decimal(15),
            "E" => Self::Decimal(18),
            _ => Self::Decimal(exponent(suffix)?),
        })
    }

    /// Billionths of `whole.fraction` with this suffix, rounded up, up to the largest amount.
    fn nano(self, whole: &str, fraction: &str) -> u128 {
        match self {
            Self::Binary(power) => scaled(whole, fraction, NANO * 1024_u128.pow(power)),
            Self::Decimal(power) => {
                let (whole, fraction) = shifted(whole, fraction, power + 9);
                scaled(&whole, &fraction, 1)
            }
        }
    }
}

/// The number in `e3`, `E-3`, `e+3`.
fn exponent(suffix: &str) -> Option<i64> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    let is_number = !unsigned.is_empty() && unsigned.chars().all(|c| c.is_ascii_digit());
    // Kubernetes reads it into 32 bits.
    is_number.then(|| digits.parse::<i32>().ok()).flatten().map(i64::from)
}

/// The digits with the point moved to the right by `power`.
fn shifted(whole: &str, fraction: &str, power: i64) -> (String, String) {
    // No amount needs more places than these on either side; what is farther out is nothing, or too much, all the same.
    const FAR: i64 = 64;
    let digits: String = whole.chars().chain(fraction.chars()).collect();
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let leading_zeros = digits.chars().take_while(|c| *c == '0').count();
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(power);
    let point = point.clamp(-FAR, length.saturating_add(FAR + i64::try_from(leading_zeros).unwrap_or(0)));
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    match usize::try_from(point) {
        Ok(at) if at <= digits.len() => (digits[..at].to_owned(), digits[at..].to_owned()),
        Ok(_) => (digits + &zeros(point - length), String::new()),
        Err(_) => (String::new(), zeros(-point) + &digits),
    }
}

/// `whole.fraction` times `unit`, rounded up, up to the largest amount. Exact, however many digits there are.
fn scaled(whole: &str, fraction: &str, unit: u128) -> u128 {
    let mut total: u128 = 0;
    for digit in whole.bytes().map(value) {
        total = total.saturating_mul(10).saturating_add(digit * unit);
        if total >= LARGEST {
            return LARGEST;
        }
    }
    // From the last digit on: each step divides by ten what has come from the right, and remembers whether something was
    // cut off.
    let (mut part, mut cut) = (0_u128, false);
    for digit in fraction.bytes().rev().map(value) {
        let here = digit * unit + part;
        cut |= !here.is_multiple_of(10);
        part = here / 10;
    }
    LARGEST.min(total + part + u128::from(cut))
}

fn value(digit: u8) -> u128 {
    u128::from(digit - b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_equal_by_meaning() {
        for (a, b) in [
            ("0.1", "100m"),
            ("1", "1000m"),
            ("1024Mi", "1Gi"),
            ("1Ki", "1024"),
            ("1k", "1000"),
            ("1e3", "1k"),
            ("1E3", "1k"),
            ("1E", "1000P"),
            ("12e-1", "1.2"),
            ("1.5Gi", "1536Mi"),
            ("0.1Ki", "102400m"),
            (".5", "500m"),
            ("5.", "5"),
            ("+1", "1"),
            ("-0", "0"),
            ("1n", "0.1n"),
            ("0.1m", "100u"),
            ("0000001", "1"),
            ("9223372036854775807", "100E"),
            ("1e100", "100E"),
            ("0e2000000000", "0"),
            ("1e-2000000000", "1n"),
        ] {
            assert_eq!(quantity(a), quantity(b), "{a} {b}");
        }
        assert_ne!(quantity("1G"), quantity("1Gi"));
        assert_ne!(quantity("1.000000001"), quantity("1"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in
            ["", ".", "-", "m", "1x", "1 Gi", "1.2.3", "1ki", "1KI", "e3", "1e", "1e+", "1e1.5", "0x10", "1i", "١"]
        {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_have_an_order_and_a_sign() {
        assert!(quantity("999m") < quantity("1"));
        assert!(quantity("-1") < quantity("0"));
        assert!(quantity("-1m").is_negative() && !quantity("-0").is_negative());
        assert!(quantity("1.000").is_whole() && !quantity("1500m").is_whole());
        assert_eq!(quantity("0.10").to_string(), "0.10");
    }

    proptest! {
        #[test]
        fn thousandths_of_a_number_are_the_number(number in 0_u64..1_000_000_000_000) {
            prop_assert_eq!(quantity(&format!("{number}000m")), quantity(&number.to_string()));
            let point = format!("{}.{:03}", number / 1000, number % 1000);
            prop_assert_eq!(quantity(&point), quantity(&format!("{number}m")));
        }

        #[test]
        fn binary_suffixes_are_powers_of_1024(number in 1_u64..8, power in 1_u32..6) {
            let suffix = ["Ki", "Mi", "Gi", "Ti", "Pi"][power as usize - 1];
            let plain = u128::from(number) * 1024_u128.pow(power);
            prop_assert_eq!(quantity(&format!("{number}{suffix}")), quantity(&plain.to_string()));
        }

        #[test]
        fn the_order_is_that_of_the_numbers(a in 0_u64..1 << 40, b in 0_u64..1 << 40) {
            prop_assert_eq!(quantity(&format!("{a}u")).cmp(&quantity(&format!("{b}u"))), a.cmp(&b));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn an_exponent_moves_the_point(number in 1_u64..100_000, exponent in -8_i32..8) {
            let moved = format!("{number}e{exponent}");
            let zeros = "0".repeat(exponent.unsigned_abs() as usize);
            let plain = if exponent >= 0 { format!("{number}{zeros}") } else {
                let digits = format!("{zeros}{number}");
                let (whole, fraction) = digits.split_at(digits.len() - exponent.unsigned_abs() as usize);
                format!("{whole}.{fraction}")
            };
            prop_assert_eq!(quantity(&moved), quantity(&plain));
        }
    }
}
