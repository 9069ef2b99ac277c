//! The thread that writes: a commit blocks for as long as the disk takes.
//!
//! What waits together is written in one transaction and so with one sync, in the order in which it
//! was handed over. If one part fails nothing of the transaction is there, and everybody who waited
//! for it is told.

use redb::{Database, Durability, WriteTransaction};
use std::sync::{Arc, mpsc};

/// A part of a transaction.
pub type Work = Box<dyn FnOnce(&WriteTransaction) -> Result<(), redb::Error> + Send>;
/// Told when the transaction is over; the error is that of its first part that failed.
pub type Done = Box<dyn FnOnce(Result<(), Arc<redb::Error>>) + Send>;

struct Job {
    work: Work,
    durable: bool,
    done: Done,
}

/// The queue of the thread, which ends with the last of these.
#[derive(Clone)]
pub struct Writer(mpsc::Sender<Job>);

/// As many jobs share a transaction at most.
const TOGETHER: usize = 1024;

impl Writer {
    pub fn start(database: Arc<Database>) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("store".to_owned());
        thread.spawn(move || {
            while let Ok(first) = queue.recv() {
                let mut batch = vec![first];
                batch.extend(queue.try_iter().take(TOGETHER - 1));
                write(&database, batch);
            }
        })?;
        Ok(Self(jobs))
    }

    /// On disk when `done` is told of success, with everything that was handed over before.
    pub fn durably(&self, work: Work, done: Done) {
        self.give(Job { work, durable: true, done });
    }

    /// Visible to readers then; on disk with the next job that is durable.
    pub fn soon(&self, work: Work, done: Done) {
        self.give(Job { work, durable: false, done });
    }

    fn give(&self, job: Job) {
        if let Err(mpsc::SendError(job)) = self.0.send(job) {
            let ended = std::io::Error::other("the thread that writes has ended");
            (job.done)(Err(Arc::new(redb::Error::Io(ended))));
        }
    }
}

fn write(database: &Database, batch: Vec<Job>) {
    let durable = batch.iter().any(|job| job.durable);
    let (work, done): (Vec<Work>, Vec<Done>) =
        batch.into_iter().map(|job| (job.work, job.done)).unzip();
    let result = commit(database, work, durable).map_err(Arc::new);
    for done in done {
        done(result.clone());
    }
}

fn commit(database: &Database, work: Vec<Work>, durable: bool) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    let durability = if durable { Durability::Immediate } else { Durability::None };
    transaction.set_durability(durability)?;
    for part in work {
        part(&transaction)?;
    }
    transaction.commit()?;
    Ok(())
}
