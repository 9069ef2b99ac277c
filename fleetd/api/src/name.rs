//! Names of units, checked once, where they come in.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest name, in bytes: fleet's rule.
const MAX_LENGTH: usize = 256;

/// Suffixes of units, of this fleet's language or of systemd's.
const SUFFIXES: &[&str] = &[
    "container",
    "service",
    "pod",
    "network",
    "volume",
    "image",
    "build",
    "kube",
    "socket",
    "timer",
    "target",
    "slice",
    "mount",
    "path",
];

/// What a unit is, of those that this fleet knows so far: its suffix says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    Container,
    Network,
    Socket,
}

impl UnitKind {
    pub const ALL: [Self; 3] = [Self::Container, Self::Network, Self::Socket];

    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Network => "network",
            Self::Socket => "socket",
        }
    }

    /// Whether there may be templates of it: the others have none yet.
    pub const fn has_templates(self) -> bool {
        matches!(self, Self::Container)
    }
}

/// `NAME.SUFFIX`, `NAME@INSTANCE.SUFFIX` or the bare template `NAME@.SUFFIX`, of
/// `[a-zA-Z0-9:_.\-@]` as systemd has it: the backslash is there for its escapes, such as `\x2d`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitName(String);

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUnitName {
    name: String,
    rule: &'static str,
}

impl fmt::Display for BadUnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that is too long is not worth its full length in a message.
        let shown: String = self.name.chars().take(80).collect();
        write!(f, "read unit name {shown:?}: {}", self.rule)
    }
}

impl std::error::Error for BadUnitName {}

impl UnitName {
    pub fn new(name: impl Into<String>) -> Result<Self, BadUnitName> {
        let name = name.into();
        match broken_rule(&name) {
            None => Ok(Self(name)),
            Some(rule) => Err(BadUnitName { name, rule }),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `container` of `web@1.container`.
    pub fn suffix(&self) -> &str {
        self.0.rsplit_once('.').map_or("", |(_, suffix)| suffix)
    }

    /// None: systemd or Quadlet has such units, and this fleet does not yet.
    pub fn kind(&self) -> Option<UnitKind> {
        UnitKind::ALL.into_iter().find(|kind| kind.suffix() == self.suffix())
    }

    /// `web@1` of `web@1.container`: the specifier `%N`.
    pub fn stem(&self) -> &str {
        self.0.rsplit_once('.').map_or(&self.0, |(stem, _)| stem)
    }

    /// `web` of `web@1.container`: the specifier `%p`.
    pub fn prefix(&self) -> &str {
        self.stem().split_once('@').map_or(self.stem(), |(prefix, _)| prefix)
    }

    /// `1` of `web@1.container`: the specifier `%i`. Empty for a bare template.
    pub fn instance(&self) -> Option<&str> {
        self.stem().split_once('@').map(|(_, instance)| instance)
    }

    /// Whether it names a template without an instance, which cannot be started.
    pub fn is_template(&self) -> bool {
        self.instance() == Some("")
    }

    /// `web@.container` of `web@1.container`; nothing for a name without an instance.
    pub fn template(&self) -> Option<Self> {
        match self.instance() {
            None | Some("") => None,
            Some(_) => Some(Self(format!("{}@.{}", self.prefix(), self.suffix()))),
        }
    }

    /// The directories beside the unit file whose `*.conf` files change it, the most specific
    /// last: `container.d`, `web-.container.d` (for `web-a.container`), `web@.container.d`,
    /// `web@1.container.d` (systemd.unit(5)). A file hides one of the same name in an earlier one.
    pub fn drop_in_dirs(&self) -> Vec<String> {
        let mut dirs = vec![format!("{}.d", self.suffix())];
        let rest = &self.0[self.prefix().len()..];
        for (dash, _) in self.prefix().match_indices('-') {
            let chopped = &self.prefix()[..=dash];
            if chopped != self.prefix() {
                dirs.push(format!("{chopped}{rest}.d"));
            }
        }
        dirs.extend(self.template().map(|template| format!("{template}.d")));
        dirs.push(format!("{}.d", self.0));
        dirs
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b":_.\\-@".contains(&b);
    if name.is_empty() || name.len() > MAX_LENGTH {
        return Some("it takes 1 to 256 bytes");
    }
    if !name.bytes().all(allowed) {
        return Some("it takes a-z A-Z 0-9 : _ . - @ and \\, no / and no space");
    }
    let Some((stem, suffix)) = name.rsplit_once('.') else {
        return Some("it needs a suffix, such as .container");
    };
    if !SUFFIXES.contains(&suffix) {
        return Some("its suffix is not one of a unit, such as .container");
    }
    match stem.split_once('@') {
        _ if stem.is_empty() => Some("it needs a name before its suffix"),
        Some(("", _)) => Some("it needs a name before the @"),
        _ => None,
    }
}

impl TryFrom<String> for UnitName {
    type Error = BadUnitName;
    fn try_from(name: String) -> Result<Self, BadUnitName> {
        Self::new(name)
    }
}

impl From<UnitName> for String {
    fn from(name: UnitName) -> String {
        name.0
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        UnitName::new(text).unwrap()
    }

    #[test]
    fn a_name_comes_apart_as_in_systemd() {
        let unit = name("a-b@x@y.z.container");
        assert_eq!(unit.stem(), "a-b@x@y.z");
        assert_eq!(unit.prefix(), "a-b");
        assert_eq!(unit.instance(), Some("x@y.z"));
        assert_eq!(unit.suffix(), "container");
        assert_eq!(unit.template(), Some(name("a-b@.container")));
        assert!(name("web@.container").is_template());
        assert_eq!(name("web.container").instance(), None);
    }

    #[test]
    fn names_with_paths_spaces_or_no_suffix_are_refused() {
        let long = format!("{}.container", "a".repeat(250));
        for bad in [
            "",
            "web",
            ".container",
            "@.container",
            "@1.container",
            "a/b.container",
            "../x.container",
            "a b.container",
            "ä.container",
            "web.exe",
            "web.",
            "a\n.container",
            &long,
        ] {
            assert!(UnitName::new(bad).is_err(), "{bad:?} was taken");
        }
        let error = UnitName::new("a/b.container").unwrap_err().to_string();
        assert!(error.starts_with("read unit name \"a/b.container\": it takes"), "{error}");
        assert!(UnitName::new(format!("{}.container", "a".repeat(246))).is_ok());
    }

    #[test]
    fn the_suffix_says_the_kind() {
        assert_eq!(name("web@1.container").kind(), Some(UnitKind::Container));
        assert_eq!(name("front.network").kind(), Some(UnitKind::Network));
        assert_eq!(name("web.socket").kind(), Some(UnitKind::Socket));
        assert_eq!(name("data.volume").kind(), None);
        // Only the last part is the suffix.
        assert_eq!(name("web.socket.container").kind(), Some(UnitKind::Container));
    }

    #[test]
    fn drop_in_directories_go_from_general_to_specific() {
        assert_eq!(
            name("a-b@1.container").drop_in_dirs(),
            ["container.d", "a-@1.container.d", "a-b@.container.d", "a-b@1.container.d"]
        );
        assert_eq!(name("web.container").drop_in_dirs(), ["container.d", "web.container.d"]);
    }
}
