//! How the database is opened at a start, also where its disk is full.

use super::{Form, REST};
use crate::store::space::Space;
use crate::store::{self, Opened, Store};
use std::path::Path;

/// A disk that is full is waited for: an end would only bring the next start.
async fn with_room<T>(
    space: &Space,
    open: impl Fn() -> Result<T, store::Error>,
) -> Result<T, store::Error> {
    let mut waits = false;
    loop {
        match open() {
            Err(error) if error.no_space() => {
                if !space.give_up_reserve() && !std::mem::replace(&mut waits, true) {
                    tracing::warn!("{error}; what runs goes on, and fleetd waits for space");
                }
            }
            done => return done,
        }
        tokio::time::sleep(REST).await;
    }
}

/// Until the database, if there is one, can be opened on this disk: what is undone after a crash is
/// written, too. What else is wrong with it shows when it is opened for something.
pub async fn until_there_is_room(database: &Path) {
    if database.exists() {
        let _ = with_room(&Space::of(database), || store::offline(database, |_| Ok(()))).await;
    }
}

pub(super) async fn open(
    path: &Path,
    new_machine_id: &str,
    (form, space): (Form, &Space),
) -> Result<(Store, Opened), String> {
    let opened = with_room(space, || Store::open(path, new_machine_id)).await;
    opened.map_err(|error| match error {
        store::Error::Open { .. } => format!("{error}; {}", form.remedy()),
        _ => error.to_string(),
    })
}
