//! Runs a unit's health check inside its container, again and again.

use super::context::Context;
use super::message::What;
use super::supervisor::{Program, Supervisor};
use crate::core::run::RunRecord;
use crate::core::unit::container::HealthCheck;
use serde_json::json;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Ends when it is aborted: with the run.
pub async fn check(context: Arc<Context>, record: RunRecord, check: HealthCheck) {
    loop {
        once(&context, &record, &check).await;
        tokio::time::sleep(check.interval).await;
    }
}

/// One check, and the word about it. What takes too long is killed.
async fn once(context: &Context, record: &RunRecord, check: &HealthCheck) {
    let tell = |passed| {
        context.tell(&record.unit, &record.run, What::Health { passed, at: context.clock.now() });
    };
    let mut start = Box::pin(start(context, record, check));
    let mut begun = false;
    let result = async {
        let started = start.as_mut().await;
        begun = true;
        started?.exited().await
    };
    let result: Result<Result<i32, String>, _> = tokio::time::timeout(check.timeout, result).await;
    tell(matches!(result, Ok(Ok(0))));
    if let Ok(Err(error)) = result {
        tracing::debug!("check {}: {error}", record.unit);
    }
    // A program that is still being started would go on unseen, and the next ones after it: it is
    // waited for, and killed as soon as it can be.
    while !begun {
        match tokio::time::timeout(check.interval, &mut start).await {
            Ok(_) => begun = true,
            Err(_) => tell(false),
        }
    }
}

async fn start(
    context: &Context,
    record: &RunRecord,
    check: &HealthCheck,
) -> Result<Program, String> {
    let mut process = record.process.clone().ok_or("check health: the run has no process")?;
    process["args"] = json!(check.command);
    process["terminal"] = json!(false);
    let supervisor = Supervisor::connect(&context.place.run(&record.run)).await?;
    let null = context.launcher.null();
    supervisor.exec(&process, &[null.as_fd(), null.as_fd(), null.as_fd()]).await
}
