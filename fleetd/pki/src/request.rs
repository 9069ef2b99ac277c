//! Certificate signing requests (PKCS #10): made by who wants a certificate, read by the authority.
//!
//! Of a request only the public key gets into the certificate. What else it asks for is looked at to
//! refuse it: who asks for more than there is would believe to have got it.

use super::error::Error;
use super::key::{Fingerprint, Key};
use super::name::{Identity, shown};
use super::pem;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, IsCa,
    PKCS_ECDSA_P256_SHA256, PublicKey, PublicKeyData, SanType,
};
use rustls::pki_types::CertificateSigningRequestDer;

const LABEL: &str = "CERTIFICATE REQUEST";

/// A P-256 point that is not compressed (RFC 5480, 2.2): 4, x, y.
const POINT: usize = 65;

/// A request whose signature was checked: who made it has the private key.
#[derive(Debug)]
pub struct Request {
    pub(super) key: PublicKey,
    /// The URI it asks for, if it asks for any.
    asks: Option<String>,
}

impl Request {
    /// Makes one, as PEM. `uri`: [`Identity::uri`]; a host that joins does not know its fleet yet
    /// and gives none.
    pub fn make(key: &Key, uri: Option<&str>) -> Result<String, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        if let Some(uri) = uri {
            let uri = Ia5String::try_from(uri).map_err(Error::make("a certificate request"))?;
            params.subject_alt_names.push(SanType::URI(uri));
        }
        let made =
            params.serialize_request(&key.0).map_err(Error::make("a certificate request"))?;
        Ok(pem::encode(LABEL, made.der()))
    }

    pub fn read(text: &str) -> Result<Self, Error> {
        Self::parse(text).map_err(Error::read("a certificate request"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let der: CertificateSigningRequestDer<'_> = pem::decode_one(text)?;
        let CertificateSigningRequestParams { params, public_key, .. } =
            CertificateSigningRequestParams::from_der(&der).map_err(cause)?;
        // The parser takes the kind of the key from the signature: the key itself is looked at too.
        let point = public_key.der_bytes();
        if public_key.algorithm() != &PKCS_ECDSA_P256_SHA256
            || point.len() != POINT
            || point.first() != Some(&4)
        {
            return Err("its key is not an ECDSA key of the curve P-256".to_owned());
        }
        if !matches!(params.is_ca, IsCa::NoCa | IsCa::ExplicitNoCa) {
            return Err("it asks to be a certificate authority".to_owned());
        }
        let asks = match params.subject_alt_names.as_slice() {
            [] => None,
            [SanType::URI(uri)] => Some(uri.to_string()),
            [_] => return Err("it asks for a name that is not a URI".to_owned()),
            _ => return Err("it asks for more than one name".to_owned()),
        };
        Ok(Self { key: public_key, asks })
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.key.subject_public_key_info())
    }

    /// That it does not ask to be somebody else.
    pub(super) fn is_for(&self, identity: &Identity, uri: &str) -> Result<(), String> {
        match &self.asks {
            Some(asked) if asked != uri => Err(format!(
                "the request asks for `{}`, and only {identity} may be given",
                shown(asked)
            )),
            _ => Ok(()),
        }
    }
}

fn cause(error: rcgen::Error) -> String {
    match error {
        rcgen::Error::CouldNotParseCertificationRequest => "it is damaged".to_owned(),
        rcgen::Error::InvalidCertificationRequestSignature => {
            "its signature is not of its key".to_owned()
        }
        rcgen::Error::UnsupportedExtension => {
            "it asks for something that no certificate of a fleet has".to_owned()
        }
        rcgen::Error::UnsupportedSignatureAlgorithm => {
            "its key is not an ECDSA key of the curve P-256".to_owned()
        }
        other => crate::sentence::cause(other),
    }
}
