//! `ocirun supervise`: start a container for fleetd and stay with it until it has ended.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use super::Global;
use crate::cli::{self, Arguments, Flag, Kind, Order};
use crate::error::{Error, Result};
use crate::plan::signals;
use crate::supervise::{self, Options};

pub(super) const FLAGS: &[Flag] = &[
    ("bundle", "b", Kind::Value),
    ("run-dir", "", Kind::Value),
    ("rootfs-fd", "", Kind::Value),
    ("netns-fd", "", Kind::Value),
    ("mount-fd", "", Kind::Value),
    ("cgroup", "", Kind::Value),
    ("ready-fd", "", Kind::Value),
    ("notify-fd", "", Kind::Value),
    ("stdin", "", Kind::Switch),
    ("log-dir", "", Kind::Value),
    ("log-max-size", "", Kind::Value),
    ("log-max-files", "", Kind::Value),
    ("stop-signal", "", Kind::Value),
    ("stop-timeout-ms", "", Kind::Value),
    // From one supervisor to the one that takes over.
    ("judge-state", "", Kind::Switch),
    ("resume-fd", "", Kind::Value),
];

const LOG_MAX_SIZE: u64 = 10 << 20;
const LOG_MAX_FILES: u32 = 5;
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn run(_global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, FLAGS, Order::Anywhere)?;
    match number(&arguments, "resume-fd")? {
        Some(state) => supervise::resume(state)?,
        None if arguments.on("judge-state") => supervise::judge()?,
        None => supervise::run(options(&arguments)?)?,
    }
    Ok(0)
}

fn options(arguments: &Arguments) -> Result<Options> {
    let needed = |name: &str| {
        let path = arguments.path(name);
        path.ok_or_else(|| Error::new(format_args!("supervise: --{name} is missing")))
    };
    let stop_signal = arguments.value("stop-signal").map(signals::parse).transpose()?;
    Ok(Options {
        id: arguments.id()?.to_owned(),
        bundle: needed("bundle")?,
        run_dir: needed("run-dir")?,
        rootfs_fd: number(arguments, "rootfs-fd")?,
        netns_fd: number(arguments, "netns-fd")?,
        mount_fds: arguments.values("mount-fd").map(mount).collect::<Result<_>>()?,
        cgroup: arguments.path("cgroup"),
        ready_fd: number(arguments, "ready-fd")?,
        notify_fd: number(arguments, "notify-fd")?,
        stdin: arguments.on("stdin"),
        log_dir: arguments.path("log-dir"),
        log_max_size: positive(arguments, "log-max-size")?.unwrap_or(LOG_MAX_SIZE),
        log_max_files: positive(arguments, "log-max-files")?.unwrap_or(LOG_MAX_FILES),
        stop_signal: stop_signal.unwrap_or(libc::SIGTERM),
        stop_timeout: match arguments.value("stop-timeout-ms") {
            Some("never") => None,
            _ => Some(
                number(arguments, "stop-timeout-ms")?.map_or(STOP_TIMEOUT, Duration::from_millis),
            ),
        },
    })
}

/// `DESTINATION=N`. The number holds no `=`; a destination may.
fn mount(value: &str) -> Result<(PathBuf, RawFd)> {
    value
        .rsplit_once('=')
        .and_then(|(at, number)| Some((PathBuf::from(at), number.parse().ok()?)))
        .ok_or_else(|| Error::new(format_args!("--mount-fd {value}: must be DESTINATION=N")))
}

fn number<T: std::str::FromStr>(arguments: &Arguments, name: &str) -> Result<Option<T>> {
    arguments
        .value(name)
        .map(|value| {
            value.parse().map_err(|_| Error::new(format_args!("--{name} {value}: not a number")))
        })
        .transpose()
}

fn positive<T: std::str::FromStr + Default + PartialEq>(
    arguments: &Arguments,
    name: &str,
) -> Result<Option<T>> {
    match number(arguments, name)? {
        Some(zero) if zero == T::default() => {
            Err(Error::new(format_args!("--{name}: must be more than 0")))
        }
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        options(&cli::parse(&words, FLAGS, Order::Anywhere)?)
    }

    #[test]
    fn every_option_of_the_contract_is_read() {
        let options = parsed(
            "--bundle /b --run-dir=/r --rootfs-fd 3 --netns-fd=4 --mount-fd /a=b=5 --mount-fd=/c=6 \
             --cgroup x/y --ready-fd 7 --notify-fd 8 --stdin --log-dir /l --log-max-size 1000 --log-max-files 2 \
             --stop-signal SIGINT --stop-timeout-ms 500 web",
        );
        let expected = Options {
            id: "web".into(),
            bundle: "/b".into(),
            run_dir: "/r".into(),
            rootfs_fd: Some(3),
            netns_fd: Some(4),
            mount_fds: vec![("/a=b".into(), 5), ("/c".into(), 6)],
            cgroup: Some("x/y".into()),
            ready_fd: Some(7),
            notify_fd: Some(8),
            stdin: true,
            log_dir: Some("/l".into()),
            log_max_size: 1000,
            log_max_files: 2,
            stop_signal: libc::SIGINT,
            stop_timeout: Some(Duration::from_millis(500)),
        };
        assert_eq!(options.unwrap(), expected);
        let least = parsed("--bundle b --run-dir r x").unwrap();
        assert_eq!((least.stop_signal, least.stop_timeout), (libc::SIGTERM, Some(STOP_TIMEOUT)));
        let patient = parsed("--bundle b --run-dir r --stop-timeout-ms never x").unwrap();
        assert_eq!(patient.stop_timeout, None);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (line, expected) in [
            ("--bundle b --run-dir r", "the container's id is missing"),
            ("x", "supervise: --bundle is missing"),
            ("--bundle b x", "supervise: --run-dir is missing"),
            ("--bundle b --run-dir r --ready-fd n x", "--ready-fd n: not a number"),
            ("--bundle b --run-dir r --mount-fd /a x", "--mount-fd /a: must be DESTINATION=N"),
            ("--bundle b --run-dir r --log-max-files 0 x", "--log-max-files: must be more than 0"),
            ("--bundle b --run-dir r --stop-signal NONE x", "unknown signal \"NONE\""),
            ("--nonsense 1 x", "--nonsense: unknown flag"),
        ] {
            assert_eq!(parsed(line).unwrap_err().to_string(), expected, "{line}");
        }
    }
}
