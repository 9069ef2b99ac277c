//! The last part of the way, for a container's first program and for one that joins: descriptors,
//! limits, identity, seccomp, execve. In this order, since each step takes away what the next one
//! must not need.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{credentials, system};
use crate::error::{Doing, Error, Result};
use crate::launch::{self, channel};
use crate::plan::capabilities::CapabilitySets;
use crate::plan::environment;
use crate::plan::rlimits::{self, Limit};
use crate::seccomp;
use crate::spec::{Process, Spec};
use crate::sys::process::Strings;
use crate::sys::signal::SignalSet;
use crate::sys::{capability, file, identity, process, signal, terminal};

/// What those who start programs leave ignored, and execve(2) keeps so: nohup (HUP), a shell's
/// background jobs (INT, QUIT), Python (PIPE, XFSZ), this program (PIPE). A container that could not
/// be interrupted because of how a daemon was started would be a riddle.
const LEFT_IGNORED: [i32; 5] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGPIPE, libc::SIGXFSZ];

/// A program to execute, prepared by the parent.
pub struct Program<'a> {
    process: &'a Process,
    arguments: Strings,
    capabilities: CapabilitySets,
    limits: Vec<Limit>,
    filter: Option<seccomp::Program>,
    persona: Option<u64>,
    stdio: Option<[BorrowedFd<'a>; 3]>,
    preserve_fds: u32,
    keyring: Option<String>,
    death_signal: Option<i32>,
}

impl<'a> Program<'a> {
    /// For the container's first process.
    pub(crate) fn new(
        spec: &'a Spec,
        process: &'a Process,
        options: &launch::Options<'a>,
        new_user: bool,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let keyring = options.new_keyring.then(|| format!("_ses.{}", options.id));
        Ok(Self::joining(spec, process, new_user, warnings)?
            .with_descriptors(options.stdio, options.preserve_fds, options.death_signal)
            .with_keyring(keyring))
    }

    /// For a process that joins; its descriptors are the caller's.
    pub(crate) fn joining(
        spec: &'a Spec,
        process: &'a Process,
        in_user_namespace: bool,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let wanted = process.capabilities.as_ref().map(CapabilitySets::of).transpose()?;
        let wanted = wanted.unwrap_or_default();
        // Whoever makes or joins a user namespace has all capabilities in it.
        let held = if in_user_namespace {
            u64::MAX
        } else {
            capability::get().doing("read the own capabilities")?.permitted
        };
        let capabilities = wanted.grantable(held);
        let lost = wanted.not_in(held);
        if !lost.is_empty() {
            warnings.push(format!("not granted, since the caller lacks it: {}", lost.join(" ")));
        }
        let lost = wanted.ambient_in_vain();
        if !lost.is_empty() {
            warnings.push(format!(
                "not ambient, since not permitted and inheritable: {}",
                lost.join(" ")
            ));
        }
        let filter = spec.linux().seccomp.as_ref().map(seccomp::compile).transpose()?;
        if filter.as_ref().is_some_and(|filter| filter.notifies) {
            return Err(Error::new("linux.seccomp: SCMP_ACT_NOTIFY is not there yet"));
        }
        Ok(Self {
            process,
            arguments: Strings::new(process.args.iter().map(String::as_str))
                .doing("read process.args")?,
            capabilities,
            limits: rlimits::parse(&process.rlimits)?,
            filter,
            persona: spec.linux().personality.as_ref().map(|personality| {
                // PER_LINUX and PER_LINUX32 of linux/personality.h.
                if personality.domain == "LINUX32" { 8 } else { 0 }
            }),
            stdio: None,
            preserve_fds: 0,
            keyring: None,
            death_signal: None,
        })
    }

    pub(crate) fn with_descriptors(
        mut self,
        stdio: Option<[BorrowedFd<'a>; 3]>,
        preserve_fds: u32,
        death_signal: Option<i32>,
    ) -> Self {
        self.stdio = stdio;
        self.preserve_fds = preserve_fds;
        self.death_signal = death_signal;
        self
    }

    pub(crate) fn with_keyring(mut self, name: Option<String>) -> Self {
        self.keyring = name;
        self
    }

    pub(crate) fn process(&self) -> &'a Process {
        self.process
    }

