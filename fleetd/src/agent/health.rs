//! Runs a unit's health check inside its container, again and again.

use super::context::{Context, now};
use super::message::What;
use super::supervisor::Supervisor;
use crate::core::run::RunRecord;
use crate::core::unit::container::HealthCheck;
use serde_json::json;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Ends when it is aborted: with the run.
pub async fn check(context: Arc<Context>, record: RunRecord, check: HealthCheck) {
    loop {
        let passed =
            match tokio::time::timeout(check.timeout, once(&context, &record, &check)).await {
                Ok(Ok(code)) => code == 0,
                Ok(Err(error)) => {
                    tracing::debug!("check {}: {error}", record.unit);
                    false
                }
                Err(_) => false,
            };
        context.tell(&record.unit, &record.run, What::Health { passed, at: now() });
        tokio::time::sleep(check.interval).await;
    }
}

/// Kills the check's program when it is dropped before its end: it took too long.
struct Killed(Option<std::os::fd::OwnedFd>);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(pidfd) = self.0.take() {
            // It may have ended by itself.
            let _ = crate::sys::process::kill(&pidfd);
        }
    }
}

async fn once(context: &Context, record: &RunRecord, check: &HealthCheck) -> Result<i32, String> {
    let mut process = record.process.clone().ok_or("check health: the run has no process")?;
    process["args"] = json!(check.command);
    process["terminal"] = json!(false);
    let mut supervisor = Supervisor::connect(&context.place.run(&record.run)).await?;
    let null = context.launcher.null();
    let session = supervisor.exec(&process, &[null.as_fd(), null.as_fd(), null.as_fd()]).await?;
    let mut killed = Killed(crate::sys::process::pidfd_open(session.pid).ok());
    let code = supervisor.exited().await?;
    killed.0 = None;
    Ok(code)
}
