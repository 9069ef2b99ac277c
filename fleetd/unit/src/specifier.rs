//! Specifiers: `%i` and its kin (systemd.unit(5), "Specifiers").
//!
//! Those of the name are known everywhere; those of the host come in as [`HostFacts`]. Stricter
//! than systemd, which leaves a specifier that it does not know as it stands: it is a fault.

use super::container::credentials_directory;
use super::escape::unescape;
use crate::glob;
use fleetd_api::UnitName;

/// What a unit file may ask of the host that runs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostFacts {
    /// 32 hex digits: `%m`.
    pub machine_id: String,
    /// 32 hex digits: `%b`.
    pub boot_id: String,
    /// `%H`
    pub hostname: String,
    /// As uname(2) gives it: `%v`.
    pub kernel_release: String,
    /// systemd's name of it, such as `x86-64` or `arm64`: `%a`.
    pub architecture: String,
    /// Bytes of main memory: what `MemoryMax=50%` is a part of.
    pub memory: u64,
    /// How many tasks the kernel allows at all: what `TasksMax=10%` is a part of.
    pub tasks: u64,
}

/// Why a text was not expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unexpanded {
    /// The file is read as a bare template: its text cannot be known.
    NeedsInstance,
    /// The file is read before a host is chosen, and this specifier is of the host.
    NeedsHost(char),
    /// What is wrong, as a sentence.
    Wrong(String),
}

/// What the specifiers of one unit stand for: on a host, or before there is one.
#[derive(Debug, Clone, Copy)]
pub struct Specifiers<'a> {
    pub name: &'a UnitName,
    pub host: Option<&'a HostFacts>,
}

impl Specifiers<'_> {
    /// The text with every specifier replaced.
    pub fn expand(&self, text: &str) -> Result<String, Unexpanded> {
        self.replace(text, |value| value)
    }

    /// As [`Self::expand`] in a glob: what a specifier stands for matches only itself, so that
    /// `%p@*` is right also where the name has a backslash in it.
    pub fn expand_glob(&self, text: &str) -> Result<String, Unexpanded> {
        self.replace(text, |value| glob::literal(&value))
    }

    fn replace(&self, text: &str, quote: fn(String) -> String) -> Result<String, Unexpanded> {
        let mut out = String::with_capacity(text.len());
        let mut parts = text.split('%');
        out.push_str(parts.next().unwrap_or(""));
        while let Some(part) = parts.next() {
            let mut rest = part.chars();
            match rest.next() {
                Some(specifier) => {
                    out.push_str(&quote(self.lookup(specifier)?));
                    out.push_str(rest.as_str());
                }
                // Nothing between two percent signs: an escaped one, if there is a second.
                None => {
                    let after = parts.next().ok_or_else(|| {
                        Unexpanded::Wrong("a % stands at the end: write %%".to_owned())
                    })?;
                    out.push('%');
                    out.push_str(after);
                }
            }
        }
        Ok(out)
    }

    fn lookup(&self, specifier: char) -> Result<String, Unexpanded> {
        let name = self.name;
        let host = || self.host.ok_or(Unexpanded::NeedsHost(specifier));
        let own = |text: &str| Ok(text.to_owned());
        let decoded = |text: &str| {
            unescape(text).ok_or_else(|| {
                Unexpanded::Wrong(format!("%{specifier}: {text:?} is not escaped as systemd does"))
            })
        };
        match specifier {
            'n' | 'N' | 'i' | 'I' | 'f' | 'd' if name.is_template() => {
                Err(Unexpanded::NeedsInstance)
            }
            'n' => own(name.as_str()),
            'N' => own(name.stem()),
            'p' => own(name.prefix()),
            'P' => decoded(name.prefix()),
            'i' => own(name.instance().unwrap_or("")),
            'I' => decoded(name.instance().unwrap_or("")),
            'j' => own(last_component(name.prefix())),
            'J' => decoded(last_component(name.prefix())),
            'f' => Ok(format!("/{}", decoded(name.instance().unwrap_or(name.prefix()))?)),
            'd' => Ok(credentials_directory(name.as_str())),
            'm' => own(&host()?.machine_id),
            'b' => own(&host()?.boot_id),
            'H' => own(&host()?.hostname),
            'l' => own(host()?.hostname.split('.').next().unwrap_or("")),
            'v' => own(&host()?.kernel_release),
            'a' => own(&host()?.architecture),
            // Where the host's root keeps things, as for systemd's own units.
            'h' => own("/root"),
            't' => own("/run"),
            'T' => own("/tmp"),
            'V' => own("/var/tmp"),
            'S' => own("/var/lib"),
            'C' => own("/var/cache"),
            'L' => own("/var/log"),
            'E' => own("/etc"),
            'u' | 'g' => own("root"),
            'U' | 'G' => own("0"),
            'A' | 'B' | 'D' | 'M' | 'o' | 'q' | 's' | 'w' | 'W' | 'y' | 'Y' => {
                let message = format!("%{specifier} is not there yet; %% is a percent sign");
                Err(Unexpanded::Wrong(message))
            }
            other => {
                Err(Unexpanded::Wrong(format!("%{other} is no specifier; %% is a percent sign")))
            }
        }
    }
}

