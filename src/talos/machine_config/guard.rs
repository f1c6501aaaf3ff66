//! The proof (in the making).
use super::record::Record;
use super::session::Session;
use super::{Desired, EditError};
pub(super) fn check(session: &mut Session, _desired: &Desired, _record: &Record) -> Result<(), EditError> {
    let original = std::mem::take(&mut session.original);
    session.hunks.trim(&original, &session.text);
    Ok(())
}
