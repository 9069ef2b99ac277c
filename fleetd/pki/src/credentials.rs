//! What this host shows and believes, replaceable while connections are open.
//!
//! Every handshake reads what is current. An open connection is not touched by a change: whoever
//! holds one waits on [`Credentials::subscribe`] and asks [`Credentials::client`] or
//! [`Credentials::server`] again.

use super::bundle::Bundle;
use super::error::Error;
use super::key::Key;
use super::refusal::{Refusal, Side};
use super::revoked::Revoked;
use super::trust::{Peer, Trust};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

/// A certificate with its key.
#[derive(Clone)]
pub struct Own(pub(super) Arc<CertifiedKey>);

impl Own {
    /// Refused if the key is of another certificate.
    pub fn new(certificate: CertificateDer<'static>, key: &Key) -> Result<Self, Error> {
        let fail = |cause: &str| Error::read("our certificate")(cause.to_owned());
        let der = PrivatePkcs8KeyDer::from(key.0.serialize_der());
        let signer = rustls::crypto::ring::sign::any_ecdsa_type(&der.into())
            .map_err(|_| fail("its key cannot be used"))?;
        let certified = CertifiedKey::new(vec![certificate], signer);
        certified.keys_match().map_err(|_| fail("the key is of another certificate"))?;
        Ok(Self(Arc::new(certified)))
    }

    pub fn read(certificate: &str, key: &str) -> Result<Self, Error> {
        Self::new(super::certificate::from_pem(certificate)?, &Key::read(key)?)
    }

    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.0.cert.first()
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) trust: Arc<Trust>,
    pub(super) own: Own,
}

#[derive(Debug)]
pub struct Credentials(watch::Sender<Current>);

impl Credentials {
    pub fn new(bundle: Bundle, revoked: Revoked, own: Own) -> Self {
        let trust = Arc::new(Trust { bundle, revoked });
        Self(watch::Sender::new(Current { trust, own }))
    }

    /// The next certificate of this host.
    pub fn replace_own(&self, own: Own) {
        self.0.send_modify(|current| current.own = own);
    }

    /// The fleet has decided anew whom it trusts.
    pub fn replace_trust(&self, bundle: Bundle, revoked: Revoked) {
        self.0.send_modify(|current| current.trust = Arc::new(Trust { bundle, revoked }));
    }

    pub fn trust(&self) -> Arc<Trust> {
        Arc::clone(&self.0.borrow().trust)
    }

    pub fn own(&self) -> Own {
        self.0.borrow().own.clone()
    }

    /// Wakes when something was replaced.
    pub fn subscribe(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// Who has connected, by what is trusted now.
    pub fn client(&self, connection: &rustls::ServerConnection) -> Result<Peer, Refusal> {
        self.peer(connection.peer_certificates(), Side::Client)
    }

    /// Whom we have connected to, by what is trusted now.
    pub fn server(&self, connection: &rustls::ClientConnection) -> Result<Peer, Refusal> {
        self.peer(connection.peer_certificates(), Side::Server)
    }

    fn peer(&self, shown: Option<&[CertificateDer<'_>]>, side: Side) -> Result<Peer, Refusal> {
        let certificate = shown.and_then(<[_]>::first).ok_or_else(|| {
            Refusal::NoIdentity("there is none, or the handshake is not over".to_owned())
        })?;
        self.trust().verify(certificate, side, UnixTime::now())
    }
}

/// That credentials were replaced.
#[derive(Debug)]
pub struct Changes(watch::Receiver<Current>);

impl Changes {
    /// Returns false once there is nobody left who could replace them.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}