fn last_component(prefix: &str) -> &str {
    prefix.rsplit('-').next().unwrap_or(prefix)
}

/// Every specifier and what it stands for, for the reference.
pub const SPECIFIERS: &[(&str, &str)] = &[
    ("`%n` `%N`", "the unit's full name; without its suffix"),
    ("`%p` `%P`", "the part before `@` (of a name without one: before the suffix); unescaped"),
    ("`%i` `%I`", "the instance, between `@` and the suffix; unescaped"),
    ("`%j` `%J`", "what follows the last `-` of `%p`; unescaped"),
    ("`%f`", "`/` and the unescaped instance, or `/` and `%P`"),
    ("`%H` `%l`", "the host's name; up to its first dot"),
    ("`%m` `%b`", "the machine id; the boot id"),
    ("`%v` `%a`", "the kernel's release; the architecture, such as `x86-64`"),
    ("`%t` `%T` `%V`", "`/run`; `/tmp`; `/var/tmp`"),
    ("`%S` `%C` `%L` `%E`", "`/var/lib`; `/var/cache`; `/var/log`; `/etc`"),
    ("`%h` `%u` `%U` `%g` `%G`", "`/root`; `root`; `0`; `root`; `0`"),
    ("`%d`", "`$CREDENTIALS_DIRECTORY`"),
    ("`%%`", "a percent sign"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts() -> HostFacts {
        HostFacts {
            machine_id: "m1".to_owned(),
            boot_id: "b1".to_owned(),
            hostname: "web3.example.org".to_owned(),
            kernel_release: "6.1.0".to_owned(),
            architecture: "x86-64".to_owned(),
            memory: 0,
            tasks: 0,
        }
    }

    fn expand(name: &str, text: &str) -> Result<String, Unexpanded> {
        let name = UnitName::new(name).unwrap();
        Specifiers { name: &name, host: Some(&facts()) }.expand(text)
    }

    #[test]
    fn specifiers_of_the_name_and_the_host_are_replaced() {
        let unit = "app-web@srv-a\\x2db.container";
        for (text, expected) in [
            ("%n|%N|%p|%P", "app-web@srv-a\\x2db.container|app-web@srv-a\\x2db|app-web|app/web"),
            ("%i|%I|%f", "srv-a\\x2db|srv/a-b|/srv/a-b"),
            ("%j|%J", "web|web"),
            ("%H|%l|%m|%b|%v|%a", "web3.example.org|web3|m1|b1|6.1.0|x86-64"),
            ("%t%T%S", "/run/tmp/var/lib"),
            ("100%%", "100%"),
            ("%%%%i%%", "%%i%"),
            ("no", "no"),
        ] {
            assert_eq!(expand(unit, text).unwrap(), expected, "{text}");
        }
        assert_eq!(expand("web.container", "[%i]%f").unwrap(), "[]/web");
    }

    #[test]
    fn an_unknown_specifier_is_refused() {
        for (text, part) in [("%Y", "not there yet"), ("%z", "%z is no"), ("a%", "at the end")] {
            let Err(Unexpanded::Wrong(message)) = expand("web.container", text) else {
                panic!("{text} was taken");
            };
            assert!(message.contains(part), "{message}");
        }
        assert!(expand("web@\\x.container", "%I").is_err());
    }

    #[test]
    fn a_bare_template_has_no_instance_yet() {
        assert_eq!(expand("web@.container", "x%i"), Err(Unexpanded::NeedsInstance));
        assert_eq!(expand("web@.container", "%p").unwrap(), "web");
    }

    #[test]
    fn before_there_is_a_host_its_specifiers_are_told_apart() {
        let name = UnitName::new("web.container").unwrap();
        let specifiers = Specifiers { name: &name, host: None };
        for specifier in ['m', 'b', 'H', 'l', 'v', 'a'] {
            let got = specifiers.expand(&format!("x%{specifier}"));
            assert_eq!(got, Err(Unexpanded::NeedsHost(specifier)));
        }
        assert_eq!(specifiers.expand("%p%t").unwrap(), "web/run");
    }

    #[test]
    fn in_a_glob_a_specifier_matches_only_itself() {
        let name = UnitName::new("a\\x2db@1.container").unwrap();
        let specifiers = Specifiers { name: &name, host: None };
        assert_eq!(specifiers.expand_glob("%p@*\\%%").unwrap(), "a\\\\x2db@*\\%");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}|[%a-zA-Z]{0,12}") {
            let _ = expand("a-b@c.container", &text);
        }

        #[test]
        fn a_doubled_percent_sign_comes_back(text in ".{0,20}") {
            prop_assert_eq!(expand("web.container", &text.replace('%', "%%")).unwrap(), text);
        }
    }
}
