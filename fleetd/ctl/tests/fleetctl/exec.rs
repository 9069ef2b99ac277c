//! exec over the upgraded connection.

use crate::server::{Reply, Server, state, terminal, unit};
use fleetd_api::frame::{self, Channel, Control, HEADER};
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

fn send(stream: &mut UnixStream, channel: Channel, payload: &[u8]) {
    for piece in payload.chunks(frame::MAX_PAYLOAD) {
        stream.write_all(&frame::header(channel, piece.len())).unwrap();
        stream.write_all(piece).unwrap();
    }
}

fn control(stream: &mut UnixStream, control: &Control) {
    send(stream, Channel::Control, &serde_json::to_vec(control).unwrap());
}

fn receive(stream: &mut UnixStream) -> (Channel, Vec<u8>) {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).unwrap();
    let (channel, length) = frame::parse(header).unwrap();
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (channel, payload)
}

fn server(program: fn(UnixStream)) -> Server {
    let web = unit("web.container", state(json!({})));
    Server::new(vec![
        ("GET /v1/units", Reply::Json(200, json!([web]))),
        ("POST /v1/units/web.container/exec", Reply::Upgrade(program)),
    ])
}

#[test]
fn output_and_exit_code_are_the_programs() {
    let server = server(|mut stream| {
        assert_eq!(receive(&mut stream), (Channel::Stdin, Vec::new()));
        send(&mut stream, Channel::Stdout, b"out\n");
        send(&mut stream, Channel::Stderr, b"err\n");
        control(&mut stream, &Control::Exit { code: 42 });
    });
    let ran = server.run(&["exec", "-e", "A=1", "-w", "/srv", "web", "--", "ls", "-l", "a b"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (42, "out\n", "err\n"));
    let requests = server.bodies();
    let (route, _) = requests.last().unwrap();
    let query = route.split_once("?exec=").unwrap().1;
    let query = percent_encoding::percent_decode_str(query).decode_utf8().unwrap();
    let asked: serde_json::Value = serde_json::from_str(&query).unwrap();
    assert_eq!(asked["command"], json!(["ls", "-l", "a b"]));
    assert_eq!((&asked["env"], &asked["cwd"]), (&json!(["A=1"]), &json!("/srv")));
}

#[test]
fn input_goes_in_and_its_end_too() {
    let server = server(|mut stream| {
        let mut input = Vec::new();
        loop {
            let (channel, payload) = receive(&mut stream);
            assert_eq!(channel, Channel::Stdin);
            if payload.is_empty() {
                break;
            }
            input.extend(payload);
        }
        send(&mut stream, Channel::Stdout, &input);
        control(&mut stream, &Control::Exit { code: 0 });
    });
    let mut command = server.command(&["exec", "-i", "web", "cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text = "x".repeat(200_000);
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout == text.as_bytes());
}

#[test]
fn a_program_that_was_not_run_is_125() {
    let failing = server(|mut stream| {
        let message = "execute /bin/x: no such file or directory".to_owned();
        control(&mut stream, &Control::Failed { message });
    });
    let ran = failing.run(&["exec", "web", "/bin/x"]);
    let expected = "fleetctl: execute /bin/x: no such file or directory\n";
    assert_eq!((ran.code, ran.err.as_str()), (125, expected));

    let lost = server(drop);
    let ran = lost.run(&["exec", "web", "/bin/x"]);
    assert_eq!(ran.code, 125);
    assert!(ran.err.contains("its exit code is not known"), "{}", ran.err);

    let ran = lost.run(&["exec", "nix", "/bin/x"]);
    assert_eq!(ran.code, 125);
    let ran = lost.run(&["exec", "-it", "web", "/bin/x"]);
    assert_eq!(ran.code, 125);
    assert!(ran.err.contains("-t needs a terminal on standard input"), "{}", ran.err);
}

#[test]
fn a_terminal_is_raw_while_the_program_has_it_and_tells_its_size() {
    use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
    let server = server(|mut stream| {
        send(&mut stream, Channel::Stdout, b"ready\n");
        loop {
            match receive(&mut stream) {
                (Channel::Control, payload) => {
                    send(&mut stream, Channel::Stdout, &payload);
                    break;
                }
                other => assert_eq!(other.0, Channel::Stdin),
            }
        }
        control(&mut stream, &Control::Exit { code: 0 });
    });
    let (master, terminal) = terminal();
    let size = |rows| Winsize { ws_row: rows, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size(24)).unwrap();
    let echoes = || tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO);
    assert!(echoes());

    let mut command = server.command(&["exec", "-it", "web", "sh"]);
    command.stdin(Stdio::from(terminal.try_clone().unwrap())).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut ready = [0; 6];
    out.read_exact(&mut ready).unwrap();
    assert!(!echoes(), "the terminal is not raw");
    tcsetwinsize(&master, size(50)).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::WINCH).unwrap();
    let mut told = String::new();
    out.read_to_string(&mut told).unwrap();
    assert_eq!(told, r#"{"control":"resize","rows":50,"columns":80}"#);
    assert!(child.wait().unwrap().success());
    assert!(echoes(), "the terminal was not given back");
    let requests = server.bodies();
    let (route, _) = requests.last().unwrap();
    assert!(route.contains("%22size%22%3A%5B24%2C80%5D"), "{route}");
}
