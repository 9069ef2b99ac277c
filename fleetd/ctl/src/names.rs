//! Which units are meant: suffixes, globs, paths.

use crate::failure::{Failure, exit};
use fleetd_api::{Unit, UnitName};
use glob::Pattern;

/// What a glob is known by.
pub(crate) fn is_glob(argument: &str) -> bool {
    argument.contains(['*', '?', '['])
}

/// The last part of a path: `web.container` of `units/web.container`.
pub(crate) fn base(argument: &str) -> &str {
    argument.rsplit('/').next().unwrap_or(argument)
}

/// The unit that a name means: one without a suffix is a `.container`, or a `.service` when
/// `known` has that one only.
pub(crate) fn resolve(argument: &str, known: impl Fn(&str) -> bool) -> Result<UnitName, Failure> {
    let name = base(argument);
    if let Ok(name) = UnitName::new(name) {
        return Ok(name);
    }
    let service = format!("{name}.service");
    let container = format!("{name}.container");
    let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    let chosen = if !known(&container) && known(&service) { service } else { container };
    UnitName::new(chosen).map_err(|error| {
        let failure = Failure::new(error.to_string());
        match suffix {
            "yaml" | "yml" | "json" | "hcl" => failure.hint("units are .container files"),
            _ => failure,
        }
    })
}

/// The submitted units that the arguments name, each once, in the arguments' order.
pub(crate) fn select<'u>(
    arguments: &[String],
    units: &'u [Unit],
) -> Result<Vec<&'u Unit>, Failure> {
    let mut chosen: Vec<&Unit> = Vec::new();
    let known = |name: &str| units.iter().any(|unit| unit.name == name);
    for argument in arguments {
        let found: Vec<&Unit> = if is_glob(argument) {
            let pattern = Pattern::new(argument)
                .map_err(|error| Failure::new(format!("read the glob {argument:?}: {error}")))?;
            units.iter().filter(|unit| matches(&pattern, &unit.name)).collect()
        } else {
            let name = resolve(argument, known)?;
            units.iter().filter(|unit| unit.name == name.as_str()).collect()
        };
        if found.is_empty() {
            let wanted = if is_glob(argument) {
                argument.clone()
            } else {
                resolve(argument, known)?.to_string()
            };
            return Err(Failure::new(format!("find {wanted}: there is no such unit"))
                .hint("fleetctl list-unit-files shows all")
                .code(exit::FAILED));
        }
        for unit in found {
            if !chosen.iter().any(|other| other.name == unit.name) {
                chosen.push(unit);
            }
        }
    }
    Ok(chosen)
}

/// A glob is held against the whole name and against the name without its suffix.
fn matches(pattern: &Pattern, name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    pattern.matches(name) || pattern.matches(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(argument: &str, known: &[&str]) -> String {
        resolve(argument, |name| known.contains(&name)).unwrap().to_string()
    }

    #[test]
    fn a_missing_suffix_means_a_container_unless_only_the_service_is_there() {
        assert_eq!(resolved("web", &[]), "web.container");
        assert_eq!(resolved("web", &["web.service"]), "web.service");
        assert_eq!(resolved("web", &["web.service", "web.container"]), "web.container");
        assert_eq!(resolved("web.service", &["web.container"]), "web.service");
        assert_eq!(resolved("a.b@1", &[]), "a.b@1.container");
        assert_eq!(resolved("./units/web.container", &[]), "web.container");
    }

    #[test]
    fn a_name_that_cannot_be_is_told() {
        for bad in ["", "a b", "@1", "units/"] {
            assert!(resolve(bad, |_| false).is_err(), "{bad:?} was taken");
        }
    }
}
