//! For tests: fleets, certificates that the authority would never make, and a wire in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::authority::{HOST_VALID, new_fleet_id};
use crate::credentials::{Credentials, Own};
use crate::name::{Identity, MachineId, Role};
use crate::refusal::explain_tls;
use crate::revoked::Revoked;
use crate::{Authority, Bundle, Expected, Key, Request, tls};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::sync::Arc;

pub const DAY: u64 = 24 * 3600;

pub fn now() -> u64 {
    UnixTime::now().as_secs()
}

/// The n-th of the machines.
pub fn machine(n: u32) -> MachineId {
    format!("{n:032x}").parse().unwrap()
}

pub fn host(n: u32) -> Identity {
    Identity::Host(machine(n))
}

pub fn user(name: &str, role: Role) -> Identity {
    Identity::user(name.parse().unwrap(), role)
}

pub fn fleet() -> Authority {
    Authority::create(&new_fleet_id().unwrap(), now()).unwrap()
}

pub fn bundle(authorities: &[&Authority]) -> Bundle {
    Bundle::new(authorities.iter().map(|authority| authority.certificate().clone()).collect())
        .unwrap()
}

pub fn own(authority: &Authority, identity: &Identity) -> Own {
    issued_at(authority, identity, now())
}

pub fn issued_at(authority: &Authority, identity: &Identity, now: u64) -> Own {
    let key = Key::generate().unwrap();
    let csr = Request::make(&key, Some(&identity.uri(authority.fleet()))).unwrap();
    let request = Request::read(&csr).unwrap();
    let issued = authority.issue(&request, identity, HOST_VALID, now).unwrap();
    Own::new(issued.certificate, &key).unwrap()
}

/// A certificate of the authority's key that says what it would never say.
pub fn forged(authority: &Authority, names: Vec<SanType>) -> Own {
    let key = Key::generate().unwrap();
    let signer = Key::read(authority.key_pem()).unwrap().0;
    let issuer = Issuer::from_ca_cert_der(authority.certificate(), signer).unwrap();
    let certificate = forged_params(names).signed_by(&key.0, &issuer).unwrap();
    Own::new(certificate.der().clone(), &key).unwrap()
}

pub fn forged_params(names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

pub fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub fn key_pair(algorithm: &'static rcgen::SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

pub fn certificate(own: &Own) -> CertificateDer<'static> {
    own.certificate().unwrap().clone()
}

/// Somebody who trusts a fleet and shows something.
pub fn credentials(trusts: &Bundle, shows: Own) -> Arc<Credentials> {
    Arc::new(Credentials::new(trusts.clone(), Revoked::default(), shows))
}

/// Both ends of a connection, with what they failed of.
pub struct Wire {
    pub client: ClientConnection,
    pub server: ServerConnection,
    pub client_error: Option<rustls::Error>,
    pub server_error: Option<rustls::Error>,
}

/// Connects, and exchanges until neither end has anything to say.
pub fn connect(client: ClientConfig, server: ServerConfig) -> Wire {
    let mut wire = Wire {
        client: ClientConnection::new(Arc::new(client), tls::server_name()).unwrap(),
        server: ServerConnection::new(Arc::new(server)).unwrap(),
        client_error: None,
        server_error: None,
    };
    wire.run();
    wire
}

/// A client and a server of the fleet.
pub fn mutual(
    client: &Arc<Credentials>,
    wants: Expected,
    server: &Arc<Credentials>,
    takes: Expected,
) -> Wire {
    connect(tls::client(client, wants).unwrap(), tls::server(server, takes).unwrap())
}

impl Wire {
    pub fn run(&mut self) {
        loop {
            let mut sent = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut sent).unwrap();
            }
            let mut quiet = sent.is_empty();
            let mut rest = sent.as_slice();
            while !rest.is_empty() && self.server_error.is_none() {
                self.server.read_tls(&mut rest).unwrap();
                self.server_error = self.server.process_new_packets().err();
            }
            let mut sent = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut sent).unwrap();
            }
            quiet &= sent.is_empty();
            let mut rest = sent.as_slice();
            while !rest.is_empty() && self.client_error.is_none() {
                self.client.read_tls(&mut rest).unwrap();
                self.client_error = self.client.process_new_packets().err();
            }
            if quiet {
                return;
            }
        }
    }

    /// Whether a word passes in both directions.
    pub fn is_open(&mut self) -> bool {
        if self.client_error.is_some() || self.server_error.is_some() {
            return false;
        }
        self.client.writer().write_all(b"ping").unwrap();
        self.server.writer().write_all(b"pong").unwrap();
        self.run();
        let (mut at_server, mut at_client) = ([0; 4], [0; 4]);
        self.server.reader().read_exact(&mut at_server).is_ok_and(|()| &at_server == b"ping")
            && self.client.reader().read_exact(&mut at_client).is_ok_and(|()| &at_client == b"pong")
    }

    /// What the client and the server say of the end.
    pub fn sentences(&self) -> (String, String) {
        let say = |error: &Option<rustls::Error>| error.as_ref().map_or(String::new(), explain_tls);
        (say(&self.client_error), say(&self.server_error))
    }
}
