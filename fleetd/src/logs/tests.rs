use super::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

struct Logs(PathBuf);

impl Logs {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("flotilla-logs-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, texts: &[&str]) {
        let path = self.0.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        for text in texts {
            writeln!(file, "2026-01-02T03:04:05.000000006Z stdout F {text}").unwrap();
        }
    }

    fn tail(&self, lines: Option<usize>) -> Vec<String> {
        tail(&self.0, lines).unwrap().into_iter().map(|line| line.line).collect()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

async fn next(lines: &mut mpsc::Receiver<LogLine>) -> String {
    lines.recv().await.unwrap().line
}

#[test]
fn the_last_lines_come_from_all_runs_in_order() {
    let logs = Logs::new("tail");
    logs.write("a-9.2/log", &["3"]);
    logs.write("a-10.1/log.1", &["4", "5"]);
    logs.write("a-10.1/log", &["6"]);
    logs.write("a-9.1/log", &["1", "2"]);
    assert_eq!(logs.tail(None), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(logs.tail(Some(3)), ["4", "5", "6"]);
    assert_eq!(logs.tail(Some(0)), Vec::<String>::new());
}

#[test]
fn a_unit_that_never_ran_has_no_lines() {
    let logs = Logs::new("none");
    assert!(tail(&logs.0.join("absent"), Some(5)).unwrap().is_empty());
}

#[tokio::test]
async fn lines_are_followed_over_a_rotation_and_a_restart() {
    let logs = Logs::new("follow");
    logs.write("a-1.1/log", &["1", "2"]);
    let (takes, mut lines) = mpsc::channel(8);
    let task = tokio::spawn(follow(logs.0.clone(), Some(1), takes));
    assert_eq!(next(&mut lines).await, "2");
    logs.write("a-1.1/log", &["3"]);
    assert_eq!(next(&mut lines).await, "3");
    logs.write("a-1.1/log", &["4"]);
    std::fs::rename(logs.0.join("a-1.1/log"), logs.0.join("a-1.1/log.1")).unwrap();
    logs.write("a-1.1/log", &["5"]);
    assert_eq!(next(&mut lines).await, "4");
    assert_eq!(next(&mut lines).await, "5");
    logs.write("a-1.2/log", &["6"]);
    assert_eq!(next(&mut lines).await, "6");
    drop(lines);
    task.await.unwrap().unwrap();
}

/// What a supervisor does with a file that is full.
fn rotate(run: &Path, kept: usize) {
    for n in (1..kept).rev() {
        let _ = std::fs::rename(run.join(format!("log.{n}")), run.join(format!("log.{}", n + 1)));
    }
    std::fs::rename(run.join("log"), run.join("log.1")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_lost_or_doubled_while_files_rotate() {
    let logs = Logs::new("race");
    logs.write("a-1.1/log", &["0"]);
    let path = logs.0.clone();
    let (takes, mut lines) = mpsc::channel(8);
    let (begun, begins) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        let run = path.join("a-1.1");
        for round in 0..400 {
            let log = run.join("log");
            let mut file = std::fs::File::options().create(true).append(true).open(log).unwrap();
            for line in 1..=5 {
                let number = round * 5 + line;
                writeln!(file, "2026-01-02T03:04:05.000000006Z stdout F {number}").unwrap();
                if number == 50 {
                    begun.send(()).unwrap();
                }
            }
            rotate(&run, 401);
        }
    });
    begins.recv().unwrap();
    let task = tokio::spawn(follow(logs.0.clone(), None, takes));
    for number in 0..=2000 {
        assert_eq!(next(&mut lines).await, number.to_string());
    }
    writer.join().unwrap();
    drop(lines);
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_long_log_is_followed_in_pieces() {
    let logs = Logs::new("pieces");
    logs.write("a-1.1/log", &["0"]);
    let (mut at, _) = follow::begin(&logs.0, Some(0)).unwrap();
    let many: Vec<String> = (0..40_000).map(|n| n.to_string()).collect();
    logs.write("a-1.1/log", &many.iter().map(String::as_str).collect::<Vec<_>>());
    let mut read = Vec::new();
    while let Some(piece) = at.read(&logs.0).unwrap() {
        assert!(piece.len() < many.len() / 2, "{} lines at once", piece.len());
        read.extend(piece.into_iter().map(|line| line.line));
    }
    assert_eq!(read, many);
}

#[tokio::test]
async fn a_line_that_a_run_left_unfinished_does_not_begin_the_next_ones() {
    let logs = Logs::new("unfinished");
    logs.write("a-1.1/log", &["1"]);
    let (takes, mut lines) = mpsc::channel(8);
    let task = tokio::spawn(follow(logs.0.clone(), Some(1), takes));
    assert_eq!(next(&mut lines).await, "1");
    let part = "2026-01-02T03:04:05.000000006Z stdout P its last words\n";
    let mut log = std::fs::File::options().append(true).open(logs.0.join("a-1.1/log")).unwrap();
    log.write_all(part.as_bytes()).unwrap();
    logs.write("a-1.2/log", &["2"]);
    assert_eq!(next(&mut lines).await, "its last words");
    assert_eq!(next(&mut lines).await, "2");
    drop(lines);
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn following_ends_when_the_unit_is_destroyed() {
    let logs = Logs::new("destroyed");
    let unit = Logs(logs.0.join("unit"));
    unit.write("a-1.1/log", &["1"]);
    let (takes, mut lines) = mpsc::channel(8);
    let task = tokio::spawn(follow(unit.0.clone(), Some(1), takes));
    assert_eq!(next(&mut lines).await, "1");
    drop(unit);
    assert!(lines.recv().await.is_none());
    task.await.unwrap().unwrap();
}
