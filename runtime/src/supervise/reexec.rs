//! Another program takes over: the same process, container, log and connections.
//!
//! 1. The new program is run once beside us and reads the state (`--judge-state`). One that cannot is
//!    refused, and nothing has changed.
//! 2. The state goes into a memory file, the descriptors in it stay open over execve(2), and this
//!    process becomes the new program (`--resume-fd`). Where the exec fails everything goes on.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::connection::Role;
use super::handover::{self, Kept};
use super::serve::Answer;
use super::state::{self, State};
use super::{Supervisor, Watch, own, request};
use crate::error::{Doing, Error, Result};
use crate::sys::process::Strings;
use crate::sys::{clock, descriptor, process};

/// A program that has not judged the state by then is not going to.
const JUDGED_WITHIN: Duration = Duration::from_secs(5);

/// What the new program says of a state that it can take over.
const VERDICT: &str = "ok\n";

/// The new program while it judges the state.
pub(super) struct Successor {
    child: Child,
    pidfd: OwnedFd,
    executable: OwnedFd,
    asked_by: u32,
    /// Since boot.
    pub(super) deadline: Duration,
}

impl Supervisor {
    /// Has the new program judge the state.
    pub(super) fn begin_reexec(&mut self, asked_by: u32, passed: Vec<OwnedFd>) -> Result<Answer> {
        if self.successor.is_some() {
            return Err(Error::new("reexec: another one is under way"));
        }
        let mut passed = passed.into_iter();
        let executable = match (passed.next(), passed.next()) {
            (Some(executable), None) => executable,
            (None, _) => File::open("/proc/self/exe").doing("open /proc/self/exe")?.into(),
            (Some(_), Some(_)) => return Err(Error::new("reexec: it takes 1 descriptor at most")),
        };
        let state = self.state(asked_by, &mut Kept::default());
        let child = Command::new(format!("/proc/self/fd/{}", executable.as_raw_fd()))
            .arg0("ocirun")
            .args(["supervise", "--judge-state"])
            .stdin(memory_file(&state)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing("run the new program")?;
        let deadline = clock::since_boot() + JUDGED_WITHIN;
        let pid = child.id().cast_signed();
        let pidfd = process::pidfd_open(pid).doing("watch the new program")?;
        self.listen_to(pidfd.as_fd(), Watch::Successor)?;
        self.successor = Some(Successor { child, pidfd, executable, asked_by, deadline });
        Ok(Answer::later(Role::AwaitsReexec))
    }

    /// The new program has ended: with a verdict, or without.
    pub(super) fn on_verdict(&mut self) {
        let Some(mut successor) = self.successor.take() else { return };
        let _ = self.epoll.remove(successor.pidfd.as_fd());
        let asked_by = successor.asked_by;
        // Only a successful take-over does not come back.
        let error = match successor.verdict() {
            Ok(()) => self.become_successor(&successor.executable, asked_by),
            Err(error) => error,
        };
        self.tell(asked_by, &request::refused(&error), Role::Asking);
    }

    /// The new program takes too long.
    pub(super) fn give_up_successor(&mut self) {
        let asked_by = self.successor.as_ref().map(|successor| successor.asked_by);
        self.dismiss_successor();
        if let Some(asked_by) = asked_by {
            let error = "reexec: the new program did not judge the state in time";
            self.tell(asked_by, &request::refused(&error), Role::Asking);
        }
    }

    pub(super) fn dismiss_successor(&mut self) {
        if let Some(mut successor) = self.successor.take() {
            let _ = self.epoll.remove(successor.pidfd.as_fd());
            let _ = successor.child.kill();
            let _ = successor.child.wait();
        }
    }

    /// Returns only to say why not; then everything is as it was.
    fn become_successor(&self, executable: &OwnedFd, asked_by: u32) -> Error {
        if !self.beginnings.is_empty() {
            return Error::new("reexec: a program of exec is being started").hint("ask again");
        }
        let mut kept = Kept::default();
        let memory = match memory_file(&self.state(asked_by, &mut kept)) {
            Ok(memory) => memory,
            Err(error) => return error,
        };
        let mut kept = kept.0;
        kept.push(memory.as_fd());
        let number = memory.as_raw_fd().to_string();
        let arguments =
            ["ocirun", "supervise", "--resume-fd", &number, &self.container.identity.id];
        let environment = std::env::vars_os().map(|(name, value)| {
            [name.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat()
        });
        let cause = match (Strings::new(arguments), Strings::new(environment)) {
            (Ok(arguments), Ok(environment)) => set_close_on_exec(&kept, false)
                .err()
                .unwrap_or_else(|| process::execveat(executable.as_fd(), &arguments, &environment)),
            (Err(cause), _) | (_, Err(cause)) => cause,
        };
        let _ = set_close_on_exec(&kept, true);
        Error::io("execute the new program", &cause)
    }
}

fn set_close_on_exec(files: &[BorrowedFd<'_>], close: bool) -> io::Result<()> {
    files.iter().try_for_each(|file| descriptor::set_close_on_exec(*file, close))
}

/// The state in a file of its own, to be read from the beginning.
fn memory_file(state: &State) -> Result<File> {
    let doing = "write the state";
    let mut file = File::from(descriptor::memory_file(c"ocirun-state").doing(doing)?);
    serde_json::to_vec(state)
        .map_err(io::Error::from)
        .and_then(|text| file.write_all(&text))
        .and_then(|()| file.rewind())
        .doing(doing)?;
    Ok(file)
}

impl Successor {
    /// Reaps the new program, which has ended.
    fn verdict(&mut self) -> Result<()> {
        let status = self.child.wait().doing("wait for the new program")?;
        let mut text = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            // A child of its own may hold the pipe open: what is there now must do.
            descriptor::set_nonblocking(stdout.as_fd()).doing("read the new program's verdict")?;
            let _ = stdout.take(1024).read_to_string(&mut text);
        }
        if status.success() && text == VERDICT {
            return Ok(());
        }
        let said = text.lines().next().unwrap_or("it said nothing");
        Err(Error::new(format_args!("reexec: the new program cannot take over ({status}): {said}")))
    }
}

/// `--judge-state`: says whether this program can take over the state on its stdin.
pub fn judge() -> Result<()> {
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text).doing("read the state")?;
    match state::parse(&text) {
        Ok(_) => print!("{VERDICT}"),
        Err(error) => {
            println!("{error}");
            return Err(error);
        }
    }
    io::stdout().flush().doing("write the verdict")
}

/// `--resume-fd`: goes on in the place of another program, with the state in this memory file.
pub fn resume(number: RawFd) -> Result<()> {
    let mut text = Vec::new();
    let doing = format!("read the state in descriptor {number}");
    let file = descriptor::adopt(number).doing(&doing)?;
    File::from(file).read_to_end(&mut text).doing(&doing)?;
    let state = state::parse(&text)?;
    own::show_name();
    let asked_by = state.asked_by;
    let mut supervisor = handover::rebuild(state)?;
    supervisor.say(concat!("reexec: this is version ", env!("CARGO_PKG_VERSION")));
    supervisor.stay_after(asked_by)
}

impl Supervisor {
    /// Answers the one that asked for the new program, and goes on.
    fn stay_after(mut self, asked_by: u32) -> Result<()> {
        if let Some(connection) = self.connections.get_mut(&asked_by) {
            connection.role = Role::Asking;
            connection.send(&request::done(), Vec::new());
        }
        self.stay()
    }
}
