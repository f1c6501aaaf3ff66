//! What a sender tells of an unknown value: read leniently, since it only ever adds to "unknown".

use rmp::decode;

use crate::{
    codec::Fault,
    value::{Refinement, Value},
};

/// go-cty refuses more than this.
const LONGEST: usize = 1024;

const NULLNESS: u8 = 1;
const PREFIX: u8 = 2;

/// The unknown value that the payload of the extension describes. Keys that we have no use for (bounds of numbers and
/// lengths) or do not know end the reading: senders write keys in ascending order, ours first.
pub(super) fn read(payload: &[u8]) -> Result<Value, Fault> {
    if payload.len() > LONGEST {
        return Err(Fault::OversizeRefinement);
    }
    let mut refinement = Refinement::default();
    let mut rest = payload;
    for _ in 0..decode::read_map_len(&mut rest).unwrap_or_default() {
        match decode::read_int::<u8, _>(&mut rest) {
            Ok(NULLNESS) => match decode::read_bool(&mut rest) {
                // A value that is known to be null is known.
                Ok(true) => return Ok(Value::Null),
                Ok(false) => refinement.not_null = true,
                Err(_) => break,
            },
            Ok(PREFIX) => match read_text(&mut rest) {
                Some(prefix) => refinement.prefix = Some(prefix),
                None => break,
            },
            _ => break,
        }
    }
    Ok(Value::Unknown(refinement))
}

fn read_text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(decode::read_str_len(rest).ok()?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    String::from_utf8(text.to_vec()).ok()
}
