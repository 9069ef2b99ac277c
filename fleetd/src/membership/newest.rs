//! A host that comes back asks before it begins anything: while it was away its units may have begun
//! elsewhere, and what it has on disk does not say so.
//!
//! What runs goes on meanwhile. If nobody can be asked the host goes on by itself: a fleet that cannot
//! decide, or cannot be reached, stops no host from coming up.

use super::Links;
use super::sets::{self, Ask};
use crate::agent::assignments::Assignments;
use crate::consensus::Consensus;
use std::sync::Arc;
use std::time::Duration;

/// Longer than a fleet needs to choose a leader after all of its hosts have started.
const ALONE: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_millis(100);

/// Until it is known that this host's set is the newest, or nobody could be asked for [`ALONE`].
pub async fn confirm(
    links: Option<Arc<Links>>,
    consensus: Consensus,
    assignments: Arc<Assignments>,
) {
    let asked = async {
        let mut told = String::new();
        while let Err(error) = ask(links.as_deref(), &consensus, &assignments).await {
            if error != told {
                tracing::debug!("ask whether this host's assignments are the newest: {error}");
                told = error;
            }
            tokio::time::sleep(REST).await;
        }
    };
    if tokio::time::timeout(ALONE, asked).await.is_err() {
        tracing::warn!(
            "nobody could be asked for {}s whether this host's assignments are the newest: it \
             begins what they say",
            ALONE.as_secs()
        );
    }
    assignments.confirm();
}

/// Takes over a newer set, if there is one.
async fn ask(
    links: Option<&Links>,
    consensus: &Consensus,
    assignments: &Assignments,
) -> Result<(), String> {
    if let Some(decided) = consensus.newest().await {
        assignments.follow_to(&decided);
        return Ok(());
    }
    let links = links.ok_or("this host does not lead itself yet")?;
    let ask = Ask { newest: true, ..Ask::of(assignments) };
    if let Some(set) = sets::pull(links, consensus, ask).await? {
        assignments.offer(set);
    }
    Ok(())
}
