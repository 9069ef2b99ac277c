//! What secrets are sealed to on their way to this host, and at rest on it.

use super::place::Place;
use crate::core::decided::fleet::Secret as Hidden;
use crate::core::decided::{AssignmentSet, Decided};
use crate::core::machine_id::MachineId;
use crate::pki::files::{read_private, write_private};
use crate::pki::sealed::{SealingKey, SealingPublic};
use data_encoding::BASE64;
use std::collections::BTreeMap;

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

    /// What came sealed with the set: base64, by name.
    fn read(&self, set: &AssignmentSet) -> Result<BTreeMap<String, Hidden>, String> {
        let Some(sealed) = &set.secrets else { return Ok(BTreeMap::new()) };
        let opened = self.key.open(&about(self.machine), sealed).map_err(|e| e.to_string())?;
        serde_json::from_slice(&opened).map_err(|e| e.to_string())
    }

    pub fn can_read(&self, set: &AssignmentSet) -> bool {
        self.read(set).is_ok()
    }

    /// One of them; none: the fleet has none of that name, or this host is not told of it yet.
    pub fn secret(&self, set: &AssignmentSet, name: &str) -> Result<Option<Vec<u8>>, String> {
        let fail = |cause: String| format!("open secret {name}: {cause}");
        let mut secrets = self.read(set).map_err(fail)?;
        let value = secrets.remove(name).map(|Hidden(value)| BASE64.decode(value.as_bytes()));
        value.transpose().map_err(|e| fail(e.to_string()))
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
    let secrets = decided.secrets_of(&set);
    if let Some(to) = to.filter(|_| !secrets.is_empty()) {
        let fail = |cause: String| format!("seal secrets to host {machine}: {cause}");
        // All in one: what it costs is the key exchange.
        let text = serde_json::to_vec(&secrets).map_err(|e| fail(e.to_string()))?;
        set.secrets = Some(to.seal(&about(machine), &text).map_err(|e| fail(e.to_string()))?);
    }
    Ok(set)
}

/// One host's secrets are never taken for another's.
fn about(machine: MachineId) -> String {
    format!("secrets of host {machine}")
}
