//! What says that a host's assignment set has a new version: signed, or any host of the fleet could make
//! another one ask for a set that does not exist, for ever.

use super::record::{Kind, Record, Version};
use crate::core::machine_id::MachineId;
use crate::pki::signed::{Purpose, Signed, Signer};

fn payload(host: MachineId, version: Version) -> String {
    format!("{host} {} {}", version.life, version.counter)
}

/// The value of the record.
pub fn sign(signer: &Signer, host: MachineId, version: Version) -> Vec<u8> {
    signer.sign(Purpose::SetDigest, payload(host, version)).signature.into_bytes()
}

/// `signer`: its public half, 64 hex digits. A deletion is nobody's.
pub(super) fn is_signed(record: &Record, signer: &str) -> bool {
    let signature = record.value.as_ref().and_then(|value| str::from_utf8(value).ok());
    record.key.kind == Kind::Set
        && record.key.name.is_empty()
        && signature.is_some_and(|signature| {
            let (payload, signature) =
                (payload(record.key.host, record.version), signature.to_owned());
            Signed { payload, signature }.verify(Purpose::SetDigest, signer).is_ok()
        })
}
