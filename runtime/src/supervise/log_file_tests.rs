use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A directory of one test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ocirun-log-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn open(&self, max_size: u64, max_files: u32) -> LogFile {
        let place = Place { dir: self.0.clone(), max_size, max_files };
        LogFile::open(place, Dropped::default()).unwrap()
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(name)).ok()
    }

    /// The texts of all lines, oldest first, checking each file's length.
    fn texts(&self, max_size: u64) -> Vec<String> {
        let mut names = vec!["log".to_owned()];
        while self.0.join(format!("log.{}", names.len())).exists() {
            names.push(format!("log.{}", names.len()));
        }
        let files: Vec<String> = names.iter().rev().map(|name| self.read(name).unwrap()).collect();
        assert!(files.iter().all(|file| file.len() as u64 <= max_size));
        files.concat().lines().map(|line| line.splitn(4, ' ').nth(3).unwrap().to_owned()).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn write(log: &mut LogFile, text: &str) {
    log.line("T", Stream::Stdout, Flag::Full, text.as_bytes());
}

#[test]
fn ten_thousand_lines_rotate_without_a_loss() {
    let dir = Dir::new();
    let mut log = dir.open(4096, 1000);
    for number in 0..10_000 {
        write(&mut log, &number.to_string());
        if number % 7 == 0 {
            log.flush("T");
        }
    }
    log.flush("T");
    let expected: Vec<String> = (0..10_000).map(|number: u32| number.to_string()).collect();
    assert_eq!(dir.texts(4096), expected);
    assert!(dir.0.join("log.20").exists());
}

#[test]
fn no_more_files_are_kept_than_asked_for() {
    let dir = Dir::new();
    for (max_files, expected) in [(3, &["log", "log.1", "log.2"][..]), (1, &["log"][..])] {
        let mut log = dir.open(100, max_files);
        for number in 0..100 {
            write(&mut log, &number.to_string());
        }
        log.flush("T");
        let mut names: Vec<String> = std::fs::read_dir(&dir.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, expected);
        assert_eq!(dir.texts(100).last().unwrap(), "99");
    }
}

#[test]
fn a_line_longer_than_a_file_is_kept_whole() {
    let dir = Dir::new();
    let mut log = dir.open(50, 5);
    write(&mut log, "short");
    write(&mut log, &"x".repeat(200));
    write(&mut log, "short");
    log.flush("T");
    assert!(dir.read("log.1").unwrap().len() > 200);
    assert!(dir.read("log").unwrap().ends_with("short\n"));
}

#[test]
fn a_log_goes_on_where_the_last_supervisor_left_it() {
    let dir = Dir::new();
    std::fs::write(dir.0.join("log"), "T stdout F whole\nT stdout F tor").unwrap();
    let mut log = dir.open(1000, 5);
    write(&mut log, "new");
    log.flush("T");
    assert_eq!(dir.read("log").unwrap(), "T stdout F whole\nT stdout F tor\nT stdout F new\n");
}

#[test]
fn what_the_disk_refuses_is_counted_and_told() {
    let dir = Dir::new();
    let mut log = dir.open(1000, 5);
    write(&mut log, "before");
    log.flush("T");
    // The kernel's own full disk.
    log.file = Some(OpenOptions::new().write(true).open("/dev/full").unwrap());
    for number in 0..3 {
        write(&mut log, &number.to_string());
        log.flush("T");
    }
    assert!(log.owes_a_line());
    assert_eq!(dir.texts(1000), ["before"]);
    log.file = None;
    log.flush("T");
    write(&mut log, "after");
    log.flush("T");
    assert!(!log.owes_a_line());
    assert_eq!(dir.texts(1000), ["before", "dropped 3 lines: no space left on device", "after"]);
}

#[test]
fn a_failed_start_leaves_no_empty_log() {
    let dir = Dir::new();
    dir.open(1000, 5).discard();
    assert_eq!(dir.read("log"), None);
    std::fs::write(dir.0.join("log"), "T stdout F old\n").unwrap();
    dir.open(1000, 5).discard();
    assert_eq!(dir.read("log").unwrap(), "T stdout F old\n");
}
