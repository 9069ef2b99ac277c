//! The disk below the database: how full it is, and the [`Reserve`].

use super::reserve::{Reserve, SIZE};
use crate::blocking::blocking;
use crate::core::disk::Disk;
use crate::sentence::cause;
use crate::sys::file;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The kernel tells nobody that a disk is filled or freed.
const LOOK: Duration = Duration::from_secs(1);

/// Clones share one.
#[derive(Debug, Clone)]
pub struct Space {
    database: Arc<PathBuf>,
    reserve: Reserve,
    disk: watch::Sender<Disk>,
}

impl Space {
    /// Makes the reserve, if there is room for it.
    pub fn of(database: &Path) -> Self {
        let reserve = Reserve::beside(database);
        let disk = watch::Sender::new(Disk::Room);
        let space = Self { database: Arc::new(database.to_owned()), reserve, disk };
        space.look();
        space
    }

    pub fn disk(&self) -> Disk {
        *self.disk.borrow()
    }

    pub fn subscribe(&self) -> watch::Receiver<Disk> {
        self.disk.subscribe()
    }

    /// The database had no space. False: the reserve was given up before.
    pub fn give_up_reserve(&self) -> bool {
        let given = self.reserve.give_to(&self.database);
        self.show(Disk::ReserveUsed);
        given
    }

    /// Looks at the disk and makes the reserve again where there is room, until nobody has it any more.
    pub async fn look_after(self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.disk.closed() => return,
            }
            let space = self.clone();
            // Disks that are full are slow, too.
            if blocking(move || space.look()).await.is_err() {
                return;
            }
        }
    }

    /// Bytes.
    fn free(&self) -> std::io::Result<u64> {
        #[cfg(test)]
        if let Some(disk) = super::simulated::below(&self.database) {
            return Ok(if disk.content().is_full { 0 } else { 1 << 30 });
        }
        file::free_space(self.database.parent().unwrap_or(Path::new("/")))
    }

    fn look(&self) {
        let free = match self.free() {
            Ok(free) => free,
            Err(error) => {
                let of = self.database.display();
                tracing::debug!("look at the disk of {of}: {}", cause(&error));
                return;
            }
        };
        // Only where it does not take the last of it.
        let room = self.reserve.is_there()
            || free >= SIZE + crate::core::disk::FULL && self.reserve.make().is_ok();
        let free = if room { self.free().unwrap_or(free) } else { free };
        self.show(self.disk().now(room, free));
    }

    fn show(&self, now: Disk) {
        if self.disk() == now {
            return;
        }
        let before = self.disk.send_replace(now);
        let of = self.database.display();
        match now {
            Disk::ReserveUsed => tracing::warn!(
                "the disk of {of} is full: there is no room for its reserve of {} MiB; only what ends or \
                 removes something is decided by this host until there is",
                SIZE >> 20
            ),
            Disk::Full if !before.is_full() => {
                tracing::warn!("the disk of {of} is full: this host gets no new units");
            }
            Disk::Room if before.is_full() => tracing::info!("the disk of {of} has room again"),
            _ => {}
        }
    }
}
