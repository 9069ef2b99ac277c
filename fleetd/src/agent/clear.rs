//! Takes away what a run made: cgroups, writable layer, endpoint, directory. The directory goes last:
//! as long as it is there, somebody will come and finish this.

use super::context::Context;
use super::message::What;
use super::place::remove_tree;
use super::prepare::prune_logs;
use crate::core::run::RunRecord;
use std::sync::Arc;
use std::time::Duration;

/// A supervisor ends by itself once the exit record is written.
const SUPERVISOR_ENDS: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Clears an ended run, however long it takes, and tells the agent.
pub async fn clear(context: Arc<Context>, record: RunRecord) {
    undo(&context, &record).await;
    context.tell(&record.unit, &record.run, What::Cleared);
}

/// Clears what there is of a run until nothing is left.
pub async fn undo(context: &Arc<Context>, record: &RunRecord) {
    let mut pause = Duration::from_millis(100);
    while let Err(error) = once(context, record).await {
        tracing::warn!("clear {}: {error}; again in {pause:?}", record.run);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn once(context: &Arc<Context>, record: &RunRecord) -> Result<(), String> {
    let run = record.run.as_str();
    let ends = context.cgroups.wait_supervisor(run);
    if let Ok(Err(error)) = tokio::time::timeout(SUPERVISOR_ENDS, ends).await {
        return Err(error);
    }
    context.cgroups.remove_run(run).await?;
    if let Some(endpoint) = &record.endpoint {
        context.network.detach(endpoint.id.clone());
    }
    let (place, id) = (context.place.clone(), record.run.clone());
    let (pruned, unit) = (context.clone(), record.unit.clone());
    let removed = tokio::task::spawn_blocking(move || {
        remove_tree(&place.layer(&id))?;
        prune_logs(&pruned, &unit);
        remove_tree(&place.run(&id))
    });
    removed.await.map_err(|e| e.to_string())?
}
