//! The output of the program in the log.

use std::fs;
use std::io::Write;

use flotilla_tests::{need, require};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

use crate::attach;
use crate::client::granted;
use crate::supervised::{Plan, log_in};

#[test]
fn both_streams_are_logged_line_by_line() {
    require!(need::root());
    let script =
        "echo one; echo two >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'no end'";
    let mut supervised = Plan::script(script).start();
    assert_eq!(supervised.wait_record()["code"], 0);
    let log = supervised.log();
    let of = |stream: &str| -> Vec<(String, String)> {
        log.iter().filter(|l| l.0 == stream).map(|l| (l.1.clone(), l.2.clone())).collect()
    };
    let line = |flag: &str, text: &str| (flag.to_owned(), text.to_owned());
    assert_eq!(of("stderr"), [line("F", "two")]);
    let expected = [
        line("F", "one"),
        line("P", &"x".repeat(16384)),
        line("P", &"x".repeat(16384)),
        line("F", &"x".repeat(40000 - 2 * 16384)),
        line("P", "no end"),
    ];
    assert_eq!(of("stdout"), expected);
}

#[test]
fn a_terminals_output_is_logged_as_stdout() {
    require!(need::root());
    let mut supervised = Plan::script("echo out; echo err >&2; tty").terminal().start();
    assert_eq!(supervised.wait_record()["code"], 0);
    let texts: Vec<String> =
        supervised.log().into_iter().map(|line| format!("{} {}", line.0, line.2)).collect();
    assert_eq!(texts[..2], ["stdout out", "stdout err"]);
    assert!(texts[2].starts_with("stdout /dev/"), "{texts:?}");
}

#[test]
fn ten_thousand_lines_rotate_without_a_loss() {
    require!(need::root());
    let plan =
        Plan::script("seq 1 10000").with(&["--log-max-size", "30000", "--log-max-files", "100"]);
    let mut supervised = plan.start();
    assert_eq!(supervised.wait_record()["code"], 0);
    let expected: Vec<String> = (1..=10_000).map(|number: u32| number.to_string()).collect();
    assert_eq!(supervised.texts("stdout"), expected);
    let files = supervised.files();
    let logs: Vec<&String> = files.iter().filter(|name| name.starts_with("log")).collect();
    assert!(logs.len() > 10, "{logs:?}");
    for name in logs {
        assert!(fs::metadata(supervised.run_dir.join(name)).unwrap().len() <= 30_000);
    }
}

#[test]
fn only_so_many_files_are_kept_and_the_next_run_goes_on_in_them() {
    require!(need::root());
    let kept = flotilla_tests::Scratch::new();
    let dir = kept.path().to_str().unwrap();
    let options = ["--log-dir", dir, "--log-max-size", "1000", "--log-max-files", "3"];
    for run in ["first", "second"] {
        let script = format!("seq 1 100; echo {run}");
        let mut supervised = Plan::script(&script).with(&options).start();
        assert_eq!(supervised.wait_record()["code"], 0);
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["log", "log.1", "log.2"]);
        assert_eq!(log_in(kept.path()).last().unwrap().2, run);
    }
}

#[test]
fn a_full_disk_drops_lines_and_says_how_many() {
    require!(need::root());
    // The mount is this thread's and its children's own.
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .unwrap();
    let script = "read go; seq 1 1000; read go; echo after";
    let plan = Plan::script(script).with(&["--stdin"]);
    let disk = plan.scratch.path().join("disk");
    fs::create_dir(&disk).unwrap();
    mount(Some("tmpfs"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
    let mut supervised = plan.with(&["--log-dir", disk.to_str().unwrap()]).start();

    let mut client = supervised.connect();
    granted(client.ask(json!({"op": "stdin"})));
    let mut stdin = fs::File::from(client.passed().remove(0));
    let mut watcher = attach::Watcher::new(&supervised);
    let filler = disk.join("filler");
    // Two pages are left for the log.
    fs::write(&filler, vec![0; 56 * 1024]).unwrap();
    stdin.write_all(b"go\n").unwrap();
    // The program is not held up by the log.
    watcher.read_stdout_until("\n1000\n");
    fs::remove_file(&filler).unwrap();
    stdin.write_all(b"go\n").unwrap();
    assert_eq!(supervised.wait_record()["code"], 0);

    let lines = log_in(&disk);
    let of_program: Vec<u64> =
        lines.iter().filter(|l| l.0 == "stdout").filter_map(|l| l.2.parse().ok()).collect();
    let notes: Vec<&String> = lines.iter().filter(|l| l.0 == "supervisor").map(|l| &l.2).collect();
    let dropped: u64 = notes
        .iter()
        .map(|note| {
            let rest = note.strip_prefix("dropped ").unwrap();
            let (count, rest) = rest.split_once(' ').unwrap();
            assert_eq!(rest, "lines: no space left on device");
            count.parse::<u64>().unwrap()
        })
        .sum();
    assert!(dropped > 500, "{notes:?}");
    assert_eq!(of_program.len() as u64 + dropped, 1000);
    assert!(of_program.is_sorted());
    assert_eq!(lines.last().unwrap().2, "after");
    drop(client);
    nix::mount::umount(&disk).unwrap();
}