    /// The kernel ends this process with its parent. Changing ids makes it forget: said again later.
    pub(crate) fn tie_to_parent(&self) -> Result<()> {
        match self.death_signal {
            Some(signal) => process::set_death_signal(signal).doing("set the death signal"),
            None => Ok(()),
        }
    }

    /// Makes 0, 1 and 2 what the program is to have; everything from 3 on goes with the exec.
    pub(crate) fn take_stdio(&self, slave: Option<&OwnedFd>) -> Result<()> {
        let doing = "set up standard input and output";
        if let Some(slave) = slave {
            let uid = self.process.user.uid;
            if uid != 0 {
                // Its group is the tty group of the mount's options, which stays.
                let gid = file::fstat(slave.as_fd()).doing(doing)?.st_gid;
                file::fchown(slave.as_fd(), uid, gid).doing("give the terminal to the user")?;
            }
            for number in 0..3 {
                file::dup2(slave.as_fd(), number).doing(doing)?;
            }
            terminal::set_controlling(slave.as_fd()).doing("take the terminal")?;
        } else if let Some(stdio) = self.stdio {
            for (number, file) in (0..).zip(stdio) {
                file::dup2(file, number).doing(doing)?;
            }
        }
        file::close_on_exec_from(3 + self.preserve_fds).doing("close inherited descriptors")
    }

    /// Limits, keyring and persona: what needs the capabilities of the beginning.
    pub(crate) fn set_limits(&self) -> Result<()> {
        for Limit { name, kind, soft, hard } in &self.limits {
            process::setrlimit(*kind, *soft, *hard).map_err(|error| {
                let fault = Error::io(format_args!("set {name} to {soft}, {hard}"), &error);
                match error.raw_os_error() {
                    Some(libc::EPERM) => {
                        fault.hint("a hard limit above the caller's needs CAP_SYS_RESOURCE")
                    }
                    _ => fault,
                }
            })?;
        }
        if let Some(name) = &self.keyring {
            match process::join_session_keyring(name) {
                // A kernel without keyrings has none to share either.
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {}
                result => result.doing("make a session keyring")?,
            }
        }
        if let Some(persona) = self.persona {
            process::personality(persona).doing("set linux.personality")?;
        }
        if let Some(profile) = self.process.apparmor_profile.as_deref().filter(|p| !p.is_empty()) {
            let proc = system::private_proc()?;
            let path = Path::new("thread-self/attr/apparmor/exec");
            write_own(proc.as_fd(), path, &format!("exec {profile}"))
                .doing(format_args!("set the AppArmor profile {profile}"))?;
        }
        Ok(())
    }

    /// The files that the program may be. One at least can be executed now.
    pub(crate) fn find(&self) -> Result<Vec<CString>> {
        let name = self.process.args.first().map(String::as_str).unwrap_or_default();
        let candidates: Vec<CString> = environment::candidates(name, &self.process.env)
            .into_iter()
            .filter_map(|path| CString::new(path).ok())
            .collect();
        if !name.contains('/') && candidates.iter().all(|path| file::may_execute(path).is_err()) {
            return Err(not_in_path(name));
        }
        // A path with a slash is relative to process.cwd: execve tells.
        Ok(candidates)
    }

