//! What a client may ask over the socket, and how answers are written. Pure.

use std::fmt::Display;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::record::Ended;
use crate::error::{Error, Result};
use crate::spec::{Process, load};

/// One line from a client.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Request {
    State,
    Wait,
    /// Answered once the program is ready.
    Ready,
    Signal {
        signal: i32,
        /// Every process of the container, not only its first.
        #[serde(default)]
        all: bool,
    },
    Stop {
        /// As the supervisor was started with, where it is missing.
        #[serde(default)]
        signal: Option<i32>,
        /// Until the kill. Missing: as the supervisor was started with. `null`: never.
        #[serde(default, deserialize_with = "present")]
        timeout_ms: Option<Option<u64>>,
    },
    Exec {
        #[serde(deserialize_with = "process")]
        process: Box<Process>,
    },
    Attach,
    Stdin {
        /// The supervisor lets go of its own copy, so that the program sees the end of its input
        /// when the client closes.
        #[serde(default)]
        last: bool,
    },
    Resize {
        /// `None` is the container's own terminal.
        #[serde(default)]
        exec: Option<u32>,
        rows: u16,
        columns: u16,
    },
    Reexec,
    /// Refused: fleetd asks before it relies on it.
    Lease,
}

/// Tells `null` from a missing field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::<u64>::deserialize(deserializer).map(Some)
}

/// By way of a text: a tagged enum is read from a tree of values, and the code that reads a process
/// from that would be in the program beside the code that reads it from a text.
fn process<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Process>, D::Error> {
    let text = Value::deserialize(deserializer)?.to_string();
    load::parse(text.as_bytes()).map_err(|error| D::Error::custom(error.within("process")))
}

/// Reads one line.
pub(super) fn parse(line: &[u8]) -> Result<Request> {
    load::parse(line).map_err(|error| error.within("read request"))
}

/// A signal number that the kernel has (signal(7)).
pub(super) fn signal_number(number: i32) -> Result<i32> {
    if (1..=64).contains(&number) {
        Ok(number)
    } else {
        Err(Error::new(format_args!("send signal {number}: no such signal")))
    }
}

/// `{"ok":...}` as a line.
pub(super) fn ok(content: &impl Serialize) -> Vec<u8> {
    line(&json!({ "ok": content }))
}

/// `{"ok":{}}` as a line.
pub(super) fn done() -> Vec<u8> {
    ok(&json!({}))
}

/// `{"error":"..."}` as a line.
pub(super) fn refused(error: &impl Display) -> Vec<u8> {
    line(&json!({ "error": error.to_string() }))
}

/// How a process of `exec` ended, as a line.
pub(super) fn exit(ended: Ended) -> Vec<u8> {
    line(&json!({ "exit": ended }))
}

/// How much of the output a slow `attach` has missed, as a line.
pub(super) fn lost(bytes: u64) -> Vec<u8> {
    line(&json!({ "lost": bytes }))
}

fn line(value: &Value) -> Vec<u8> {
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> String {
        parse(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_timeout_is_not_null() {
        let timeout = |line: &str| match parse(line.as_bytes()).unwrap() {
            Request::Stop { timeout_ms, .. } => timeout_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(timeout(r#"{"op":"stop"}"#), None);
        assert_eq!(timeout(r#"{"op":"stop","signal":9,"timeout_ms":null}"#), Some(None));
        assert_eq!(timeout(r#"{"op":"stop","timeout_ms":5}"#), Some(Some(5)));
    }

    #[test]
    fn what_is_no_request_is_refused_with_a_sentence() {
        assert!(fault("").starts_with("read request: "));
        assert!(fault(r#"{"op":"dance"}"#).contains("unknown variant `dance`"));
        assert!(fault(r#"{"op":"signal"}"#).contains("missing field `signal`"));
        assert!(fault(r#"{"op":"signal","signal":1,"al":true}"#).contains("unknown field `al`"));
        assert!(fault(r#"{"op":"resize","rows":-1,"columns":80}"#).contains("-1"));
    }

    #[test]
    fn every_request_of_the_contract_is_read() {
        for line in [
            r#"{"op":"state"}"#,
            r#"{"op":"wait"}"#,
            r#"{"op":"ready"}"#,
            r#"{"op":"signal","signal":15,"all":false}"#,
            r#"{"op":"exec","process":{"args":["true"],"cwd":"/"}}"#,
            r#"{"op":"attach"}"#,
            r#"{"op":"stdin"}"#,
            r#"{"op":"stdin","last":true}"#,
            r#"{"op":"resize","exec":null,"rows":24,"columns":80}"#,
            r#"{"op":"resize","exec":1,"rows":24,"columns":80}"#,
            r#"{"op":"reexec"}"#,
            r#"{"op":"lease","until":5}"#,
        ] {
            parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn signals_have_numbers_from_1_to_64() {
        assert_eq!(signal_number(15), Ok(15));
        for number in [0, -1, 65] {
            assert!(signal_number(number).is_err());
        }
    }
}
