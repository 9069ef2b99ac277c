use super::*;
use std::io::Write;
use std::path::PathBuf;
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
