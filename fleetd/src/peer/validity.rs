//! The certificate of an open connection: whether it would be taken if the connection began now.
//!
//! A handshake checks once. A connection may be open for days: meanwhile certificates expire, hosts
//! are removed, and authorities are replaced.

use super::limits::LOOK;
use crate::pki::certificate::Validity;
use crate::pki::refusal::Side;
use crate::pki::{Credentials, Own, Peer, Refusal, Trust};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Tells the time: certificates end by the clock of the wall.
pub(super) type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

pub(super) fn wall_clock() -> Clock {
    Arc::new(UnixTime::now)
}

/// What the other side has shown.
pub(super) struct Shown {
    credentials: Arc<Credentials>,
    certificate: CertificateDer<'static>,
    not_after: u64,
    side: Side,
    clock: Clock,
    /// What it was last checked by.
    checked: Mutex<Option<Arc<Trust>>>,
}

impl Shown {
    pub(super) fn new(
        credentials: &Arc<Credentials>,
        certificates: Option<&[CertificateDer<'static>]>,
        side: Side,
        clock: &Clock,
    ) -> Result<Self, Refusal> {
        let certificate = certificates.and_then(<[_]>::first).cloned();
        let certificate = certificate
            .ok_or_else(|| Refusal::NoIdentity("the peer shows no certificate".to_owned()))?;
        let (credentials, clock) = (Arc::clone(credentials), Arc::clone(clock));
        let not_after = Validity::of(&certificate).map_or(0, |validity| validity.not_after);
        let checked = Mutex::default();
        Ok(Self { credentials, certificate, not_after, side, clock, checked })
    }

    /// Whose it is, by what is trusted now.
    pub(super) fn peer(&self) -> Result<Peer, Refusal> {
        self.verify(&self.credentials.trust())
    }

    fn verify(&self, trust: &Trust) -> Result<Peer, Refusal> {
        trust.verify(&self.certificate, self.side, (self.clock)())
    }

    /// Whether it is still taken. Costs little as long as nothing has changed, so that each request
    /// can ask: [`Self::refused`] may be told a moment later.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let trust = self.credentials.trust();
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let same = checked.as_ref().is_some_and(|checked| Arc::ptr_eq(checked, &trust));
        if !same || (self.clock)().as_secs() > self.not_after {
            self.verify(&trust)?;
            *checked = Some(trust);
        }
        Ok(())
    }

    /// Returns when it is not taken any more.
    pub(super) async fn refused(&self) -> Refusal {
        let mut changes = self.credentials.subscribe();
        loop {
            if let Err(refusal) = self.peer() {
                return refusal;
            }
            tokio::select! {
                true = changes.changed() => {}
                () = tokio::time::sleep(self.look()) => {}
            }
        }
    }

    /// Until it may have expired.
    fn look(&self) -> Duration {
        let left = self.not_after.saturating_sub((self.clock)().as_secs()).saturating_add(1);
        LOOK.min(Duration::from_secs(left))
    }
}

/// Whether we show this certificate.
pub(super) fn shows(credentials: &Credentials, own: &Own) -> bool {
    credentials.own().certificate() == own.certificate()
}

/// Returns when we show another certificate than this.
pub(super) async fn replaced(credentials: &Credentials, own: &Own) {
    let mut changes = credentials.subscribe();
    while shows(credentials, own) {
        if !changes.changed().await {
            return std::future::pending().await;
        }
    }
}
