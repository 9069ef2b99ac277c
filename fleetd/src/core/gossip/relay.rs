//! foca's door to the records: what it hears goes into them, and what is new it passes on.

use super::node::Node;
use super::record::{Key, Record};
use super::records::{Heard, Records};
use foca::{BroadcastHandler, Invalidates};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The records: the state machine writes them, everybody reads them.
pub type Shared = Arc<Mutex<Records>>;

/// Holds the records for a moment: never over a wait.
pub fn lock(records: &Shared) -> MutexGuard<'_, Records> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Relay(pub(super) Shared);

/// A record that waits to be sent; a newer one of its key takes its place.
pub(super) struct Waiting(Key);

impl Invalidates for Waiting {
    fn invalidates(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl BroadcastHandler<Node> for Relay {
    type Key = Waiting;
    type Error = Infallible;

    /// Never an error: one bad record would cost the good ones behind it.
    fn receive_item(
        &mut self,
        data: &[u8],
        sender: Option<&Node>,
    ) -> Result<Option<Waiting>, Infallible> {
        let mut records = lock(&self.0);
        let record = match Record::decode(data) {
            Ok(record) => record,
            Err(reason) => {
                records.dropped.count(reason);
                return Ok(None);
            }
        };
        // None is this host itself: the record comes out of the records.
        let goes_on =
            sender.is_none() || (records.hear(&record, None) == Heard::New && records.relays);
        Ok(goes_on.then_some(Waiting(record.key)))
    }
}
