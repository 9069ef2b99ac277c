//! A datagram: sealed with a key of the fleet, and bound to it.
//!
//! | Bytes | What |
//! |---|---|
//! | 1 | version of this format |
//! | 4 | which key: the start of its SHA-256 |
//! | 8 | the sender's generation of the fleet, big-endian |
//! | 12 | nonce |
//! | rest | a packet of foca, ChaCha20-Poly1305, with a tag of 16 bytes |
//!
//! What stands before the nonce is authenticated together with the fleet's id, which is not sent.

use super::reason::Reason;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

/// Of a datagram: fits into an Ethernet frame behind any tunnel's headers.
pub const MAX_DATAGRAM: usize = 1_400;
const VERSION: u8 = 1;
const ASSOCIATED: usize = 13;
const HEADER: usize = ASSOCIATED + NONCE_LEN;
const TAG: usize = 16;
/// Of what is sealed.
pub const MAX_PACKET: usize = MAX_DATAGRAM - HEADER - TAG;

/// A secret that every host of a fleet has.
pub type Secret = [u8; 32];

struct Key {
    id: [u8; 4],
    key: LessSafeKey,
}

impl Key {
    fn new(secret: &Secret) -> Option<Self> {
        let digest =
            Sha256::new().chain_update(b"flotilla gossip key").chain_update(secret).finalize();
        let id = digest.first_chunk().copied()?;
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, secret).ok()?);
        Some(Self { id, key })
    }
}

/// The keys of a fleet, and which fleet it is.
pub struct Sealing {
    fleet: u128,
    /// The first one seals. To change keys without a gap: every host gets the new one in second
    /// place, then every host gets it in first place, then the old one is left out.
    keys: Vec<Key>,
    generation: u64,
}

/// What was in a datagram.
#[derive(Debug)]
pub struct Opened<'a> {
    pub packet: &'a [u8],
    pub generation: u64,
}

impl Sealing {
    /// Of no secret: opens and seals nothing.
    pub fn new(fleet: u128, generation: u64, secrets: &[Secret]) -> Self {
        Self { fleet, keys: secrets.iter().filter_map(Key::new).collect(), generation }
    }

    /// Other keys, and the generation that this host knows of.
    pub fn set(&mut self, generation: u64, secrets: &[Secret]) {
        *self = Self::new(self.fleet, generation, secrets);
    }

    /// A datagram. The nonce must be 96 bits from the system's generator: why, in docs/gossip.md.
    pub fn seal(&self, packet: &[u8], nonce: [u8; NONCE_LEN]) -> Option<Vec<u8>> {
        let key = self.keys.first().filter(|_| packet.len() <= MAX_PACKET)?;
        let mut datagram = Vec::with_capacity(HEADER + packet.len() + TAG);
        datagram.push(VERSION);
        datagram.extend_from_slice(&key.id);
        datagram.extend_from_slice(&self.generation.to_be_bytes());
        let associated = self.associated(&datagram);
        datagram.extend_from_slice(&nonce);
        datagram.extend_from_slice(packet);
        let sealed = datagram.get_mut(HEADER..)?;
        let tag = key.key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated),
            sealed,
        );
        datagram.extend_from_slice(tag.ok()?.as_ref());
        Some(datagram)
    }

    /// Opens a datagram in place. The cheap reasons to refuse it come first: a flood costs no
    /// cryptography unless it knows a key's id.
    pub fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<Opened<'a>, Reason> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(Reason::Oversized);
        }
        if datagram.len() < HEADER + TAG {
            return Err(Reason::Truncated);
        }
        let (header, sealed) = datagram.split_at_mut(HEADER);
        let (associated, nonce) =
            header.split_first_chunk::<ASSOCIATED>().ok_or(Reason::Truncated)?;
        let [version, id @ .., _, _, _, _, _, _, _, _] = associated;
        if *version != VERSION {
            return Err(Reason::Version);
        }
        let key = self.keys.iter().find(|key| key.id == *id).ok_or(Reason::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Reason::Truncated)?;
        let bound = Aad::from(self.associated(associated));
        let packet = key.key.open_in_place(nonce, bound, sealed).map_err(|_| Reason::Forged)?;
        let generation = associated.last_chunk().copied().map_or(0, u64::from_be_bytes);
        Ok(Opened { packet, generation })
    }

    fn associated(&self, header: &[u8]) -> Vec<u8> {
        let mut associated = header.to_vec();
        associated.extend_from_slice(&self.fleet.to_be_bytes());
        associated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 12] = *b"never again.";

    fn sealing(secrets: &[Secret]) -> Sealing {
        Sealing::new(7, 3, secrets)
    }

    #[test]
    fn what_is_sealed_is_opened_with_its_generation() {
        let mut datagram = sealing(&[[1; 32]]).seal(b"ping", NONCE).unwrap();
        assert!(!datagram.windows(4).any(|part| part == b"ping"));
        let receiver = Sealing::new(7, 9, &[[1; 32]]);
        let opened = receiver.open(&mut datagram).unwrap();
        assert_eq!((opened.packet, opened.generation), (b"ping".as_slice(), 3));
    }

    #[test]
    fn the_largest_packet_fits_and_a_larger_one_is_not_sealed() {
        let sealing = sealing(&[[1; 32]]);
        assert_eq!(sealing.seal(&[0; MAX_PACKET], NONCE).unwrap().len(), MAX_DATAGRAM);
        assert!(sealing.seal(&[0; MAX_PACKET + 1], NONCE).is_none());
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let sealing = sealing(&[[1; 32]]);
        let good = sealing.seal(b"ping", NONCE).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let reason = sealing.open(&mut bad).unwrap_err();
            let expected = match bit / 8 {
                0 => Reason::Version,
                1..5 => Reason::UnknownKey,
                _ => Reason::Forged,
            };
            assert_eq!(reason, expected, "bit {bit}");
        }
    }

    #[test]
    fn another_fleet_with_the_same_key_is_refused() {
        let mut datagram = sealing(&[[1; 32]]).seal(b"ping", NONCE).unwrap();
        let other = Sealing::new(8, 3, &[[1; 32]]);
        assert_eq!(other.open(&mut datagram).unwrap_err(), Reason::Forged);
    }

    #[test]
    fn a_key_is_changed_without_a_gap() {
        let (old, new) = ([1; 32], [2; 32]);
        let steps = [vec![old], vec![old, new], vec![new, old], vec![new]];
        for pair in steps.windows(2) {
            let [before, after] = pair else { panic!() };
            for (from, to) in [(before, after), (after, before)] {
                let mut datagram = sealing(from).seal(b"ping", NONCE).unwrap();
                assert!(sealing(to).open(&mut datagram).is_ok());
            }
        }
        let mut datagram = sealing(&[old]).seal(b"ping", NONCE).unwrap();
        assert_eq!(sealing(&[new]).open(&mut datagram).unwrap_err(), Reason::UnknownKey);
    }

    #[test]
    fn lengths_are_checked_first() {
        let sealing = sealing(&[[1; 32]]);
        assert_eq!(sealing.open(&mut [1; MAX_DATAGRAM + 1]).unwrap_err(), Reason::Oversized);
        for length in 0..HEADER + TAG {
            assert_eq!(sealing.open(&mut vec![1; length]).unwrap_err(), Reason::Truncated);
        }
    }
}
