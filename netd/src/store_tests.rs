use super::*;
use crate::core::samples;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netd-store-{}-{name}", std::process::id()));
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn network() -> Network {
    samples::network("default", 0, &["10.0.0.0/24"])
}

fn header() -> Header {
    Header::new("boot".to_owned(), "d".to_owned(), "t".to_owned(), network())
}

fn record(id: &str) -> Record {
    samples::record(id, &[id], &[(&network(), &["10.0.0.2"])])
}

fn read(dir: &Dir) -> Option<Saved> {
    Journal::open(&dir.0, Duration::ZERO).unwrap().1
}

#[test]
fn what_was_appended_is_there_after_a_death() {
    let dir = Dir::new("append");
    let (mut journal, none) = Journal::open(&dir.0, Duration::ZERO).unwrap();
    assert_eq!(none, None);
    journal.rewrite(&header(), []).unwrap();
    journal.append(&[Entry::Attach(record("a")), Entry::Attach(record("b"))]).unwrap();
    let back = samples::network("back", 1, &["10.1.0.0/24"]);
    let gone = samples::network("gone", 2, &["10.2.0.0/24"]);
    journal.append(&[Entry::Network(back.clone()), Entry::Network(gone.clone())]).unwrap();
    journal.append(&[Entry::Detach(EndpointId::new("a").unwrap())]).unwrap();
    journal.append(&[Entry::DropNetwork(gone.name)]).unwrap();
    drop(journal);
    let saved = read(&dir).unwrap();
    assert_eq!(saved.header, header());
    assert_eq!(saved.endpoints.into_values().collect::<Vec<_>>(), [record("b")]);
    assert_eq!(saved.networks.into_values().collect::<Vec<_>>(), [back]);
    assert_eq!(saved.remembered.len(), 2);
}

#[test]
fn a_torn_last_line_is_as_if_never_written() {
    let dir = Dir::new("torn");
    let (mut journal, _) = Journal::open(&dir.0, Duration::ZERO).unwrap();
    journal.rewrite(&header(), [Entry::Attach(record("a"))]).unwrap();
    let path = journal.path.clone();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let extra = line(&Entry::Attach(record("b")));
    for cut in 0..extra.len() {
        let torn = [&whole[..], &extra[..cut]].concat();
        assert_eq!(parse(&torn).unwrap().endpoints.len(), 1, "cut at {cut}");
    }
}

#[test]
fn a_second_netd_is_refused() {
    let dir = Dir::new("lock");
    let first = Journal::open(&dir.0, Duration::ZERO).unwrap();
    assert!(matches!(Journal::open(&dir.0, Duration::ZERO), Err(StoreError::Locked(_))));
    drop(first);
    assert!(Journal::open(&dir.0, Duration::ZERO).is_ok());
}

#[test]
fn a_netd_that_is_ending_is_waited_for() {
    let dir = Dir::new("ending");
    let first = Journal::open(&dir.0, Duration::ZERO).unwrap();
    let (path, patience) = (dir.0.clone(), Duration::from_secs(60));
    let second = std::thread::spawn(move || Journal::open(&path, patience).map(drop));
    // As `netd down` ends: the file of the lock has gone, too.
    first.0.remove().unwrap();
    second.join().unwrap().unwrap();
    assert!(dir.0.join(LOCK).exists(), "the second one holds a lock without a name");
}

#[test]
fn garbage_is_no_journal() {
    assert_eq!(parse(b""), None);
    assert_eq!(parse(b"\0\0\0\0\n"), None);
    assert_eq!(parse(b"{}\n"), None);
}

#[test]
fn what_is_found_goes_on_behind_what_can_be_read_of_it() {
    let dir = Dir::new("goes-on");
    let (mut journal, _) = Journal::open(&dir.0, Duration::ZERO).unwrap();
    journal.rewrite(&header(), [Entry::Attach(record("a"))]).unwrap();
    let path = journal.path.clone();
    drop(journal);
    let torn = [std::fs::read(&path).unwrap(), b"{\"attach\":".to_vec()].concat();
    std::fs::write(&path, torn).unwrap();
    let (mut journal, _) = Journal::open(&dir.0, Duration::ZERO).unwrap();
    let other = Header { boot_id: "another".to_owned(), ..header() };
    assert!(!journal.goes_on(&other), "it is of another boot");
    assert!(journal.goes_on(&header()));
    journal.append(&[Entry::Attach(record("b"))]).unwrap();
    drop(journal);
    assert_eq!(read(&dir).unwrap().endpoints.len(), 2);
}