    /// A program given by its path must be there. `create` says it, since engines tell a missing
    /// program from other faults only there; whether the user may execute it, `start` finds out.
    pub(crate) fn check_path(&self, candidates: &[CString]) -> Result<()> {
        let [path] = candidates else { return Ok(()) };
        let text = path.to_string_lossy();
        let absolute = self.process.cwd.join(text.as_ref());
        let Ok(name) = CString::new(absolute.as_os_str().as_bytes()) else { return Ok(()) };
        match file::may_execute(&name) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                Err(Error::io(format_args!("exec {text}"), &error))
            }
            _ => Ok(()),
        }
    }

    /// Becomes the program.
    pub(crate) fn run(
        &self,
        candidates: &[CString],
        channel: Option<&channel::Child>,
    ) -> Result<Infallible> {
        let Process { user, cwd, no_new_privileges, .. } = self.process;
        let environment = self.environment()?;
        file::umask(user.umask.unwrap_or(0o022));
        signal::set_blocked(&SignalSet::empty()).doing("unblock signals")?;
        for number in LEFT_IGNORED {
            signal::set_default(number).doing("restore the signals")?;
        }
        let entered = enter(cwd);
        if !no_new_privileges {
            // Without that bit only CAP_SYS_ADMIN may load a filter.
            self.load_filter()?;
        }
        credentials::set(user, &self.capabilities)?;
        match entered {
            // The user may enter what the container's root may not.
            Err(error) if error.errno() == Some(libc::EACCES) => enter(cwd)?,
            entered => entered?,
        }
        self.tie_to_parent()?;
        if self.death_signal.is_some()
            && let Some(channel) = channel
        {
            channel.check_parent()?;
        }
        if *no_new_privileges {
            identity::set_no_new_privileges().doing("set no_new_privs")?;
            self.load_filter()?;
        }
        Err(self.execute(candidates, &environment))
    }

    fn environment(&self) -> Result<Strings> {
        let Process { env, user, .. } = self.process;
        let mut list: Vec<&str> = env.iter().map(String::as_str).collect();
        let home;
        if environment::variable(env, "HOME").is_none() {
            let passwd = credentials::passwd();
            home = format!("HOME={}", environment::home(&passwd, user.uid));
            list.push(&home);
        }
        Strings::new(list).doing("read process.env")
    }

    fn load_filter(&self) -> Result<()> {
        match &self.filter {
            Some(filter) => identity::load_seccomp(&filter.filter, filter.flags.into())
                .doing("load the seccomp filter"),
            None => Ok(()),
        }
    }

    fn execute(&self, candidates: &[CString], environment: &Strings) -> Error {
        let name = self.process.args.first().map(String::as_str).unwrap_or_default();
        let mut refused = None;
        for path in candidates {
            let error = process::execve(path, &self.arguments, environment);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if !name.contains('/') => {}
                Some(libc::EACCES) if !name.contains('/') => refused = Some(error),
                _ => return Error::io(format_args!("exec {}", path.to_string_lossy()), &error),
            }
        }
        match refused {
            Some(error) => Error::io(format_args!("exec {name:?}"), &error),
            None => not_in_path(name),
        }
    }
}

/// Engines look for these words.
fn not_in_path(name: &str) -> Error {
    Error::new(format_args!("exec {name:?}: executable file not found in $PATH"))
}

/// Enters the working directory, and makes sure that it lies in the container: a directory of the host
/// by way of a descriptor, `/proc/self/fd/7`, does not (CVE-2024-21626).
fn enter(cwd: &Path) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(cwd.as_os_str().as_bytes())
        .map_err(|_| Error::new("process.cwd: has a NUL in it"))?;
    file::chdir(&path).doing(format_args!("enter {}", cwd.display()))?;
    let place = file::getcwd().doing(format_args!("look where {} is", cwd.display()))?;
    if place.starts_with(b"/") {
        Ok(())
    } else {
        Err(Error::new(format_args!("enter {}: it is outside of the container", cwd.display())))
    }
}

/// Writes a file of the caller's own directory in a procfs.
fn write_own(proc: BorrowedFd<'_>, path: &Path, text: &str) -> io::Result<()> {
    let resolve = file::RESOLVE_BENEATH | file::RESOLVE_NO_XDEV | file::RESOLVE_NO_MAGICLINKS;
    let file = file::openat2(proc, path, libc::O_WRONLY, 0, resolve)?;
    file::write_whole(file.as_fd(), text.as_bytes())
}
