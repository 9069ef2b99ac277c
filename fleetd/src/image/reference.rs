//! What people call images: `nginx`, `ghcr.io/someone/thing:1`, `busybox@sha256:…`.
//!
//! Docker's rules, since every unit file is written with them: without a registry `docker.io`,
//! there without a namespace `library/`, without a tag `latest`. The first part is a registry if
//! it has a `.` or `:` or is `localhost`.

use super::digest::Digest;
use std::fmt;

const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";

/// A name in full: every part is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Host and perhaps port: `docker.io`, `localhost:5000`.
    pub registry: String,
    /// `library/nginx`
    pub repository: String,
    pub tag: String,
}

/// A name, with a digest if it was written with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub name: Name,
    pub digest: Option<Digest>,
}

impl Reference {
    /// The cause is a phrase for the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        let (registry, repository) = match path.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest.to_owned()),
            Some(_) => (DEFAULT_REGISTRY, path.to_owned()),
            None => (DEFAULT_REGISTRY, path.to_owned()),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        let repository = if registry == DEFAULT_REGISTRY && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository
        };
        check_registry(registry)?;
        check_repository(&repository)?;
        let tag = tag.unwrap_or(DEFAULT_TAG);
        check_tag(tag)?;
        let name = Name { registry: registry.to_owned(), repository, tag: tag.to_owned() };
        Ok(Self { name, digest })
    }
}

impl Name {
    /// As Docker shows it: without what it would add by itself, but with the tag.
    pub fn short(&self) -> String {
        let Self { registry, repository, tag } = self;
        if registry != DEFAULT_REGISTRY {
            return format!("{registry}/{repository}:{tag}");
        }
        format!("{}:{tag}", repository.strip_prefix("library/").unwrap_or(repository))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.registry, self.repository, self.tag)
    }
}

fn is_registry(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

fn check_registry(text: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b);
    if text.is_empty() || text.len() > 255 || !text.bytes().all(allowed) {
        return Err(format!("`{text}` is not a registry's host name"));
    }
    Ok(())
}

/// distribution-spec: lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
fn check_repository(text: &str) -> Result<(), String> {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part_is_good = |part: &str| {
        let bytes = part.as_bytes();
        let ends = bytes.first().is_some_and(|&b| alphanumeric(b))
            && bytes.last().is_some_and(|&b| alphanumeric(b));
        let middle = bytes.iter().all(|&b| alphanumeric(b) || b"._-".contains(&b));
        ends && middle && !part.contains("..") && !part.contains("___")
    };
    if text.len() > 255 || !text.split('/').all(part_is_good) {
        let name = text.strip_prefix("library/").unwrap_or(text);
        return Err(format!(
            "`{name}` is not a repository (lower-case letters, digits and single . _ - / between)"
        ));
    }
    Ok(())
}

/// distribution-spec: a word character, then at most 127 of them, dots or dashes.
fn check_tag(text: &str) -> Result<(), String> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut bytes = text.bytes();
    let good = bytes.next().is_some_and(word) && bytes.all(|b| word(b) || b == b'.' || b == b'-');
    if !good || text.len() > 128 {
        return Err(format!("`{text}` is not a tag"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_docker_does() {
        for (written, full, short) in [
            ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27"),
            ("grafana/loki", "docker.io/grafana/loki:latest", "grafana/loki:latest"),
            ("docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("localhost/hello", "localhost/hello:latest", "localhost/hello:latest"),
            ("localhost:5000/a/b:v1", "localhost:5000/a/b:v1", "localhost:5000/a/b:v1"),
            ("ghcr.io/a/b__c-d.e", "ghcr.io/a/b__c-d.e:latest", "ghcr.io/a/b__c-d.e:latest"),
        ] {
            let reference = Reference::parse(written).unwrap();
            assert_eq!(reference.name.to_string(), full, "{written}");
            assert_eq!(reference.name.short(), short, "{written}");
            assert_eq!(Reference::parse(short).unwrap(), reference, "{written}");
        }
    }

    #[test]
    fn a_digest_is_kept() {
        let digest = Digest::of(b"x");
        let reference = Reference::parse(&format!("busybox@{digest}")).unwrap();
        assert_eq!(reference.digest, Some(digest));
        assert_eq!(reference.name.repository, "library/busybox");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        for bad in [
            "",
            ":",
            "UPPER",
            "a//b",
            "/a",
            "a/",
            "../../etc",
            "a:b:c",
            "a b",
            "a@sha256:12",
            "ex ample.org/a",
            "a?x=y",
            "host.org/a/../b",
            "a:-tag",
            "-a",
            "a\nb",
            "é",
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad:?}");
        }
    }
}
