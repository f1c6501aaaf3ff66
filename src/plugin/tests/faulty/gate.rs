//! Where a call waits until the test lets it go on.

use plugin::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// Says `name` to the test that listens at `path`, and waits for its answer or for the user's stop. Returns whether it
/// was stopped.
pub(crate) async fn stopped_at(path: Option<&str>, name: &str, context: &Context) -> bool {
    let Some(path) = path else { return false };
    let Ok(mut test) = UnixStream::connect(path).await else { return false };
    drop(test.write_all(format!("{name} {}\n", std::process::id()).as_bytes()).await);
    let stopped = tokio::select! {
        _ = test.read_u8() => false,
        () = context.stop.cancelled() => true,
    };
    drop(test.write_all(if stopped { b"stopped\n" } else { b"passed\n" }).await);
    // Stays open for as long as the process lives, which is how the test sees its end.
    std::mem::forget(test);
    stopped
}
