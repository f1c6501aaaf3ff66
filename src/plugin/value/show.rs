//! Values as a diagnostic shows them. Whoever shows a value that may be sensitive masks it first.

use std::fmt;

use crate::value::Value;

/// Characters after which a shown value is cut: a diagnostic is for reading.
const LONGEST: usize = 300;

/// A value as HCL would spell it, cut when it is long.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Cut { text: String::new(), room: LONGEST, whole: true };
        // An error only says that the room is used up.
        let _ = spell(self, &mut text);
        f.write_str(&text.text)?;
        if text.whole { Ok(()) } else { f.write_str(" …") }
    }
}

struct Cut {
    text: String,
    room: usize,
    whole: bool,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for character in more.chars() {
            if self.room == 0 {
                self.whole = false;
                return Err(fmt::Error);
            }
            self.room -= 1;
            self.text.push(character);
        }
        Ok(())
    }
}

fn spell(value: &Value, f: &mut impl fmt::Write) -> fmt::Result {
    match value {
        Value::Null => f.write_str("null"),
        Value::Unknown(_) => f.write_str("(known after apply)"),
        Value::Bool(value) => write!(f, "{value}"),
        Value::Number(number) => write!(f, "{number}"),
        Value::String(text) => write!(f, "{text:?}"),
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => {
            f.write_str("[")?;
            for (position, item) in items.iter().enumerate() {
                f.write_str(if position == 0 { "" } else { ", " })?;
                spell(item, f)?;
            }
            f.write_str("]")
        }
        Value::Map(entries) | Value::Object(entries) => {
            f.write_str("{")?;
            for (position, (key, value)) in entries.iter().enumerate() {
                f.write_str(if position == 0 { "" } else { ", " })?;
                match value_key(key) {
                    true => write!(f, "{key} = ")?,
                    false => write!(f, "{key:?} = ")?,
                }
                spell(value, f)?;
            }
            f.write_str("}")
        }
        Value::Dynamic(_, inner) => spell(inner, f),
    }
}

/// Whether a key needs no quotes.
fn value_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_as_hcl() {
        let value = Value::object([
            ("a", Value::List(vec![Value::from("x"), Value::from(1), Value::Null])),
            ("b.c", Value::unknown()),
        ]);
        assert_eq!(value.to_string(), r#"{a = ["x", 1, null], "b.c" = (known after apply)}"#);
    }

    #[test]
    fn a_long_value_is_cut() {
        let shown = Value::from("é".repeat(100_000)).to_string();
        assert_eq!(shown.chars().count(), LONGEST + 2);
        assert!(shown.ends_with('…'));
    }
}
