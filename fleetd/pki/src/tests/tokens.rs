use crate::fixture::*;
use crate::record::{Accepted, Record, check};
use crate::token::Token;
use crate::{Fingerprint, Key};
use proptest::prelude::*;

fn key() -> Fingerprint {
    Key::generate().unwrap().fingerprint()
}

fn token() -> Token {
    Token::new(key()).unwrap()
}

#[test]
fn a_token_is_read_as_it_was_written() {
    let token = token();
    let text = token.reveal();
    assert_eq!(text.len(), 4 + 9 + 33 + 33 + 7);
    for text in [text.clone(), format!("  {text}\n"), text.to_uppercase()] {
        let read: Token = text.parse().unwrap();
        assert_eq!(read.reveal(), token.reveal());
        assert_eq!(read.authority(), token.authority());
    }
}

#[test]
fn any_single_typo_in_a_token_is_found() {
    let text = token().reveal();
    for at in 0..text.len() {
        let mut typo = text.clone().into_bytes();
        typo[at] = if typo[at] == b'q' { b'r' } else { b'q' };
        let typo = String::from_utf8(typo).unwrap();
        assert!(typo.parse::<Token>().is_err(), "{typo}");
        let (mut less, mut swapped) = (text.clone(), text.clone().into_bytes());
        less.remove(at);
        assert!(less.parse::<Token>().is_err(), "{less}");
        if at + 1 < text.len() && swapped[at] != swapped[at + 1] {
            swapped.swap(at, at + 1);
            assert!(String::from_utf8(swapped).unwrap().parse::<Token>().is_err());
        }
    }
}

#[test]
fn text_that_is_no_token_gets_one_clear_sentence_without_the_secret() {
    let text = token().reveal();
    let secret = text.split('-').nth(2).unwrap();
    let cut = &text[..40];
    let other = format!("{}a", &text[..text.len() - 1]);
    let other = if other == text { format!("{}b", &text[..text.len() - 1]) } else { other };
    for (bad, says) in [
        ("", "read join token: it does not begin with `flt1-`"),
        ("flt2-a", "read join token: it does not begin with `flt1-`"),
        (cut, "read join token: it has not five parts (was it copied as a whole?)"),
        (other.as_str(), "read join token: a letter of it is wrong or missing"),
        ("-".repeat(300).as_str(), "read join token: it is too long"),
    ] {
        assert_eq!(bad.parse::<Token>().unwrap_err(), says);
        let json = serde_json::to_string(bad).unwrap();
        let error = serde_json::from_str::<Token>(&json).unwrap_err().to_string();
        assert!(error.starts_with(says) && !error.contains(secret), "{error}");
    }
}

#[test]
fn the_secret_is_neither_in_the_record_nor_in_debug_output() {
    let token = token();
    let record = Record::new(&token, 60, Some(1), 1000);
    let text = token.reveal();
    let secret = text.split('-').nth(2).unwrap();
    let shown = format!("{token:?} {record:?} {}", serde_json::to_string(&record).unwrap());
    assert!(!shown.contains(secret), "{shown}");
    let kept: Record = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
    assert_eq!(kept, record);
}

#[test]
fn a_token_is_good_for_so_many_hosts_and_so_long() {
    let token = token();
    let mut record = Record::new(&token, 60, Some(2), 1000);
    let keys = [key(), key(), key()];
    let check_of = |record: &Record, n: u32, now| {
        check(&token, Some(record), &machine(n), &keys[n as usize], now)
    };
    assert_eq!(check_of(&record, 0, 1000), Ok(Accepted::New));
    assert_eq!(check_of(&record, 0, 1059), Ok(Accepted::New));
    record.spend(machine(0), keys[0]);
    assert_eq!(check_of(&record, 1, 1000), Ok(Accepted::New));
    record.spend(machine(1), keys[1]);
    let id = token.id();
    let says = check_of(&record, 2, 1000).unwrap_err().to_string();
    assert_eq!(
        says,
        format!(
            "use join token {id}: it was for 2 hosts and they have joined; make a new one (fleetctl \
             token create)"
        )
    );
    // A host whose answer was lost asks again; one with its id and another key is another.
    assert_eq!(check_of(&record, 1, 1000), Ok(Accepted::Again));
    assert!(check(&token, Some(&record), &machine(1), &keys[2], 1000).is_err());
    let says = check_of(&record, 1, 1060).unwrap_err().to_string();
    assert_eq!(
        says,
        format!(
            "use join token {id}: it expired at 1970-01-01T00:17:40Z; make a new one (fleetctl token \
             create)"
        )
    );
    record.revoked = true;
    let says = check_of(&record, 1, 1000).unwrap_err().to_string();
    assert_eq!(says, format!("use join token {id}: it was revoked"));
    assert!(record.is_over(1000));
}

#[test]
fn a_token_without_a_number_of_uses_is_good_for_many() {
    let token = token();
    let mut record = Record::new(&token, u64::MAX, None, 1000);
    for n in 0..50 {
        let key = key();
        assert_eq!(check(&token, Some(&record), &machine(n), &key, 2000), Ok(Accepted::New));
        record.spend(machine(n), key);
    }
    let none = Record::new(&token, 60, Some(0), 1000);
    assert!(check(&token, Some(&none), &machine(1), &key(), 1000).is_err());
}

#[test]
fn a_wrong_secret_is_told_from_an_unknown_token_by_nobody() {
    let (token, other) = (token(), token());
    // The id of one token with the secret of another, as somebody who guesses would send it.
    let guessed = {
        let (a, b) = (token.reveal(), other.reveal());
        let (a, b): (Vec<_>, Vec<_>) = (a.split('-').collect(), b.split('-').collect());
        let body = format!("flt1-{}-{}-{}", a[1], b[2], a[3]);
        let hash = <sha2::Sha256 as sha2::Digest>::digest(&body);
        let check = crate::key::base32(&hash);
        format!("{body}-{}", &check[..6]).parse::<Token>().unwrap()
    };
    let mut record = Record::new(&token, 60, None, 1000);
    record.revoked = true;
    let says = |token: &Token, record: Option<&Record>| {
        check(token, record, &machine(1), &key(), 5000).unwrap_err().to_string()
    };
    assert_eq!(says(&guessed, Some(&record)), "use join token: the fleet knows no such token");
    assert_eq!(says(&guessed, Some(&record)), says(&token, None));
    assert_eq!(says(&other, Some(&record)), says(&token, None));
}

proptest! {
    #[test]
    fn no_text_panics_the_parser(text in ".*") {
        let _ = text.parse::<Token>();
    }

    #[test]
    fn no_text_that_looks_like_a_token_panics_the_parser(text in "[fF][lL]t1(-[a-z2-7=\u{130}]{0,40}){0,6}") {
        let _ = text.parse::<Token>();
    }
}
