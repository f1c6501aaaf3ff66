//! The default runtime (in the making).
use super::record::RuntimeRecord;
use super::session::Session;
use super::tree::Tree;
use super::{Backend, DefaultRuntime, EditError, View};
pub(super) fn view(_tree: &Tree<'_>, _plugin: &str, _view: &mut View) -> Result<(), EditError> {
    Ok(())
}
pub(super) fn set(_session: &mut Session, _wanted: &DefaultRuntime, _backend: Backend) -> Result<(), EditError> {
    Ok(())
}
pub(super) fn revert(_session: &mut Session) -> Result<(), EditError> {
    Ok(())
}
pub(super) fn adopt(_tree: &Tree<'_>, _wanted: &DefaultRuntime) -> Result<Option<RuntimeRecord>, EditError> {
    Ok(None)
}
