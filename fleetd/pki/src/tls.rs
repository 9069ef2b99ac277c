//! TLS 1.3 with certificates on both sides: rustls, told to trust the fleet and nobody else.
//!
//! No session is resumed and no ticket given: a resumed session would not look at the certificate
//! again, and so would outlive its end and its revocation.

use super::credentials::Credentials;
use super::refusal::{Refusal, Side};
use super::trust::{ALGORITHMS, Expected};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, DistinguishedName, ServerConfig, SignatureScheme};
use std::sync::Arc;

pub(super) static SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: ALGORITHMS,
    mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, ALGORITHMS)],
};

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// For those who connect to us. Nobody gets in without a certificate.
pub fn server(
    credentials: &Arc<Credentials>,
    expected: Expected,
) -> Result<ServerConfig, rustls::Error> {
    let verifier = Verifier { credentials: Arc::clone(credentials), expected };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(Shown(Arc::clone(credentials))));
    forget_sessions(&mut config);
    Ok(config)
}

/// To connect to one host, or to any; [`Expected::Anyone`] is any host here, since nobody but a
/// host can be reached.
pub fn client(
    credentials: &Arc<Credentials>,
    expected: Expected,
) -> Result<ClientConfig, rustls::Error> {
    let verifier = Verifier { credentials: Arc::clone(credentials), expected };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        // "dangerous" is what rustls calls any check but its own, which is of DNS names.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(Shown(Arc::clone(credentials))));
    private(&mut config);
    Ok(config)
}

/// What rustls wants to be given as the server's name. It is not looked at and not sent: who the
/// server has to be is in the configuration.
pub fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
}

pub(super) fn forget_sessions(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
}

pub(super) fn private(config: &mut ClientConfig) {
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
}

/// Shows the certificate that is current when somebody connects.
#[derive(Debug)]
struct Shown(Arc<Credentials>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.own().0)
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.own().0)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Checks the other side by what is trusted when it connects.
#[derive(Debug)]
struct Verifier {
    credentials: Arc<Credentials>,
    expected: Expected,
}

impl Verifier {
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        side: Side,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let peer = self.credentials.trust().verify(certificate, side, now)?;
        self.expected.check(&peer)
    }
}

/// What both of rustls's traits ask for beside the certificate: signatures of TLS 1.3, by what is
/// listed, and of nothing older.
macro_rules! only_tls13 {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Err($crate::tls::no_tls12())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &rustls::pki_types::CertificateDer<'_>,
            signature: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            let known = &$crate::tls::SIGNATURES;
            rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            $crate::tls::SIGNATURES.supported_schemes()
        }
    };
}
pub(super) use only_tls13;

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verify(certificate, Side::Server, now)?;
        Ok(ServerCertVerified::assertion())
    }

    only_tls13!();
}

impl ClientCertVerifier for Verifier {
    /// Which authorities we trust is told to nobody who has not shown who he is.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verify(certificate, Side::Client, now)?;
        Ok(ClientCertVerified::assertion())
    }

    only_tls13!();
}

pub(super) fn no_tls12() -> rustls::Error {
    rustls::Error::General("TLS 1.2 was not offered".to_owned())
}
