//! From one set of the fleet's keys to the next, without a moment in which two hosts do not understand
//! each other.
//!
//! ```text
//! tell    every host is told of the next keys and takes them beside the present ones
//! use     the next ones are used, and hosts renew their certificates; the earlier ones are still taken
//! (over)  the earlier ones are taken no more
//! ```
//!
//! Who has to be waited for is decided in [`crate::core::cluster`]; each step is a decision of its own.
//!
//! A fleet that goes on from what was decided earlier may be a step behind its hosts: it uses its own
//! keys, takes theirs as the earlier ones, and so leads them back ([`Fleet::beside`]).

use super::fleet::{Fleet, Secret, View};
use super::{Outcome, Refusal};
use crate::pki::Bundle;
use crate::pki::bundle::Trusted;
use serde::{Deserialize, Serialize};

/// A rotation that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub step: Step,
    /// Those that the fleet takes beside its own: first the next ones, then the earlier ones.
    pub others: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Tell,
    Use,
}

/// Those that change; the others stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Keys {
    /// The authority's certificate and its key: PEM. What signs nothing any more has no key.
    pub authority: Option<(String, Option<Secret>)>,
    /// 64 hex digits.
    pub gossip: Option<Secret>,
    /// Of the key that signs assignment sets: its secret, and what every host knows of it.
    pub signer: Option<(Option<Secret>, String)>,
}

/// The keys that somebody takes. The first of each is the one that is used.
struct Taken {
    authorities: Vec<Trusted>,
    gossip: Vec<Secret>,
    signers: Vec<String>,
}

impl Taken {
    fn uses(&self) -> (Option<&Trusted>, Option<&Secret>, Option<&String>) {
        (self.authorities.first(), self.gossip.first(), self.signers.first())
    }

    /// Whether it understands who uses those.
    fn takes(&self, other: &Self) -> bool {
        let (authority, gossip, signer) = other.uses();
        authority.is_none_or(|used| self.authorities.contains(used))
            && gossip.is_none_or(|used| self.gossip.contains(used))
            && signer.is_none_or(|used| self.signers.contains(used))
    }

    fn has(&self, other: &Self) -> bool {
        other.authorities.iter().all(|taken| self.authorities.contains(taken))
            && other.gossip.iter().all(|taken| self.gossip.contains(taken))
            && other.signers.iter().all(|taken| self.signers.contains(taken))
    }
}

impl View {
    fn taken(&self) -> Taken {
        Taken {
            authorities: self.bundle.authorities().to_vec(),
            gossip: self.gossip_keys.clone(),
            signers: self.signers().map(str::to_owned).collect(),
        }
    }
}

impl Fleet {
    /// The first step.
    pub(super) fn rotate(&mut self, next: &Keys) -> Result<Outcome, Refusal> {
        if self.rotation.is_some() {
            return Err(Refusal::Rotates);
        }
        if *next == Keys::default() {
            return Ok(Outcome::Same);
        }
        let has_secrets = next.authority.as_ref().is_none_or(|(_, key)| key.is_some())
            && next.signer.as_ref().is_none_or(|(secret, _)| secret.is_some());
        if !has_secrets {
            return Err(Refusal::Keys { cause: "they have no secret half".to_owned() });
        }
        if let Some((certificate, _)) = &next.authority {
            self.bundle = bundle(&[&self.authority, certificate])?;
        }
        self.gossip_keys.extend(next.gossip.clone());
        self.rotation = Some(Rotation { step: Step::Tell, others: next.clone() });
        Ok(Outcome::Changed)
    }

    /// The step after this one, if it is still this one's turn.
    pub(super) fn advance(&mut self, from: Step) -> Result<Outcome, Refusal> {
        match self.rotation.take() {
            Some(rotation) if rotation.step == from => match from {
                Step::Tell => self.use_next(rotation.others)?,
                Step::Use => self.forget_earlier(rotation.others)?,
            },
            other => {
                self.rotation = other;
                return Ok(Outcome::Same);
            }
        }
        Ok(Outcome::Changed)
    }

