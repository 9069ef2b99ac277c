//! Work that blocks goes to a thread of its own. What no simulated fleet does (images, logs, containers)
//! goes to tokio's threads by itself.

use tokio::task::JoinError;

/// Gives what the work gives; the error: it has panicked. It goes on if nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    // When a thread comes to its end, no seed says: in a simulated fleet it is done at once.
    #[cfg(test)]
    if turmoil::in_simulation() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await
}
