use crate::authority::{AUTHORITY_VALID, HOST_VALID, USER_VALID_MOST};
use crate::certificate::{CLOCK_SKEW, Serial, Validity, from_pem};
use crate::fixture::*;
use crate::name::Role;
use crate::refusal::Side;
use crate::revoked::Revoked;
use crate::{Authority, Bundle, Key, Own, Request, Trust};
use rcgen::{CertificateParams, IsCa, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rustls::pki_types::UnixTime;
use std::collections::BTreeSet;

fn pem_of(request: &rcgen::CertificateSigningRequest) -> String {
    crate::pem::encode("CERTIFICATE REQUEST", request.der())
}

fn sentence<T: std::fmt::Debug>(result: Result<T, crate::Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn an_authority_is_the_same_when_it_is_read_again() {
    let made = fleet();
    let read = Authority::read(&made.certificate_pem(), made.key_pem()).unwrap();
    assert_eq!((read.fleet(), read.fingerprint()), (made.fleet(), made.fingerprint()));
    let trust = Trust { bundle: bundle(&[&made]), revoked: Revoked::default() };
    let peer =
        trust.verify(&certificate(&own(&read, &host(1))), Side::Server, UnixTime::now()).unwrap();
    assert_eq!((peer.identity, peer.authority), (host(1), made.fingerprint()));
}

#[test]
fn an_authority_with_the_key_of_another_is_refused() {
    let (one, other) = (fleet(), fleet());
    let error = sentence(Authority::read(&one.certificate_pem(), other.key_pem()));
    assert_eq!(error, "read a certificate authority: its key is of another certificate");
}

#[test]
fn a_certificate_is_valid_from_an_hour_before_to_no_later_than_its_authority() {
    let (authority, now) = (fleet(), now());
    let validity = |identity, valid_for, at| {
        let request = Request::read(&Request::make(&Key::generate().unwrap(), None).unwrap());
        let issued = authority.issue(&request.unwrap(), &identity, valid_for, at).unwrap();
        assert_eq!(Validity::of(&issued.certificate).unwrap(), issued.validity);
        issued.validity
    };
    let host_validity = validity(host(1), u64::MAX, now);
    assert_eq!(host_validity.not_before, now - CLOCK_SKEW);
    assert_eq!(host_validity.not_after, now + HOST_VALID);
    let admin = user("anna", Role::Admin);
    assert_eq!(validity(admin.clone(), 60, now).not_after, now + 60);
    assert_eq!(validity(admin, u64::MAX, now).not_after, now + USER_VALID_MOST);
    let last = now + AUTHORITY_VALID;
    assert_eq!(validity(host(1), HOST_VALID, last - DAY).not_after, last);
}

#[test]
fn an_authority_that_has_ended_issues_nothing_and_is_not_trusted() {
    let then = now() - AUTHORITY_VALID - DAY;
    let authority = Authority::create(fleet().fleet(), then).unwrap();
    let request = Request::read(&Request::make(&Key::generate().unwrap(), None).unwrap()).unwrap();
    let error = sentence(authority.issue(&request, &host(1), HOST_VALID, now()));
    assert!(error.ends_with("the authority is not valid now; rotate it"), "{error}");
    // One that outlives its authority, since the key was stolen.
    let forged = forged(&authority, vec![uri(&host(1).uri(authority.fleet()))]);
    let trust = Trust { bundle: bundle(&[&authority]), revoked: Revoked::default() };
    let refusal = trust.verify(&certificate(&forged), Side::Client, UnixTime::now()).unwrap_err();
    assert!(refusal.to_string().contains("no authority"), "{refusal}");
}

#[test]
fn a_renewal_is_due_between_half_and_two_thirds_and_not_for_all_at_once() {
    let validity = Validity { not_before: 1000, not_after: 1000 + CLOCK_SKEW + HOST_VALID };
    let issued = validity.not_before + CLOCK_SKEW;
    let days = (0..200).map(|n| {
        let at = validity.renewal(&machine(n));
        assert!((issued + HOST_VALID / 2..issued + HOST_VALID * 2 / 3).contains(&at));
        at / DAY
    });
    assert!(days.collect::<BTreeSet<_>>().len() >= 5);
    let odd = Validity { not_before: u64::MAX - 1, not_after: 5 };
    assert_eq!(odd.renewal(&machine(1)), 5);
}

#[test]
fn no_two_certificates_have_one_serial_number() {
    let authority = fleet();
    let trust = Trust { bundle: bundle(&[&authority]), revoked: Revoked::default() };
    let serials = (0..50).map(|n| {
        let own = own(&authority, &host(n));
        trust.verify(&certificate(&own), Side::Server, UnixTime::now()).unwrap().serial
    });
    assert_eq!(serials.collect::<BTreeSet<_>>().len(), 50);
}

#[test]
fn the_serial_that_was_issued_is_the_one_that_is_revoked() {
    let authority = fleet();
    let request = Request::read(&Request::make(&Key::generate().unwrap(), None).unwrap()).unwrap();
    let issued = authority.issue(&request, &host(1), HOST_VALID, now()).unwrap();
    let mut revoked = Revoked::default();
    revoked.revoke_serial(issued.serial.clone(), issued.validity.not_after);
    let text = serde_json::to_string(&revoked).unwrap();
    let revoked: Revoked = serde_json::from_str(&text).unwrap();
    let mut trust = Trust { bundle: bundle(&[&authority]), revoked };
    let verify = |trust: &Trust| trust.verify(&issued.certificate, Side::Client, UnixTime::now());
    let refusal = verify(&trust).unwrap_err();
    assert_eq!(refusal.to_string(), format!("the certificate of {} was revoked", host(1)));
    trust.revoked.forget(issued.validity.not_after);
    assert!(verify(&trust).is_err(), "forgotten while it is valid");
    trust.revoked.forget(issued.validity.not_after + CLOCK_SKEW + 1);
    assert_eq!(trust.revoked, Revoked::default());
    assert!("".parse::<Serial>().is_err() && "0".parse::<Serial>().is_err());
}

#[test]
fn a_request_for_another_name_is_refused() {
    let authority = fleet();
    let key = Key::generate().unwrap();
    for (asks, given) in [
        (host(2), host(1)),
        (user("anna", Role::Admin), host(1)),
        (user("anna", Role::Admin), user("anna", Role::View)),
    ] {
        let csr = Request::make(&key, Some(&asks.uri(authority.fleet()))).unwrap();
        let request = Request::read(&csr).unwrap();
        let error = sentence(authority.issue(&request, &given, HOST_VALID, now()));
        let asked = asks.uri(authority.fleet());
        assert_eq!(
            error,
            format!(
                "issue a certificate for {given}: the request asks for `{asked}`, and only {given} may \
                 be given"
            )
        );
    }
}

#[test]
fn a_request_for_more_than_there_is_gets_one_clear_sentence() {
    let key = key_pair(&rcgen::PKCS_ECDSA_P256_SHA256);
    let request = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = CertificateParams::default();
        change(&mut params);
        sentence(Request::read(&pem_of(&params.serialize_request(&key).unwrap())))
    };
    let authority = request(&|p| p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    assert_eq!(authority, "read a certificate request: it asks to be a certificate authority");
    let dns = request(&|p| {
        p.subject_alt_names = vec![rcgen::SanType::DnsName("x.example".try_into().unwrap())];
    });
    assert_eq!(dns, "read a certificate request: it asks for a name that is not a URI");
    let two = request(&|p| p.subject_alt_names = vec![uri("a:b"), uri("a:c")]);
    assert_eq!(two, "read a certificate request: it asks for more than one name");
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let made = CertificateParams::default().serialize_request(&key_pair(algorithm)).unwrap();
        let error = sentence(Request::read(&pem_of(&made)));
        assert!(error.ends_with("its key is not an ECDSA key of the curve P-256"), "{error}");
    }
}

#[test]
fn a_request_that_somebody_changed_is_refused() {
    let csr =
        Request::make(&Key::generate().unwrap(), Some(&host(1).uri(fleet().fleet()))).unwrap();
    let der: rustls::pki_types::CertificateSigningRequestDer<'_> =
        crate::pem::decode_one(&csr).unwrap();
    let mut bytes = der.to_vec();
    let at = bytes.windows(5).position(|five| five == b"host/").unwrap();
    bytes[at + 10] = b'7';
    let error = sentence(Request::read(&crate::pem::encode("CERTIFICATE REQUEST", &bytes)));
    assert_eq!(error, "read a certificate request: its signature is not of its key");
}

#[test]
fn text_that_is_no_certificate_key_or_request_gets_one_clear_sentence() {
    let authority = fleet();
    let pem = authority.certificate_pem();
    let cut = &pem[..pem.len() / 2];
    assert_eq!(
        sentence(from_pem(cut)),
        "read a certificate: it has a beginning and no end (is it cut off?)"
    );
    assert_eq!(sentence(from_pem("")), "read a certificate: there is none in it (PEM is expected)");
    let twice = format!("{pem}{pem}");
    assert_eq!(sentence(from_pem(&twice)), "read a certificate: one is expected, it has 2");
    let huge = "x".repeat(100_000);
    assert_eq!(sentence(from_pem(&huge)), "read a certificate: it has more than 64 KiB");
    let garbage = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
    assert_eq!(sentence(Request::read(garbage)), "read a certificate request: it is damaged");
    let letters = garbage.replace("AAAA", "A_!A");
    let error = sentence(Request::read(&letters));
    assert!(error.ends_with("is not base64"), "{error}");
    assert!(sentence(Key::read(&pem)).starts_with("read a private key: there is none in it"));
    let wrong = crate::pem::encode("PRIVATE KEY", b"\x30\x00");
    assert!(sentence(Key::read(&wrong)).ends_with("of the curve P-256"));
    let host = certificate(&own(&authority, &host(1)));
    let error = sentence(Bundle::new(vec![host]));
    assert!(error.ends_with("it is the certificate of a host or user"), "{error}");
}

#[test]
fn a_bundle_is_of_one_fleet_and_never_empty() {
    let (one, other) = (fleet(), fleet());
    let bundle = bundle(&[&one]);
    let error = sentence(bundle.with(other.certificate()));
    assert!(error.contains(other.fleet().as_str()), "{error}");
    let error = sentence(bundle.without(&one.fingerprint()));
    assert_eq!(error, "change what the fleet trusts: no certificate authority would be left");
    assert_eq!(bundle.with(one.certificate()).unwrap(), bundle);
    let text = serde_json::to_string(&bundle).unwrap();
    assert_eq!(serde_json::from_str::<Bundle>(&text).unwrap(), bundle);
}

#[test]
fn a_certificate_does_not_go_with_the_key_of_another() {
    let authority = fleet();
    let shown = certificate(&own(&authority, &host(1)));
    let error = sentence(Own::new(shown, &Key::generate().unwrap()));
    assert_eq!(error, "read our certificate: the key is of another certificate");
}

#[test]
fn no_key_is_in_debug_output() {
    let authority = fleet();
    let key = Key::generate().unwrap();
    let shown = format!("{authority:?} {key:?} {:?}", own(&authority, &host(1)));
    assert!(shown.len() < 150, "{shown}");
}

#[test]
fn a_certificate_with_any_bit_changed_is_refused() {
    let authority = fleet();
    let trust = Trust { bundle: bundle(&[&authority]), revoked: Revoked::default() };
    let good = certificate(&own(&authority, &host(1)));
    assert!(trust.verify(&good, Side::Server, UnixTime::now()).is_ok());
    for bit in 0..good.len() * 8 {
        let mut bytes = good.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let changed = trust.verify(&bytes.into(), Side::Server, UnixTime::now());
        assert!(changed.is_err(), "bit {bit}");
    }
}

#[test]
fn no_damage_to_a_request_or_an_authority_panics_its_reader() {
    let authority = fleet();
    let csr = Request::make(&Key::generate().unwrap(), Some("flotilla://x")).unwrap();
    for (text, label) in
        [(csr, "CERTIFICATE REQUEST"), (authority.certificate_pem(), "CERTIFICATE")]
    {
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let good = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
        for at in 0..good.len() {
            for value in [0, 0x7f, 0x80, 0xff, good[at] ^ 1] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let text = crate::pem::encode(label, &bytes);
                let _ = (Request::read(&text), Bundle::read(&text));
                let text = crate::pem::encode(label, &good[..at]);
                assert!(Request::read(&text).is_err() && Bundle::read(&text).is_err());
            }
        }
    }
}
