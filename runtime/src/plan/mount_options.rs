//! From a mount's option words (config.md, "Linux mount options"; mount(8)) to what the calls take.

use crate::error::{Error, Result};
use crate::sys::mount::{
    ATTR_ATIME, ATTR_NOATIME, ATTR_NODEV, ATTR_NODIRATIME, ATTR_NOEXEC, ATTR_NOSUID,
    ATTR_NOSYMFOLLOW, ATTR_RDONLY, ATTR_RELATIME, ATTR_STRICTATIME,
};

/// Attributes to set and to clear, as in `struct mount_attr`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    pub set: u64,
    pub clear: u64,
}

impl Attributes {
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// A later word wins over an earlier one.
    fn apply(&mut self, set: u64, clear: u64) {
        self.set = (self.set & !clear) | set;
        self.clear = (self.clear & !set) | clear;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    One,
    Recursive,
}

/// A mount's options, sorted by who takes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountOptions {
    pub bind: Option<Bind>,
    /// For this mount.
    pub own: Attributes,
    /// For this mount and all below it (`rro` and its like).
    pub recursive: Attributes,
    /// `MS_PRIVATE`, `MS_SHARED`, `MS_SLAVE` or `MS_UNBINDABLE`, and whether for all below too.
    pub propagation: Option<(u64, bool)>,
    /// For the file system: words without a value, and words with one.
    pub data: Vec<(String, Option<String>)>,
}

/// What a word does to this mount's attributes: set, clear.
fn attribute(word: &str) -> Option<(u64, u64)> {
    Some(match word {
        "ro" => (ATTR_RDONLY, 0),
        "rw" => (0, ATTR_RDONLY),
        "nosuid" => (ATTR_NOSUID, 0),
        "suid" => (0, ATTR_NOSUID),
        "nodev" => (ATTR_NODEV, 0),
        "dev" => (0, ATTR_NODEV),
        "noexec" => (ATTR_NOEXEC, 0),
        "exec" => (0, ATTR_NOEXEC),
        "nodiratime" => (ATTR_NODIRATIME, 0),
        "diratime" => (0, ATTR_NODIRATIME),
        "nosymfollow" => (ATTR_NOSYMFOLLOW, 0),
        "symfollow" => (0, ATTR_NOSYMFOLLOW),
        // The three modes are one field: all of it is cleared before one is set.
        "noatime" => (ATTR_NOATIME, ATTR_ATIME),
        "strictatime" => (ATTR_STRICTATIME, ATTR_ATIME),
        "relatime" | "atime" | "norelatime" | "nostrictatime" => (ATTR_RELATIME, ATTR_ATIME),
        _ => return None,
    })
}

/// What the words `defaults` and the superblock's own words become: an option of the file system,
/// or nothing where the word asks for what is anyway.
fn superblock(word: &str) -> Option<Option<&'static str>> {
    Some(match word {
        "sync" => Some("sync"),
        "dirsync" => Some("dirsync"),
        "lazytime" => Some("lazytime"),
        "mand" => Some("mand"),
        "iversion" => Some("iversion"),
        // What a file system says while it is mounted comes to us, not to the kernel's log.
        "silent" | "loud" => None,
        "defaults" | "async" | "nolazytime" | "nomand" | "noiversion" => None,
        _ => return None,
    })
}

fn propagation(word: &str) -> Option<(u64, bool)> {
    let (name, recursive) = match word {
        "runbindable" | "rprivate" | "rshared" | "rslave" => (&word[1..], true),
        _ => (word, false),
    };
    let kind = match name {
        "private" => libc::MS_PRIVATE,
        "shared" => libc::MS_SHARED,
        "slave" => libc::MS_SLAVE,
        "unbindable" => libc::MS_UNBINDABLE,
        _ => return None,
    };
    Some((kind, recursive))
}

/// Sorts option words. What nobody knows is for the file system, which refuses it or not; a bind
/// mount has none, so there it is an error.
pub fn parse(words: &[String], kind: Option<&str>) -> Result<MountOptions> {
    let mut options = MountOptions::default();
    if kind == Some("bind") {
        options.bind = Some(Bind::One);
    }
    for word in words {
        if word == "bind" {
            options.bind.get_or_insert(Bind::One);
        } else if word == "rbind" {
            options.bind = Some(Bind::Recursive);
        } else if let Some((set, clear)) = attribute(word) {
            options.own.apply(set, clear);
        } else if let Some(change) = propagation(word) {
            options.propagation = Some(change);
        } else if let Some((set, clear)) = word.strip_prefix('r').and_then(attribute) {
            options.recursive.apply(set, clear);
        } else if matches!(word.as_str(), "idmap" | "ridmap" | "tmpcopyup" | "copy-symlink") {
            return Err(Error::new(format_args!("the option {word} is not there yet")));
        } else if let Some(name) = superblock(word) {
            options.data.extend(name.map(|name| (name.to_owned(), None)));
        } else if !word.is_empty() {
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            options.data.push((key.to_owned(), value));
        }
    }
    if options.bind.is_some() {
        let unknown = options.data.iter().find(|(key, _)| superblock(key).is_none());
        if let Some((word, _)) = unknown {
            return Err(Error::new(format_args!("the option {word} is not one of a bind mount")));
        }
        options.data.clear();
    } else {
        // Nothing is below a new mount yet.
        options.own.apply(options.recursive.set, options.recursive.clear);
    }
    Ok(options)
}

/// All option words but those of single file systems, for the `features` document.
pub const KNOWN: &[&str] = &[
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "relatime",
    "rexec",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "ro",
    "rprivate",
    "rrelatime",
    "rro",
    "rrw",
    "rshared",
    "rslave",
    "rstrictatime",
    "rsuid",
    "rsymfollow",
    "runbindable",
    "rw",
    "shared",
    "silent",
    "slave",
    "strictatime",
    "suid",
    "symfollow",
    "sync",
    "unbindable",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn words_are_sorted_by_who_takes_them() {
        let options =
            parse(&words("nosuid,strictatime,mode=755,size=65536k,newinstance"), Some("tmpfs"))
                .unwrap();
        assert_eq!(options.own.set, ATTR_NOSUID | ATTR_STRICTATIME);
        assert_eq!(options.own.clear, ATTR_ATIME);
        assert_eq!(options.data[0], ("mode".to_owned(), Some("755".to_owned())));
        assert_eq!(options.data[2], ("newinstance".to_owned(), None));
        assert_eq!(options.bind, None);
    }

    #[test]
    fn a_later_word_wins() {
        let options = parse(&words("rbind,ro,rw,rro,rprivate"), None).unwrap();
        assert_eq!(options.bind, Some(Bind::Recursive));
        assert_eq!(options.own, Attributes { set: 0, clear: ATTR_RDONLY });
        assert_eq!(options.recursive.set, ATTR_RDONLY);
        assert_eq!(options.propagation, Some((libc::MS_PRIVATE, true)));
    }

    #[test]
    fn a_bind_mount_has_no_options_of_a_file_system() {
        assert!(parse(&words("bind,size=1"), None).is_err());
        assert!(parse(&words("bind,idmap"), None).is_err());
        assert!(parse(&words("ro,sync"), Some("bind")).unwrap().data.is_empty());
    }

    #[test]
    fn every_word_of_the_features_document_is_known() {
        for word in KNOWN {
            let options = parse(&[(*word).to_owned()], None).unwrap();
            let unknown = options.data.iter().any(|(key, _)| superblock(key).is_none());
            assert!(!unknown, "{word}");
        }
        assert!(KNOWN.is_sorted());
    }
}
