//! The writer of a simulated host: a task, which dies with its host, whatever waits.

use super::{Failure, Job, TOGETHER, write};
use redb::Database;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

/// As the thread does it. A commit takes its time here, too.
pub(super) async fn write_all(
    database: Arc<Database>,
    mut queue: UnboundedReceiver<Job>,
    failure: Failure,
) {
    let mut held: Vec<Job> = Vec::new();
    loop {
        let next = queue.recv().await;
        let ends = next.is_none();
        held.extend(next);
        if !ends && held.iter().all(|job| job.done.is_none()) && held.len() < TOGETHER {
            continue;
        }
        tokio::time::sleep(crate::simulation::commit_takes()).await;
        while let Ok(more) = queue.try_recv() {
            held.push(more);
        }
        write(&database, std::mem::take(&mut held), &failure);
        if ends {
            return;
        }
    }
}
