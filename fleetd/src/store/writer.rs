//! The thread that writes: a commit blocks for as long as the disk takes.
//!
//! What waits together is written in one transaction and so with one sync, in the order in which it
//! was handed over. What need not be on disk yet waits for what must. After the first error nothing
//! is written any more, since what comes later builds on what came before: the database has to be
//! opened again (redb asks for that too).

use redb::{Database, WriteTransaction};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// A part of a transaction.
pub type Work = Box<dyn FnOnce(&WriteTransaction) -> Result<(), redb::Error> + Send>;
/// Told when the transaction is over; the error is that of its first part that failed.
pub type Done = Box<dyn FnOnce(Result<(), Arc<redb::Error>>) + Send>;

struct Job {
    work: Work,
    /// None: it can wait.
    done: Option<Done>,
}

/// The queue of the thread, which ends with the last of these.
#[derive(Clone)]
pub struct Writer {
    jobs: Jobs,
    failure: Failure,
}

#[derive(Clone)]
enum Jobs {
    ToThread(mpsc::Sender<Job>),
    /// In a simulation: no seed says when a thread comes to its end.
    #[cfg(test)]
    ToTask(tokio::sync::mpsc::UnboundedSender<Job>),
}

/// What went wrong.
#[derive(Debug, Clone, Default)]
pub struct Failure(Arc<Mutex<Option<Arc<redb::Error>>>>);

impl Failure {
    pub fn get(&self) -> Option<Arc<redb::Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is of the same writer.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn set(&self, error: &Arc<redb::Error>) {
        let mut failure = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| Arc::clone(error));
    }
}

/// As many jobs share a transaction at most.
const TOGETHER: usize = 1024;

impl Writer {
    pub fn start(database: Arc<Database>) -> std::io::Result<Self> {
        #[cfg(test)]
        if turmoil::in_simulation() {
            let (jobs, queue) = tokio::sync::mpsc::unbounded_channel();
            let failure = Failure::default();
            tokio::spawn(task::write_all(database, queue, failure.clone()));
            return Ok(Self { jobs: Jobs::ToTask(jobs), failure });
        }
        let (jobs, queue) = mpsc::channel::<Job>();
        let failure = Failure::default();
        let seen = failure.clone();
        let thread = std::thread::Builder::new().name("store".to_owned());
        thread.spawn(move || write_all(&database, &queue, &seen))?;
        Ok(Self { jobs: Jobs::ToThread(jobs), failure })
    }

    /// On disk when `done` is told of success, with everything that was handed over before.
    pub fn durably(&self, work: Work, done: Done) {
        self.give(Job { work, done: Some(done) });
    }

    /// On disk with the next job that is durable, or soon. An error is told by later jobs.
    pub fn soon(&self, work: Work) {
        self.give(Job { work, done: None });
    }

    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }

    fn give(&self, job: Job) {
        let refused = match &self.jobs {
            Jobs::ToThread(jobs) => jobs.send(job).map_err(|mpsc::SendError(job)| job),
            #[cfg(test)]
            Jobs::ToTask(jobs) => jobs.send(job).map_err(|refused| refused.0),
        };
        if let Err(Job { done: Some(done), .. }) = refused {
            let ended = std::io::Error::other("the thread that writes has ended");
            done(Err(Arc::new(redb::Error::Io(ended))));
        }
    }
}

fn write_all(database: &Database, queue: &mpsc::Receiver<Job>, failure: &Failure) {
    let mut held: Vec<Job> = Vec::new();
    loop {
        let next = queue.recv();
        let ends = next.is_err();
        held.extend(next);
        held.extend(queue.try_iter().take(TOGETHER));
        if ends || held.len() >= TOGETHER || held.iter().any(|job| job.done.is_some()) {
            write(database, std::mem::take(&mut held), failure);
        }
        if ends {
            return;
        }
    }
}

fn write(database: &Database, batch: Vec<Job>, failure: &Failure) {
    let (work, done): (Vec<Work>, Vec<Option<Done>>) =
        batch.into_iter().map(|job| (job.work, job.done)).unzip();
    let result = match failure.get() {
        Some(error) => Err(error),
        None => commit(database, work).map_err(Arc::new).inspect_err(|error| failure.set(error)),
    };
    for done in done.into_iter().flatten() {
        done(result.clone());
    }
}

fn commit(database: &Database, work: Vec<Work>) -> Result<(), redb::Error> {
    if work.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    for part in work {
        part(&transaction)?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
#[path = "writer_task.rs"]
mod task;

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
