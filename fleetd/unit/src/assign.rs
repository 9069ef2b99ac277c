//! One value on its way from an assignment into the draft.

use super::container::{Credential, EnvironmentFile, Restart, SecretFile, ServiceType};
use super::specifier::{HostFacts, Specifiers, Unexpanded};
use super::{credential, mapping, syntax, value, words};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

/// Why a value was not taken; the text stands after `KEY=VALUE: `.
pub type Taken<T> = Result<T, Unexpanded>;

/// The right side of an assignment, and what is needed to understand it.
pub struct Value<'a> {
    pub raw: &'a str,
    pub specifiers: Specifiers<'a>,
    /// What is accepted with a word on it.
    pub warnings: RefCell<Vec<String>>,
}

impl Value<'_> {
    /// Sets a key that has one value; an empty one takes it back.
    pub fn put<T>(&self, slot: &mut Option<T>, parse: impl FnOnce(&Self) -> Taken<T>) -> Taken<()> {
        *slot = if self.raw.is_empty() { None } else { Some(parse(self)?) };
        Ok(())
    }

    /// Adds to a key that has many values; an empty one takes all of them back.
    pub fn add<T>(
        &self,
        list: &mut Vec<T>,
        parse: impl FnOnce(&Self) -> Taken<Vec<T>>,
    ) -> Taken<()> {
        if self.raw.is_empty() {
            list.clear()
        } else {
            list.extend(parse(self)?)
        }
        Ok(())
    }

    pub fn warn(&self, message: impl Into<String>) {
        self.warnings.borrow_mut().push(message.into());
    }

    /// None: the file is read before a host is chosen.
    pub fn host(&self) -> Option<&HostFacts> {
        self.specifiers.host
    }

    /// One line of text with its specifiers replaced.
    pub fn text(&self) -> Taken<String> {
        let text = self.specifiers.expand(self.raw)?;
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return wrong("it has a control character in it");
        }
        Ok(text)
    }

    /// Text without white space, such as the name of an image or a user.
    pub fn name(&self) -> Taken<String> {
        let text = self.text()?;
        if text.chars().any(char::is_whitespace) { wrong("it takes one word") } else { Ok(text) }
    }

    /// Words; specifiers are replaced inside each, so that they never make two of one.
    pub fn words(&self) -> Taken<Vec<String>> {
        self.words_of(self.raw)
    }

    fn words_of(&self, text: &str) -> Taken<Vec<String>> {
        let split = words::split(text).map_err(Unexpanded::Wrong)?;
        self.warn_of_escapes(split.unknown_escapes);
        let words = split.words.iter().map(|word| self.specifiers.expand(word));
        let words = words.collect::<Taken<Vec<String>>>()?;
        if words.iter().any(|word| word.contains('\0')) {
            return wrong("it has a NUL byte in it");
        }
        Ok(words)
    }

    fn warn_of_escapes(&self, unknown: Vec<String>) {
        for escape in unknown {
            self.warn(format!("the escape {escape} is not known and stays as it is"));
        }
    }

    /// A command as words, or as a JSON array of strings as podman takes it.
    pub fn command(&self) -> Taken<Vec<String>> {
        match self.json_array()? {
            Some(words) => Ok(words),
            None => self.words(),
        }
    }

    fn json_array(&self) -> Taken<Option<Vec<String>>> {
        if !self.raw.starts_with('[') {
            return Ok(None);
        }
        let Ok(words) = serde_json::from_str::<Vec<String>>(self.raw) else {
            return wrong("it begins with [ and is no JSON array of strings");
        };
        words.iter().map(|word| self.specifiers.expand(word)).collect::<Taken<_>>().map(Some)
    }

    /// podman's rules: a JSON array or `CMD ...` is run as it is, other text by `/bin/sh -c`.
    /// Empty is `none`: no check, even if the image has one.
    pub fn health_command(&self) -> Taken<Vec<String>> {
        let shell = |text: String| vec!["/bin/sh".to_owned(), "-c".to_owned(), text];
        if let Some(words) = self.json_array()? {
            return match words.first().map(String::as_str) {
                Some("CMD") => Ok(words[1..].to_vec()),
                Some("CMD-SHELL") => Ok(shell(words[1..].join(" "))),
                Some("NONE") => Ok(Vec::new()),
                Some(_) => Ok(words),
                None => wrong("it names no command"),
            };
        }
        if self.raw.eq_ignore_ascii_case("none") {
            return Ok(Vec::new());
        }
        match self.raw.split_once(' ') {
            Some(("CMD", rest)) => self.words_of(rest),
            Some(("CMD-SHELL", rest)) => Ok(shell(self.specifiers.expand(rest.trim_start())?)),
            _ => Ok(shell(self.text()?)),
        }
    }

    /// `NAME=VALUE` in words.
    pub fn environment(&self) -> Taken<Vec<(String, String)>> {
        let pair = |word: String| match word.split_once('=') {
            Some((name, _)) if !valid_variable(name) => {
                wrong(format!("{:?} is no name of a variable", syntax::head(name)))
            }
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => wrong(format!("{:?} is not NAME=VALUE", syntax::head(&word))),
        };
        self.words()?.into_iter().map(pair).collect()
    }

    /// A path on the host; `-` in front: it may be missing.
    pub fn environment_file(&self) -> Taken<Vec<EnvironmentFile>> {
        let text = self.text()?;
        let (path, optional) = match text.strip_prefix('-') {
            Some(path) => (path, true),
            None => (text.as_str(), false),
        };
        let path = mapping::absolute(path).map_err(Unexpanded::Wrong)?;
        Ok(vec![EnvironmentFile { path, optional }])
    }

    pub fn ports(&self) -> Taken<Vec<super::container::Port>> {
        mapping::ports(&self.text()?).map_err(Unexpanded::Wrong)
    }

    pub fn volume(&self) -> Taken<Vec<super::container::Volume>> {
        let (volume, unused) = mapping::volume(&self.text()?).map_err(Unexpanded::Wrong)?;
        unused.into_iter().for_each(|message| self.warn(message));
        Ok(vec![volume])
    }

    pub fn loaded_credential(&self) -> Taken<Vec<Credential>> {
        let loaded = credential::load(&self.name()?);
        loaded.map(|loaded| vec![loaded]).map_err(Unexpanded::Wrong)
    }

    /// Its value is nothing that a specifier is in (systemd.exec(5)).
    pub fn set_credential(&self) -> Taken<Vec<Credential>> {
        let (set, unknown) = credential::set(self.raw).map_err(Unexpanded::Wrong)?;
        self.warn_of_escapes(unknown);
        Ok(vec![set])
    }

    pub fn secret_file(&self) -> Taken<Vec<SecretFile>> {
        let file = credential::secret_file(&self.name()?);
        file.map(|file| vec![file]).map_err(Unexpanded::Wrong)
    }

    pub fn path(&self) -> Taken<PathBuf> {
        mapping::absolute(&self.text()?).map_err(Unexpanded::Wrong)
    }

    pub fn boolean(&self) -> Taken<bool> {
        value::boolean(self.raw).map_err(Unexpanded::Wrong)
    }

    pub fn number(&self) -> Taken<u32> {
        value::number(self.raw).map_err(Unexpanded::Wrong)
    }

    pub fn positive(&self) -> Taken<u32> {
        match self.number()? {
            0 => wrong("it takes a whole number over 0"),
            number => Ok(number),
        }
    }

    pub fn signal(&self) -> Taken<i32> {
        value::signal(self.raw).map_err(Unexpanded::Wrong)
    }

    /// A time that ends.
    pub fn span(&self) -> Taken<Duration> {
        match value::time_span(self.raw).map_err(Unexpanded::Wrong)? {
            Some(span) => Ok(span),
            None => wrong("it takes a time that ends, such as 30 or 1min 30s"),
        }
    }

    /// A time that ends and is not 0.
    pub fn positive_span(&self) -> Taken<Duration> {
        match self.span()? {
            Duration::ZERO => wrong("it takes a time over 0"),
            span => Ok(span),
        }
    }

    /// A time to wait; `infinity` and, as in systemd, 0 are none.
    pub fn timeout(&self) -> Taken<Option<Duration>> {
        let span = value::time_span(self.raw).map_err(Unexpanded::Wrong)?;
        Ok(span.filter(|span| !span.is_zero()))
    }

    /// Bytes, a part of the host's memory, or `infinity`.
    pub fn memory(&self) -> Taken<Option<u64>> {
        self.limit(
            self.host().map(|host| host.memory),
            value::size,
            "bytes such as 512M, 50% or infinity",
        )
    }

    /// A number of tasks, a part of what the kernel allows, or `infinity`.
    pub fn tasks(&self) -> Taken<Option<u64>> {
        let count = |text: &str| value::number(text).map(u64::from);
        self.limit(self.host().map(|host| host.tasks), count, "a number over 0, 10% or infinity")
    }

    /// A part of a host that is not chosen yet is no limit that can be named.
    fn limit(
        &self,
        whole: Option<u64>,
        parse: fn(&str) -> Result<u64, String>,
        takes: &str,
    ) -> Taken<Option<u64>> {
        if self.raw == "infinity" {
            return Ok(None);
        }
        let part = |whole: u64, hundredths: u64| {
            u64::try_from(u128::from(whole) * u128::from(hundredths) / 10_000).ok()
        };
        let limit = match value::percent(self.raw) {
            Ok(hundredths @ 1..=10_000) => match whole {
                Some(whole) => part(whole, hundredths),
                None => return Ok(None),
            },
            Ok(_) => None,
            Err(_) => parse(self.raw).ok(),
        };
        match limit {
            Some(limit) if limit > 0 => Ok(Some(limit)),
            _ => wrong(format!("it takes {takes}")),
        }
    }

    /// podman's `PidsLimit=`: -1 is without a limit.
    pub fn pids(&self) -> Taken<Option<u64>> {
        if self.raw == "-1" { Ok(None) } else { Ok(Some(self.positive()?.into())) }
    }

    /// CPU time per wall time.
    pub fn cpu_quota(&self) -> Taken<f64> {
        match value::percent(self.raw) {
            #[expect(clippy::cast_precision_loss, reason = "a percentage is far below 2^53")]
            Ok(hundredths @ 1..=100_000_000) => Ok(hundredths as f64 / 10_000.0),
            _ => wrong("it takes a percentage of one CPU over 0%, such as 50% or 150%"),
        }
    }

    pub fn restart(&self) -> Taken<Restart> {
        Ok(match self.raw {
            "no" => Restart::No,
            "on-success" => Restart::OnSuccess,
            "on-failure" => Restart::OnFailure,
            "on-abnormal" => Restart::OnAbnormal,
            "on-watchdog" => Restart::OnWatchdog,
            "on-abort" => Restart::OnAbort,
            "always" => Restart::Always,
            _ => {
                return wrong(
                    "it takes no, always, on-success, on-failure, on-abnormal, on-abort or \
                     on-watchdog",
                );
            }
        })
    }

    pub fn service_type(&self) -> Taken<ServiceType> {
        match self.raw {
            "simple" => Ok(ServiceType::Simple),
            "exec" => Ok(ServiceType::Exec),
            "notify" => Ok(ServiceType::Notify),
            "oneshot" => Ok(ServiceType::Oneshot),
            _ => wrong("a container's type is simple, exec, notify or oneshot"),
        }
    }

    /// Quadlet's `Notify=`.
    pub fn notify(&self) -> Taken<ServiceType> {
        if self.raw == "healthy" {
            self.warn("Notify=healthy is not honoured yet: active is when the program runs");
            return Ok(ServiceType::Simple);
        }
        match self.boolean() {
            Ok(true) => Ok(ServiceType::Notify),
            Ok(false) => Ok(ServiceType::Simple),
            Err(_) => wrong("it takes yes, no or healthy"),
        }
    }

    /// Unit names in `After=` and the like: those of systemd's own boot hold on any running host.
    pub fn ordering(&self) -> Taken<()> {
        let host = |word: &String| HOST_TARGETS.contains(&word.as_str());
        let others: Vec<String> = self.words()?.into_iter().filter(|word| !host(word)).collect();
        if !others.is_empty() {
            let names = syntax::head(&others.join(" "));
            self.warn(format!("not honoured yet: the unit does not wait for {names}"));
        }
        Ok(())
    }
}

/// What systemd reaches before a daemon such as fleetd runs.
const HOST_TARGETS: &[&str] = &[
    "basic.target",
    "default.target",
    "local-fs.target",
    "multi-user.target",
    "network-online.target",
    "network.target",
    "nss-lookup.target",
    "remote-fs.target",
    "sysinit.target",
    "time-sync.target",
];

/// Images know names such as `discovery.type`, which a shell could not set.
fn valid_variable(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

pub fn wrong<T>(message: impl Into<String>) -> Taken<T> {
    Err(Unexpanded::Wrong(message.into()))
}
