//! What secrets are sealed to on their way to this host, and at rest on it.

use super::place::Place;
use crate::core::decided::fleet::Secret as Hidden;
use crate::core::decided::{AssignmentSet, Decided};
use crate::core::machine_id::MachineId;
use crate::pki::files::{read_private, write_private};
use crate::pki::sealed::{SealingKey, SealingPublic};
use data_encoding::BASE64;

/// The key of this host, `sealing.key` in its state directory.
///
/// Nobody else knows it and nothing depends on its being the same for ever: where it is lost another is
/// made, and the set is asked for once more.
pub struct Keyring {
    machine: MachineId,
    key: SealingKey,
}

impl Keyring {
    pub fn open(place: &Place, machine: MachineId) -> Self {
        let path = place.sealing_key();
        if path.exists() {
            let read = read_private(&path).and_then(|text| SealingKey::read(&text));
            match read {
                Ok(key) => return Self { machine, key },
                Err(e) => tracing::warn!("{}: {e}; another key takes its place", path.display()),
            }
        }
        let key = SealingKey::generate();
        if let Err(error) = write_private(&path, key.text().as_bytes()) {
            tracing::warn!("{error}; secrets are asked for again at the next start of fleetd");
        }
        Self { machine, key }
    }

    pub fn public(&self) -> SealingPublic {
        self.key.public()
    }

    /// The set of this host out of what is decided here.
    pub fn take(&self, decided: &Decided) -> Result<AssignmentSet, String> {
        seal(decided, self.machine, Some(&self.public()))
    }

    /// A secret that came with the set; none: the fleet has none of that name, or this host is not told of
    /// it yet.
    pub fn read(&self, set: &AssignmentSet, name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(sealed) = set.secrets.get(name) else { return Ok(None) };
        let opened = self.key.open(&about(self.machine, name), sealed);
        opened.map(Some).map_err(|e| format!("open secret {name}: {e}"))
    }

    pub fn reads_all(&self, set: &AssignmentSet) -> bool {
        set.secrets.keys().all(|name| self.read(set, name).is_ok())
    }
}

/// The set of a machine with what its units may read, sealed to its key. `to`: none of a fleetd that knows
/// of no secrets.
pub fn seal(
    decided: &Decided,
    machine: MachineId,
    to: Option<&SealingPublic>,
) -> Result<AssignmentSet, String> {
    let mut set = decided.set(machine);
    let Some(to) = to else { return Ok(set) };
    let sealed = decided.secrets_of(&set).into_iter().map(|(name, Hidden(value))| {
        let fail = |cause: String| format!("seal secret {name} to host {machine}: {cause}");
        let value = BASE64.decode(value.as_bytes()).map_err(|e| fail(e.to_string()))?;
        let sealed = to.seal(&about(machine, name), &value).map_err(|e| fail(e.to_string()))?;
        Ok((name.to_owned(), sealed))
    });
    let sealed = sealed.collect::<Result<_, String>>()?;
    set.secrets = sealed;
    Ok(set)
}

/// One host's secret is never taken for another's, nor for one of another name.
fn about(machine: MachineId, name: &str) -> String {
    format!("{machine} {name}")
}
