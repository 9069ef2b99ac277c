//! TLS for a host that has no certificate yet: it knows the fleet by the fingerprint in its token.
//!
//! A listener of its own, or at least a configuration of its own that is chosen by ALPN: here
//! nobody has shown who he is, and nothing but a [`super::join::JoinRequest`] is to be read.

use super::bundle::Bundle;
use super::certificate::key_of;
use super::credentials::Credentials;
use super::key::Fingerprint;
use super::refusal::{Refusal, Side};
use super::revoked::Revoked;
use super::tls::{forget_sessions, only_tls13, private, provider};
use super::trust::{Expected, Trust};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use std::sync::Arc;

/// The protocol of both sides: a connection for this is never taken for another.
pub const PROTOCOL: &[u8] = b"flotilla-join/1";

/// For those who want to join.
pub fn server(credentials: &Arc<Credentials>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(WithAuthorities(Arc::clone(credentials))));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    forget_sessions(&mut config);
    Ok(config)
}

/// To join. `pinned`: [`super::token::Token::authority`].
pub fn client(pinned: Fingerprint) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(pinned)))
        .with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    private(&mut config);
    Ok(config)
}

/// Shows the authorities after the host's certificate: the other side has only a fingerprint.
#[derive(Debug)]
struct WithAuthorities(Arc<Credentials>);

impl ResolvesServerCert for WithAuthorities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Who does not say that it wants to join has come to the wrong place.
        hello.alpn()?.find(|protocol| *protocol == PROTOCOL)?;
        let own = self.0.own().0;
        let mut chain = own.cert.clone();
        chain.extend(self.0.trust().bundle.certificates());
        Some(Arc::new(CertifiedKey::new(chain, Arc::clone(&own.key))))
    }
}

/// Trusts one authority, which it knows by its key, and of it only hosts.
#[derive(Debug)]
struct Pinned(Fingerprint);

impl Pinned {
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let is_pinned = |other: &&CertificateDer<'_>| key_of(other).is_ok_and(|key| key == self.0);
        let authority = others.iter().find(is_pinned).ok_or(Refusal::NotThePinned)?;
        let bundle = Bundle::new(vec![authority.clone().into_owned()])
            .map_err(|error| Refusal::Other(error.to_string()))?;
        let trust = Trust { bundle, revoked: Revoked::default() };
        let peer = trust.verify(certificate, Side::Server, now)?;
        Expected::AnyHost.check(&peer)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verify(certificate, others, now)?;
        Ok(ServerCertVerified::assertion())
    }

    only_tls13!();
}
