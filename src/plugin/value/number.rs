//! Decimal numbers of any size: read, written and compared by their decimal digits, never through a float.
//!
//! Terraform sends `0.1` as text and keeps 512 bits of it, so a detour over `f64` would change the number. What is
//! needed is reading, comparing and writing, not arithmetic: a library of big decimals would bring arithmetic, and
//! would write `1e999999999` out in full.

use std::{cmp::Ordering, fmt};

use crate::value::Value;

/// Digits up to which a number is written out in full. Longer ones are written with an exponent, so that a short text
/// such as `1e999999999` cannot fill the memory. Every `f64` fits: the smallest has 1,074 decimals.
const PLAIN_DIGITS: i64 = 1_100;

const INFINITY: &str = "inf";
const NEGATIVE_INFINITY: &str = "-inf";

/// A decimal number, compared by its decimal value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    /// Fits an i64.
    Int(i64),
    /// Anything else, as the canonical decimal text that [`Number::parse`] gives.
    Decimal(String),
}

/// The text is no decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number is required")]
pub struct NotANumber;

impl Number {
    /// The whole number that this is, when it fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Decimal(_) => None,
        }
    }

    /// Reads a decimal number, with or without fraction and exponent, or an infinity (`Inf`, `-Inf`).
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        if let Ok(value) = text.parse() {
            return Ok(Self::Int(value));
        }
        Parts::parse(text).map(|parts| parts.number()).ok_or(NotANumber)
    }

    /// The exact decimal value of a binary float: `0.1_f64` is `0.1000000000000000055511151231257827…`. `None` for NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            None
        } else if value.is_infinite() {
            Some(Self::Decimal(if value > 0.0 { INFINITY } else { NEGATIVE_INFINITY }.to_owned()))
        } else {
            Self::parse(&format!("{value:.1074}")).ok()
        }
    }

    /// The binary float that has exactly this value, infinities included.
    pub fn exact_f64(&self) -> Option<f64> {
        let float: f64 = match self {
            // The text is exact, so the comparison below is the only place where rounding can show.
            Self::Int(value) => value.to_string().parse().ok()?,
            Self::Decimal(text) => text.parse().ok()?,
        };
        (Self::from_f64(float)? == self.canonical()).then_some(float)
    }

    /// Whether this is a whole number. Infinities are not.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Int(_) => true,
            Self::Decimal(text) => matches!(Parts::parse(text), Some(Parts::Finite { exponent: 0.., .. })),
        }
    }

    /// The same number in its canonical spelling; one that was not made by [`Number::parse`] may lack it.
    #[must_use]
    pub fn canonical(&self) -> Self {
        match self {
            Self::Int(_) => self.clone(),
            Self::Decimal(text) => Self::parse(text).unwrap_or_else(|_| self.clone()),
        }
    }

    /// The order of the two by value. Text that is no number (nothing here makes such) sorts after all numbers.
    pub fn order(&self, other: &Self) -> Ordering {
        if let (Self::Int(one), Self::Int(two)) = (self, other) {
            return one.cmp(two);
        }
        let (one, two) = (self.to_string(), other.to_string());
        match (Parts::parse(&one), Parts::parse(&two)) {
            (Some(a), Some(b)) => a.order(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => one.cmp(&two),
        }
    }
}

/// The decimal text.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Decimal(text) => f.write_str(text),
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Decimal(value.to_string()), Self::Int)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

/// A number taken apart: `digits` times ten to `exponent`, without zeros at either end of the digits. Zero has no digits.
#[derive(Debug, PartialEq, Eq)]
enum Parts {
    Finite { negative: bool, digits: String, exponent: i64 },
    Infinite { negative: bool },
}

impl Parts {
    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if rest.eq_ignore_ascii_case(INFINITY) {
            return Some(Self::Infinite { negative });
        }
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        Self::finite(negative, &digits, exponent)
    }

    fn finite(negative: bool, digits: &str, exponent: i64) -> Option<Self> {
        let without_end = digits.trim_end_matches('0');
        let dropped = i64::try_from(digits.len() - without_end.len()).ok()?;
        let digits = without_end.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            // Terraform has no negative zero.
            return Some(Self::Finite { negative: false, digits, exponent: 0 });
        }
        Some(Self::Finite { negative, digits, exponent: exponent.checked_add(dropped)? })
    }

    fn number(&self) -> Number {
        let text = match self {
            Self::Infinite { negative } => return Number::Decimal(infinity(*negative).to_owned()),
            Self::Finite { negative, digits, exponent } => {
                format!("{}{}", if *negative { "-" } else { "" }, spell(digits, *exponent))
            }
        };
        text.parse().map_or(Number::Decimal(text), Number::Int)
    }

    fn order(&self, other: &Self) -> Ordering {
        match self.sign().cmp(&other.sign()) {
            Ordering::Equal if self.sign() < 0 => other.order_of_size(self),
            Ordering::Equal => self.order_of_size(other),
            different => different,
        }
    }

    fn sign(&self) -> i8 {
        match self {
            Self::Finite { digits, .. } if digits.is_empty() => 0,
            Self::Finite { negative, .. } | Self::Infinite { negative } => {
                if *negative {
                    -1
                } else {
                    1
                }
            }
        }
    }

    fn order_of_size(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Infinite { .. }, Self::Infinite { .. }) => Ordering::Equal,
            (Self::Infinite { .. }, Self::Finite { .. }) => Ordering::Greater,
            (Self::Finite { .. }, Self::Infinite { .. }) => Ordering::Less,
            (
                Self::Finite { digits: one, exponent: one_exponent, .. },
                Self::Finite { digits: two, exponent: two_exponent, .. },
            ) => magnitude(one, *one_exponent).cmp(&magnitude(two, *two_exponent)).then_with(|| one.cmp(two)),
        }
    }
}

