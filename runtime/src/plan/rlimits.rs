//! `process.rlimits`, from names to numbers.

use crate::error::{Error, Result};
use crate::spec::process::Rlimit;

#[allow(clippy::unnecessary_cast, reason = "the type differs between libraries")]
const NAMES: &[(&str, u32)] = &[
    ("RLIMIT_AS", libc::RLIMIT_AS as u32),
    ("RLIMIT_CORE", libc::RLIMIT_CORE as u32),
    ("RLIMIT_CPU", libc::RLIMIT_CPU as u32),
    ("RLIMIT_DATA", libc::RLIMIT_DATA as u32),
    ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE as u32),
    ("RLIMIT_LOCKS", libc::RLIMIT_LOCKS as u32),
    ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK as u32),
    ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE as u32),
    ("RLIMIT_NICE", libc::RLIMIT_NICE as u32),
    ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE as u32),
    ("RLIMIT_NPROC", libc::RLIMIT_NPROC as u32),
    ("RLIMIT_RSS", libc::RLIMIT_RSS as u32),
    ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO as u32),
    ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME as u32),
    ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING as u32),
    ("RLIMIT_STACK", libc::RLIMIT_STACK as u32),
];

/// A limit of setrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub name: &'static str,
    pub kind: u32,
    pub soft: u64,
    pub hard: u64,
}

/// Refuses unknown names, duplicates and a soft limit above the hard one.
pub fn parse(rlimits: &[Rlimit]) -> Result<Vec<Limit>> {
    let mut limits: Vec<Limit> = Vec::with_capacity(rlimits.len());
    for (index, rlimit) in rlimits.iter().enumerate() {
        let place = format_args!("process.rlimits[{index}]").to_string();
        let Some(&(name, kind)) = NAMES.iter().find(|(name, _)| *name == rlimit.kind) else {
            return Err(Error::new(format_args!("{place}: unknown limit {:?}", rlimit.kind)));
        };
        if limits.iter().any(|limit| limit.kind == kind) {
            return Err(Error::new(format_args!("{place}: a second {name}")));
        }
        if rlimit.soft > rlimit.hard {
            return Err(Error::new(format_args!("{place}: the soft {name} is above the hard one")));
        }
        limits.push(Limit { name, kind, soft: rlimit.soft, hard: rlimit.hard });
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rlimit(kind: &str, soft: u64, hard: u64) -> Rlimit {
        Rlimit { kind: kind.to_owned(), soft, hard }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let fault = |list: &[Rlimit]| parse(list).unwrap_err().to_string();
        let good = rlimit("RLIMIT_NOFILE", 1, 2);
        assert_eq!(parse(std::slice::from_ref(&good)).unwrap()[0].soft, 1);
        assert_eq!(fault(&[good.clone(), good]), "process.rlimits[1]: a second RLIMIT_NOFILE");
        assert!(fault(&[rlimit("NOFILE", 1, 1)]).contains("unknown limit \"NOFILE\""));
        assert!(fault(&[rlimit("RLIMIT_CPU", 2, 1)]).contains("above the hard one"));
    }
}
