//! Copies of the output, and the program's input.

use std::io::{PipeReader, Read, Write};
use std::os::fd::AsFd;

use flotilla_tests::{need, require};
use serde_json::json;

use crate::client::{Client, granted, refused};
use crate::supervised::{Plan, Supervised};

/// A client that has the output copied to it.
pub(crate) struct Watcher {
    pub(crate) client: Client,
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    seen: String,
}

impl Watcher {
    pub(crate) fn new(supervised: &Supervised) -> Self {
        let (stdout, out) = std::io::pipe().unwrap();
        let (stderr, err) = std::io::pipe().unwrap();
        let mut client = supervised.connect();
        client.send(&json!({"op": "attach"}), &[out.as_fd(), err.as_fd()]);
        granted(client.receive());
        Self { client, stdout, stderr, seen: String::new() }
    }

    /// Blocks until this has come; the answer is all that has.
    pub(crate) fn read_stdout_until(&mut self, text: &str) -> &str {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let length = self.stdout.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "the copy ended with {:?}", self.seen);
            self.seen.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        &self.seen
    }
}

fn stdin(client: &mut Client, request: serde_json::Value) -> std::fs::File {
    client.ok(request);
    std::fs::File::from(client.passed().remove(0))
}

#[test]
fn a_watcher_sees_both_streams_as_they_come() {
    require!(need::root());
    let plan =
        Plan::script("read a; echo out $a; read b; echo err $b >&2; read c").with(&["--stdin"]);
    let mut supervised = plan.start();
    let mut watcher = Watcher::new(&supervised);
    let mut input = stdin(&mut supervised.connect(), json!({"op": "stdin", "last": true}));
    input.write_all(b"1\n").unwrap();
    assert_eq!(watcher.read_stdout_until("\n"), "out 1\n");
    input.write_all(b"2\n").unwrap();
    let mut line = [0; 6];
    watcher.stderr.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"err 2\n");
    // The supervisor has let go of its copy: this was the last, and `read` fails at the end.
    drop(input);
    assert_eq!(supervised.wait_record()["code"], 1);
    assert!(watcher.client.is_closed());
}

#[test]
fn a_slow_watcher_loses_output_and_the_program_none() {
    require!(need::root());
    let script = "seq 1 100000; echo all >&2; read go; echo end; echo all >&2; read go";
    let mut supervised = Plan::script(&format!("read go; {script}")).with(&["--stdin"]).start();
    let mut slow = Watcher::new(&supervised);
    let mut input = stdin(&mut supervised.connect(), json!({"op": "stdin"}));
    input.write_all(b"go\n").unwrap();
    let mut all = [0; 4];
    slow.stderr.read_exact(&mut all).unwrap();
    // It begins to read when most of it is lost, and is told so.
    let mut buffer = vec![0; 65536];
    let length = slow.stdout.read(&mut buffer).unwrap();
    assert!(length > 0);
    input.write_all(b"go\n").unwrap();
    slow.stderr.read_exact(&mut all).unwrap();
    let lost = slow.client.receive()["lost"].as_u64().unwrap();
    assert!(lost > 100_000, "{lost}");
    input.write_all(b"go\n").unwrap();
    assert_eq!(supervised.wait_record()["code"], 0);
    let expected: Vec<String> =
        (1..=100_000).map(|n: u32| n.to_string()).chain(["end".to_owned()]).collect();
    assert_eq!(supervised.texts("stdout"), expected);
}

#[test]
fn a_watcher_that_goes_is_forgotten() {
    require!(need::root());
    let mut supervised = Plan::script("read go; yes | head -c 300000").with(&["--stdin"]).start();
    let before = supervised.descriptors();
    for _ in 0..20 {
        drop(Watcher::new(&supervised));
    }
    let mut input = stdin(&mut supervised.connect(), json!({"op": "stdin"}));
    // Each closed connection has been handled before this answer.
    supervised.connect().ok(json!({"op": "state"}));
    let after = supervised.descriptors();
    assert!(after <= before + 2, "{before} {after}");
    input.write_all(b"go\n").unwrap();
    assert_eq!(supervised.wait_record()["code"], 0);
}

#[test]
fn what_could_block_the_supervisor_is_refused() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    let file = std::fs::File::open("/dev/null").unwrap();
    client.send(&json!({"op": "attach"}), &[file.as_fd(), file.as_fd()]);
    assert!(refused(&client.receive()).contains("pipes or sockets"));
    client.send(&json!({"op": "attach"}), &[file.as_fd()]);
    assert!(refused(&client.receive()).contains("it takes 2 descriptors, 1 came"));
    assert!(refused(&client.ask(json!({"op": "stdin"}))).contains("--stdin"));
}

#[test]
fn a_terminal_is_read_written_and_resized() {
    require!(need::root());
    let plan = Plan::script("read line; echo got $line; read line; stty size").terminal();
    let mut supervised = plan.with(&["--stdin"]).start();
    let mut client = supervised.connect();
    client.ok(json!({"op": "resize", "rows": 33, "columns": 99}));
    let mut watcher = Watcher::new(&supervised);
    let mut input = stdin(&mut client, json!({"op": "stdin"}));
    input.write_all(b"hello\n").unwrap();
    watcher.read_stdout_until("got hello\r\n");
    input.write_all(b"\n").unwrap();
    watcher.read_stdout_until("33 99\r\n");
    assert_eq!(supervised.wait_record()["code"], 0);
}