    fn use_next(&mut self, next: Keys) -> Result<(), Refusal> {
        let mut earlier = Keys::default();
        if let Some((certificate, Some(key))) = next.authority {
            self.bundle = bundle(&[&certificate, &self.authority])?;
            earlier.authority = Some((std::mem::replace(&mut self.authority, certificate), None));
            self.authority_key = key;
        }
        if let Some(key) = next.gossip {
            earlier.gossip = self.gossip_keys.first().cloned();
            self.gossip_keys = [key].into_iter().chain(earlier.gossip.clone()).collect();
        }
        if let Some((Some(secret), public)) = next.signer {
            earlier.signer = Some((None, std::mem::replace(&mut self.signer_public, public)));
            self.signer = secret;
        }
        self.rotation = Some(Rotation { step: Step::Use, others: earlier });
        Ok(())
    }

    fn forget_earlier(&mut self, earlier: Keys) -> Result<(), Refusal> {
        if earlier.authority.is_some() {
            self.bundle = bundle(&[&self.authority])?;
        }
        if earlier.gossip.is_some() {
            self.gossip_keys.truncate(1);
        }
        Ok(())
    }

    /// Goes on among hosts that go by keys as they are `known` to one of them.
    ///
    /// That one may be a step behind the others: which of its keys the others are to forget next is
    /// nothing to build on.
    ///
    /// # Errors
    ///
    /// Hosts may have forgotten this fleet's own keys.
    pub fn beside(&mut self, known: &View) -> Result<(), Refusal> {
        let hosts = known.taken();
        if self.taken().uses() != hosts.uses() && self.is_at(Step::Tell) {
            let mut next = self.clone();
            next.advance(Step::Tell)?;
            if next.taken().uses() == hosts.uses() {
                *self = next;
            }
        }
        let own = self.taken();
        let is_ahead = self.is_at(Step::Use) && own.takes(&hosts) && hosts.takes(&own);
        if own.uses() != hosts.uses() && !is_ahead {
            return Err(Refusal::EarlierKeys);
        }
        if !own.has(&hosts) {
            self.take_as_earlier(&hosts)?;
        }
        Ok(())
    }

    /// What hosts take beside this fleet's own keys, and what they use, goes with the end of this step.
    fn take_as_earlier(&mut self, hosts: &Taken) -> Result<(), Refusal> {
        let own = self.taken();
        let (uses_authority, uses_gossip, uses_signer) = own.uses();
        let authority = hosts.authorities.iter().find(|other| Some(*other) != uses_authority);
        let gossip = hosts.gossip.iter().find(|other| Some(*other) != uses_gossip).cloned();
        let signer = hosts.signers.iter().find(|other| Some(*other) != uses_signer).cloned();
        let authority = authority.map(|other| (other.pem(), None));
        self.bundle = match &authority {
            Some((other, _)) => bundle(&[&self.authority, other])?,
            None => bundle(&[&self.authority])?,
        };
        self.gossip_keys.truncate(1);
        self.gossip_keys.extend(gossip.clone());
        let others = Keys { authority, gossip, signer: signer.map(|signer| (None, signer)) };
        self.rotation = Some(Rotation { step: Step::Use, others });
        Ok(())
    }

    fn is_at(&self, step: Step) -> bool {
        self.rotation.as_ref().is_some_and(|rotation| rotation.step == step)
    }

    fn taken(&self) -> Taken {
        Taken {
            authorities: self.bundle.authorities().to_vec(),
            gossip: self.gossip_keys.clone(),
            signers: [self.signer_public.clone()].into_iter().chain(self.other_signer()).collect(),
        }
    }

    /// The key whose sets hosts take beside those of the fleet's own.
    pub(super) fn other_signer(&self) -> Option<String> {
        let (_, public) = self.rotation.as_ref()?.others.signer.as_ref()?;
        Some(public.clone())
    }
}

fn bundle(certificates: &[&str]) -> Result<Bundle, Refusal> {
    Bundle::read(&certificates.concat()).map_err(|error| Refusal::Keys { cause: error.to_string() })
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
