//! A user's file: what somebody needs to use a fleet from elsewhere than its hosts. The key in it
//! was made by fleetctl and was never anywhere else.

use crate::failure::Failure;
use crate::text;
use fleetd_api::{NewCertificate, Reachable, UserRole};
use fleetd_pki::certificate::{Validity, from_pem};
use fleetd_pki::files::{read_private, write_private};
use fleetd_pki::refusal::Side;
use fleetd_pki::{Bundle, Credentials, Identity, Key, Own, Request, Revoked, Trust, UserName};
use rustls::pki_types::UnixTime;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// As it is on disk: JSON, of mode 0600.
#[derive(Serialize, Deserialize)]
pub(crate) struct UserFile {
    pub name: UserName,
    pub role: UserRole,
    /// 32 hex digits.
    pub fleet: String,
    /// PEM, as the two below.
    pub certificate: String,
    pub key: String,
    pub authorities: String,
    /// Hosts to ask, the first one first.
    pub hosts: Vec<Reachable>,
}

/// A key, and the request for its certificate (PEM).
pub(crate) struct NewKey {
    key: Key,
    pub csr: String,
}

impl NewKey {
    pub(crate) fn make() -> Result<Self, Failure> {
        let failed = |error: fleetd_pki::Error| Failure::new(error.to_string());
        let key = Key::generate().map_err(failed)?;
        let csr = Request::make(&key, None).map_err(failed)?;
        Ok(Self { key, csr })
    }

    /// With the fleet's answer, which is to be for this key, this user and this role.
    pub(crate) fn certified(
        self,
        answer: NewCertificate,
        name: &UserName,
        role: UserRole,
    ) -> Result<UserFile, Failure> {
        let NewCertificate { fleet, certificate, authorities, hosts, .. } = answer;
        let (name, key) = (name.clone(), self.key.pem());
        let file = UserFile { name, role, fleet, certificate, key, authorities, hosts };
        match file.check(UnixTime::now()) {
            Ok(_) => Ok(file),
            Err(cause) => Err(Failure::new(format!("read the fleet's answer: {cause}"))),
        }
    }
}

/// Where a user's file is looked for if nobody names one.
pub(crate) fn usual_place() -> Option<PathBuf> {
    let named = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    let config = named("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(named("HOME")?).join(".config")))?;
    Some(config.join("flotilla/fleet"))
}

impl UserFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_private(path).map_err(|error| {
            Failure::new(error.to_string()).hint("fleetctl user add NAME --role ROLE makes one")
        })?;
        serde_json::from_str(&text).map_err(|error| {
            let message = format!("read {}: {error}", path.display());
            Failure::new(message).hint("it is none that fleetctl user add has made")
        })
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::new(format!("write {}: {error}", path.display())))?;
        write_private(path, &text).map_err(|error| Failure::new(error.to_string()))
    }

    /// What is shown and believed. Told here: that the certificate has expired, before a host does.
    pub(crate) fn credentials(&self, path: &Path) -> Result<Arc<Credentials>, Failure> {
        let (bundle, own) = self.check(UnixTime::now()).map_err(|cause| {
            Failure::new(format!("use {}: {cause}", path.display()))
                .hint("an admin makes another: fleetctl user add")
        })?;
        Ok(Arc::new(Credentials::new(bundle, Revoked::default(), own)))
    }

    fn check(&self, now: UnixTime) -> Result<(Bundle, Own), String> {
        let bundle = Bundle::read(&self.authorities).map_err(|error| error.to_string())?;
        let own = Own::read(&self.certificate, &self.key).map_err(|error| error.to_string())?;
        let trust = Trust { bundle: bundle.clone(), revoked: Revoked::default() };
        let certificate = own.certificate().ok_or("it has no certificate")?;
        let shown = trust.verify(certificate, Side::Client, now).map_err(|e| {
            // It is ours: nobody else shows it.
            e.to_string().replace("the peer's certificate", "its certificate")
        })?;
        let is_user =
            |role: fleetd_pki::Role, name: &UserName| *name == self.name && is(role, self.role);
        match &shown.identity {
            Identity::User { role, name } if is_user(*role, name) => Ok((bundle, own)),
            other => Err(format!("its certificate is of {other}")),
        }
    }

    /// In which second the certificate expires, if little of its time is left.
    pub(crate) fn expires_soon(&self, now: u64) -> Option<u64> {
        let certificate = from_pem(&self.certificate).ok()?;
        let Validity { not_before, not_after } = Validity::of(&certificate).ok()?;
        let left = not_after.saturating_sub(now);
        (left < not_after.saturating_sub(not_before) / 4).then_some(not_after)
    }
}

fn is(role: fleetd_pki::Role, named: UserRole) -> bool {
    role.as_str() == word(named)
}

/// As the command line spells a role.
pub(crate) fn word(role: UserRole) -> &'static str {
    match role {
        UserRole::View => "view",
        UserRole::Operate => "operate",
        UserRole::Admin => "admin",
    }
}

/// Tells whoever uses the file that it will not do for long.
pub(crate) fn warn_of_end(file: &UserFile) {
    if let Some(end) = file.expires_soon(text::now() / 1_000_000) {
        let end = text::time(end.saturating_mul(1_000_000));
        eprintln!(
            "fleetctl: the certificate of {} expires at {end}: fleetctl user renew",
            file.name
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleetd_pki::fixture::{bundle, fleet, now};
    use fleetd_pki::{Authority, Role};

    fn file(authority: &Authority, role: Role, valid_for: u64, now: u64) -> UserFile {
        let new = NewKey::make().unwrap();
        let name: UserName = "anna".parse().unwrap();
        let request = Request::read(&new.csr).unwrap();
        let identity = Identity::user(name.clone(), role);
        let issued = authority.issue(&request, &identity, valid_for, now).unwrap();
        UserFile {
            name,
            role: UserRole::Operate,
            fleet: authority.fleet().to_string(),
            certificate: issued.pem(),
            key: new.key.pem(),
            authorities: bundle(&[authority]).pem(),
            hosts: Vec::new(),
        }
    }

    fn cause(file: &UserFile) -> String {
        file.check(UnixTime::now()).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_file_is_used_only_if_it_fits_together_and_has_not_expired() {
        let (authority, other) = (fleet(), fleet());
        let good = file(&authority, Role::Operate, 7200, now());
        assert!(good.check(UnixTime::now()).is_ok());
        let greater = file(&authority, Role::Admin, 7200, now());
        assert_eq!(cause(&greater), "its certificate is of user anna (admin)");
        let old = file(&authority, Role::Operate, 60, now() - 100);
        assert!(cause(&old).starts_with("its certificate expired at "), "{}", cause(&old));
        let foreign = UserFile { authorities: bundle(&[&other]).pem(), ..good };
        assert!(cause(&foreign).contains("no authority that this fleet trusts"));
        let mixed = UserFile { key: greater.key, ..file(&authority, Role::Operate, 60, now()) };
        assert!(cause(&mixed).contains("the key is of another certificate"));
    }

    #[test]
    fn the_end_is_told_when_a_quarter_of_the_time_is_left() {
        let authority = fleet();
        let file = file(&authority, Role::Operate, 30 * 24 * 3600, now());
        let end = now() + 30 * 24 * 3600;
        assert_eq!(file.expires_soon(now()), None);
        assert_eq!(file.expires_soon(end - 3 * 24 * 3600), Some(end));
    }
}
