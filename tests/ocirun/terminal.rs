//! `process.terminal`.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use flotilla_tests::{need, require};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::json;

use crate::bundle::{Bundle, stdout};

/// The terminal's master, as an engine takes it from its socket.
fn receive(listener: &UnixListener) -> fs::File {
    use std::os::fd::AsRawFd;
    let (socket, _) = listener.accept().unwrap();
    let mut data = [0; 256];
    let mut parts = [std::io::IoSliceMut::new(&mut data)];
    let mut space = nix::cmsg_space!(i32);
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)
            .unwrap();
    let passed = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::ScmRights(list) => list.first().copied(),
        _ => None,
    });
    fs::File::from(own(passed.unwrap()))
}

#[expect(clippy::undocumented_unsafe_blocks, reason = "the number has just come by SCM_RIGHTS")]
fn own(number: i32) -> OwnedFd {
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Reads until the text is there; the other side's end is an error (EIO).
fn read_until(master: &mut fs::File, wanted: &str) -> String {
    let mut text = String::new();
    let mut part = [0; 256];
    while !text.contains(wanted) {
        let length = master.read(&mut part).unwrap_or_else(|e| panic!("{e}: {text}"));
        text.push_str(&String::from_utf8_lossy(&part[..length]));
    }
    text
}

#[test]
fn a_terminal_is_sent_to_the_console_socket_and_is_the_programs() {
    let mut bundle = require!(Bundle::new());
    let path = bundle.path().join("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["process"]["consoleSize"] = json!({"height": 33, "width": 77});
    bundle.set_script(
        "tty; stty size; test -c /dev/console && echo console; read x; echo got $x; sleep 1000",
    );
    bundle.write_config();
    let console = path.to_str().unwrap();
    bundle.quietly(&["create", "--console-socket", console, &bundle.id]).unwrap();
    let mut master = receive(&listener);
    stdout(&bundle.ocirun(&["start", &bundle.id]));
    let text = read_until(&mut master, "console\r\n");
    assert!(text.starts_with("/dev/pts/0\r\n33 77\r\n"), "{text}");
    master.write_all(b"word\n").unwrap();
    read_until(&mut master, "got word\r\n");

    let id = bundle.id.clone();
    bundle
        .quietly(&[
            "exec",
            "--tty",
            "--detach",
            "--console-socket",
            console,
            &id,
            "sh",
            "-c",
            "tty; sleep 1000",
        ])
        .unwrap();
    let mut second = receive(&listener);
    read_until(&mut second, "/dev/pts/1\r\n");
}

#[test]
fn run_relays_the_terminal() {
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["terminal"] = json!(true);
    bundle.set_script("tty; read x; echo got $x; exit 3");
    bundle.write_config();
    let mut run = bundle
        .command(&["run", &bundle.id])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    run.stdin.take().unwrap().write_all(b"word\n").unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("/dev/pts/0\r\n") && text.contains("got word\r\n"), "{text}");
}

#[test]
fn cve_2025_52565_a_console_that_is_a_link_is_refused() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["terminal"] = json!(true);
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/dev");
    fs::create_dir_all(bundle.root().join("dev/pts")).unwrap();
    symlink("/proc/sys/kernel/core_pattern", bundle.root().join("dev/console")).unwrap();
    bundle.set_script("true");
    let fault = bundle.fault();
    assert!(fault.starts_with("make /dev/console: it is a symbolic link"), "{fault}");
}

#[test]
fn cve_2025_52565_a_fake_devpts_of_the_image_is_refused() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["terminal"] = json!(true);
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    fs::create_dir_all(bundle.root().join("dev/pts")).unwrap();
    fs::write(bundle.root().join("dev/pts/ptmx"), "").unwrap();
    bundle.set_script("true");
    let fault = bundle.fault();
    assert!(fault.contains("/dev/pts is no devpts"), "{fault}");
}

#[test]
fn a_program_may_close_its_terminal_and_come_back() {
    let strace = require!(need::program("strace"));
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["terminal"] = json!(true);
    for name in ["closed", "again"] {
        let mode = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&bundle.root().join(name), mode).unwrap();
    }
    bundle.set_script(
        "exec < /dev/null > /dev/null 2>&1; echo > /closed; read x < /again; echo back > /dev/console",
    );
    bundle.write_config();
    let trace = bundle.path().join("trace");
    let made = bundle.path().join("made.sock");
    let listener = UnixListener::bind(&made).unwrap();
    let run = std::process::Command::new(strace)
        .args(["-e", "trace=poll", "-o"])
        .arg(&trace)
        .arg(flotilla_tests::programs::path("ocirun"))
        .arg("--root")
        .arg(bundle.state_root())
        .args(["run", "--pidfd-socket"])
        .arg(&made)
        .arg(&bundle.id)
        .current_dir(bundle.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Sent once the container is recorded, which its program does not wait for.
    receive(&listener);
    fs::read(bundle.root().join("closed")).unwrap();
    // Meanwhile the runtime waits. One that does not looks thousands of times.
    for _ in 0..20 {
        assert_eq!(bundle.state()["status"], "running");
    }
    fs::write(bundle.root().join("again"), "\n").unwrap();
    let output = run.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("back\r\n"), "{output:?}");
    let polls = fs::read_to_string(trace).unwrap().lines().count();
    assert!(polls < 50, "{polls} polls");
}