fn infinity(negative: bool) -> &'static str {
    if negative { NEGATIVE_INFINITY } else { INFINITY }
}

/// The place of the first digit, counted from the decimal point.
fn magnitude(digits: &str, exponent: i64) -> i128 {
    digits.len() as i128 + i128::from(exponent)
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Digits and exponent as decimal text.
fn spell(digits: &str, exponent: i64) -> String {
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let written = if exponent >= 0 { length.saturating_add(exponent) } else { length.max(exponent.saturating_neg()) };
    if digits.is_empty() {
        return "0".to_owned();
    }
    if written > PLAIN_DIGITS {
        // A short exponent is worth it only where zeros are what makes the text long.
        return if exponent == 0 { digits.to_owned() } else { format!("{digits}e{exponent}") };
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    if exponent >= 0 {
        return format!("{digits}{}", zeros(exponent));
    }
    match usize::try_from(length + exponent) {
        Ok(point) if point > 0 => format!("{}.{}", &digits[..point], &digits[point..]),
        _ => format!("0.{}{digits}", zeros(-exponent - length)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_has_one_canonical_spelling() -> Result<(), NotANumber> {
        for (given, canonical) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("+1", "1"),
            ("007", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("1.5E+3", "1500"),
            ("15e-1", "1.5"),
            ("1e-3", "0.001"),
            ("-12.34e-5", "-0.0001234"),
            ("9223372036854775808", "9223372036854775808"),
            ("1e20", "100000000000000000000"),
            ("1e2000", "1e2000"),
            ("10e-2000", "1e-1999"),
            ("Inf", "inf"),
            ("-Inf", "-inf"),
        ] {
            assert_eq!(Number::parse(given)?.to_string(), canonical, "{given}");
        }
        assert_eq!(Number::parse("1.0")?, Number::Int(1));
        assert_eq!(Number::parse("-9223372036854775808.0")?, Number::Int(i64::MIN));
        Ok(())
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for given in ["", "-", ".", "e5", "1e", "1e+", "1_000", "0x10", "1.2.3", "NaN", "1e99999999999999999999", "٣"]
        {
            assert_eq!(Number::parse(given), Err(NotANumber), "{given}");
        }
    }

    #[test]
    fn a_tenth_is_no_float() -> Result<(), NotANumber> {
        let tenth = Number::parse("0.1")?;
        assert_eq!(tenth.exact_f64(), None);
        let float = Number::from_f64(0.1).ok_or(NotANumber)?;
        assert_ne!(tenth, float);
        assert!(float.to_string().starts_with("0.1000000000000000055511151231257827"));
        assert_eq!(float.exact_f64(), Some(0.1));
        assert_eq!(Number::parse("0.5")?.exact_f64(), Some(0.5));
        assert_eq!(Number::parse("-Inf")?.exact_f64(), Some(f64::NEG_INFINITY));
        assert_eq!(Number::from_f64(f64::NAN), None);
        Ok(())
    }

    #[test]
    fn numbers_are_ordered_by_value() -> Result<(), NotANumber> {
        let ascending = [
            "-Inf",
            "-1e30",
            "-9223372036854775809",
            "-1",
            "-0.5",
            "0",
            "1e-30",
            "0.1",
            "0.25",
            "1",
            "9",
            "10",
            "1e30",
            "1e999999999",
            "Inf",
        ];
        for (place, text) in ascending.iter().enumerate() {
            for (other_place, other) in ascending.iter().enumerate() {
                let order = Number::parse(text)?.order(&Number::parse(other)?);
                assert_eq!(order, place.cmp(&other_place), "{text} and {other}");
            }
        }
        assert_eq!(Number::Decimal("1.50".to_owned()).order(&Number::parse("1.5")?), Ordering::Equal);
        Ok(())
    }

    proptest! {
        #[test]
        fn any_float_survives_its_decimal_text(bits: u64) {
            let float = f64::from_bits(bits);
            prop_assume!(!float.is_nan());
            let back = Number::from_f64(float).and_then(|number| number.exact_f64());
            // Negative zero is the one float that Terraform does not have.
            prop_assert_eq!(back, Some(float));
        }

        #[test]
        fn any_text_is_a_number_or_refused_without_a_panic(text in "[-+0-9.eEinf]{0,20}|.{0,20}") {
            if let Ok(number) = Number::parse(&text) {
                prop_assert_eq!(Number::parse(&number.to_string()), Ok(number));
            }
        }

        #[test]
        fn whole_numbers_are_ordered_as_integers(one: i128, two: i128) {
            let (a, b) = (Number::parse(&one.to_string()), Number::parse(&two.to_string()));
            prop_assert_eq!(a.and_then(|a| b.map(|b| a.order(&b))), Ok(one.cmp(&two)));
        }
    }
}
