//! Known attacks that need somebody beside the runtime: a sibling who exchanges what is at a path, or
//! a loop inside who waits for those that join. The identifiers are those of the advisories.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flotilla_tests::{need, programs, require};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use serde_json::json;

use crate::bundle::{Bundle, mounts, stdout};

/// Runs `act` while somebody exchanges two names, as fast as that goes.
fn while_exchanging(one: &Path, other: &Path, act: impl FnOnce()) {
    let (done, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let flags = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, one, AT_FDCWD, other, flags).unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        // Also when the test fails: the scope waits for the loop.
        let stop = Stop(&done);
        act();
        drop(stop);
    });
    assert!(count.into_inner() > 100, "nobody exchanged anything");
}

/// Calls `attempt` as often as said, and on until one attempt came to something: without that nothing
/// would have been tried. Whether one does is chance; that none of many does is a fault.
fn attempts(usual: usize, mut attempt: impl FnMut() -> bool) {
    let mut fruitful = false;
    for count in 1.. {
        fruitful |= attempt();
        if count >= usual && fruitful {
            return;
        }
        assert!(count < usual.max(100) * 10, "no attempt came to anything: nothing was tried");
    }
}

/// How often a race is run where the kernel is emulated, and elsewhere.
fn usual() -> usize {
    if need::virtual_machine().is_ok() { 15 } else { 100 }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All that is below a directory of the host that nobody may touch.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Two containers share a volume; the destinations of the second one's mounts lie in it, where the
/// first one exchanges a directory with a link to the host.
fn destinations_are_exchanged(starts: usize) {
    let mut bundle = require!(Bundle::new());
    let (canary, volume) = (bundle.path().join("canary"), bundle.path().join("volume"));
    for directory in [&canary, &volume, &volume.join("place")] {
        fs::create_dir(directory).unwrap();
    }
    fs::write(canary.join("file"), "canary").unwrap();
    fs::write(canary.join("null"), "canary").unwrap();
    symlink(&canary, volume.join("link")).unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    for mount in [
        json!({"destination": "/v", "type": "bind", "source": "volume", "options": ["rbind"]}),
        json!({"destination": "/v/place/made", "type": "tmpfs", "source": "inside"}),
        json!({"destination": "/v/place", "type": "tmpfs", "source": "inside"}),
        json!({"destination": "/v/place/file", "type": "bind", "source": "config.json", "options": ["bind"]}),
        json!({"destination": "/v/place/new/file", "type": "bind", "source": "config.json", "options": ["bind"]}),
    ] {
        bundle.push("/mounts", mount);
    }
    bundle.config["linux"]["devices"] = json!([
        {"type": "c", "path": "/v/place/deep/node", "major": 1, "minor": 3},
        {"type": "p", "path": "/v/place/pipe"},
    ]);
    bundle.config["linux"]["maskedPaths"] = json!(["/v/place/null", "/proc/version"]);
    bundle.config["process"]["cwd"] = json!("/v/place/cwd");
    bundle.set_script("cat /proc/version; pwd");
    bundle.write_config();
    let before = mounts();
    while_exchanging(&volume.join("place"), &volume.join("link"), || {
        attempts(starts, || {
            let output = bundle.ocirun(&["run", &bundle.id]);
            // It may fail, with a reason; where the working directory lies depends on the moment.
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.is_empty() || text.starts_with('/'), "{text}");
            assert!(
                output.status.success() || output.stderr.starts_with(b"ocirun: "),
                "{output:?}"
            );
            assert_eq!(mounts(), before);
            assert_eq!(names(&canary), ["file", "null"]);
            output.status.success()
        });
    });
    for name in ["file", "null"] {
        assert_eq!(fs::read_to_string(canary.join(name)).unwrap(), "canary");
    }
}

#[test]
fn cve_2021_30465_cve_2024_45310_an_exchanged_destination_stays_in_the_root() {
    destinations_are_exchanged(usual());
}

#[test]
#[ignore = "long"]
fn cve_2021_30465_cve_2024_45310_an_exchanged_destination_stays_in_the_root_a_thousand_times() {
    destinations_are_exchanged(1000);
}

#[test]
fn cve_2025_31133_an_exchanged_null_masks_nothing_of_the_host() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    let dev = bundle.root().join("dev");
    fs::create_dir(&dev).unwrap();
    let null = nix::sys::stat::makedev(1, 3);
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
    nix::sys::stat::mknod(&dev.join("null"), nix::sys::stat::SFlag::S_IFCHR, mode, null).unwrap();
    symlink("/proc/sys/kernel/core_pattern", dev.join("link")).unwrap();
    bundle.config["linux"]["maskedPaths"] = json!(["/proc/version"]);
    bundle.set_script("cat /proc/version; echo end");
    bundle.write_config();
    while_exchanging(&dev.join("null"), &dev.join("link"), || {
        attempts(usual(), || {
            let output = bundle.ocirun(&["run", &bundle.id]);
            if output.status.success() {
                assert_eq!(stdout(&output), "end");
            }
            output.status.success()
        });
    });
}

#[test]
fn cve_2025_52565_an_exchanged_console_covers_nothing_of_the_host() {
    let mut bundle = require!(Bundle::new());
    let canary = bundle.path().join("canary");
    fs::write(&canary, "canary").unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["terminal"] = json!(true);
    let list = bundle.config["mounts"].as_array_mut().unwrap();
    list.retain(|mount| mount["destination"] != "/dev");
    let dev = bundle.root().join("dev");
    fs::create_dir(&dev).unwrap();
    fs::write(dev.join("console"), "").unwrap();
    symlink(&canary, dev.join("link")).unwrap();
    // The mount goes with the file that it covers, under whichever name.
    bundle.set_script("grep -c -E ' /dev/(console|link) ' /proc/self/mountinfo; true");
    bundle.write_config();
    let before = mounts();
    while_exchanging(&dev.join("console"), &dev.join("link"), || {
        attempts(usual(), || {
            let output = bundle.ocirun(&["run", &bundle.id]);
            if output.status.success() {
                assert_eq!(stdout(&output), "1");
            }
            assert_eq!(mounts(), before);
            output.status.success()
        });
    });
    assert_eq!(fs::read_to_string(&canary).unwrap(), "canary");
}

/// A copy of ocirun that may be lost, on a file system that can be written.
struct Copy {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Copy {
    fn new(bundle: &Bundle) -> Self {
        let path = bundle.path().join("ocirun");
        fs::copy(programs::path("ocirun"), &path).unwrap();
        Self { bytes: fs::read(&path).unwrap(), path }
    }

    fn run(&self, bundle: &Bundle, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.path);
        command.arg("--root").arg(bundle.state_root()).args(arguments).current_dir(bundle.path());
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn assert_unchanged(&self) {
        assert!(fs::read(&self.path).unwrap() == self.bytes, "the executable has changed");
    }
}

/// Looks for processes that execute neither our shell nor its like, as far as the kernel lets it;
/// writes to what they execute as soon as they no longer do. What came of it is in /dev/shm.
const LURKS: &str = "cd /proc; :> /dev/shm/reached; :> /dev/shm/won; echo > /ready
    while :; do for p in [0-9]*; do
        { command exec 3< $p/exe; } 2>/dev/null || continue
        test self/fd/3 -ef /bin/busybox && continue
        echo $p >> /dev/shm/reached
        while test $p/exe -ef self/fd/3; do :; done
        { echo x >> self/fd/3; } 2>/dev/null && echo $p >> /dev/shm/won
    done; done";

/// A container that runs the loop above with some capabilities.
struct Lurker {
    bundle: Bundle,
    copy: Copy,
    /// Its /dev/shm, as the host sees it.
    notes: PathBuf,
}

impl Lurker {
    fn start(mut bundle: Bundle, capabilities: &[&str]) -> Self {
        let copy = Copy::new(&bundle);
        let ready = bundle.root().join("ready");
        nix::unistd::mkfifo(&ready, nix::sys::stat::Mode::S_IRWXU).unwrap();
        bundle.config["process"]["capabilities"] =
            json!({"bounding": capabilities, "permitted": capabilities, "effective": capabilities});
        bundle.set_script(LURKS);
        bundle.write_config();
        bundle.quietly(&["run", "--detach", &bundle.id]).unwrap();
        fs::read_to_string(&ready).unwrap();
        let notes = PathBuf::from(format!("/proc/{}/root/dev/shm", bundle.state()["pid"]));
        Self { bundle, copy, notes }
    }

    /// Joins it.
    fn exec(&self) {
        // Looking for the program in many places takes a while, with the runtime inside.
        let path = format!("PATH={}/bin", "/nowhere:".repeat(2000));
        let id = &self.bundle.id;
        let output = self.copy.run(&self.bundle, &["exec", "--env", &path, id, "true"]);
        assert_eq!(stdout(&output), "");
    }

    fn count(&self, note: &str) -> usize {
        fs::read_to_string(self.notes.join(note)).unwrap().lines().count()
    }

    /// How often it reached a joining process.
    fn reached(&self) -> usize {
        self.count("reached")
    }

    fn assert_not_won(self) {
        assert_eq!(self.count("won"), 0, "the executable was opened for writing");
        self.bundle.delete();
        self.copy.assert_unchanged();
    }
}

const TRACER: &[&str] = &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"];

fn joined_by_many(usual: usize) {
    let lurker = Lurker::start(require!(Bundle::new()), TRACER);
    attempts(usual, || {
        lurker.exec();
        lurker.reached() > 0
    });
    lurker.assert_not_won();
}

#[test]
fn cve_2019_5736_the_executable_cannot_be_opened_for_writing() {
    joined_by_many(usual());
}

#[test]
#[ignore = "long"]
fn cve_2019_5736_the_executable_cannot_be_opened_for_writing_in_500_execs() {
    joined_by_many(500);
}

#[test]
fn cve_2016_9962_who_joins_cannot_be_looked_into() {
    // Root in the container, without the capability to trace: what a container has by default.
    let lurker = Lurker::start(require!(Bundle::new()), &["CAP_KILL"]);
    for _ in 0..usual() {
        lurker.exec();
    }
    assert_eq!(lurker.reached(), 0);
    lurker.assert_not_won();
}

#[test]
fn cve_2019_5736_an_interpreter_that_is_the_runtime_changes_nothing() {
    let mut bundle = require!(Bundle::new());
    let copy = Copy::new(&bundle);
    let script = bundle.root().join("bin/again");
    fs::write(&script, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bundle.config["process"]["args"] = json!(["/bin/again"]);
    bundle.write_config();
    let inode = fs::metadata(&copy.path).unwrap().ino();
    let output = copy.run(&bundle, &["run", &bundle.id]);
    // The runtime itself, inside the container: it finds no command there.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/bin/again: unknown command"), "{output:?}");
    copy.assert_unchanged();
    assert_eq!(fs::metadata(&copy.path).unwrap().ino(), inode);
    // The same by exec.
    bundle.start_sleeping();
    let output = copy.run(&bundle, &["exec", &bundle.id, "/bin/again"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown command"), "{output:?}");
    copy.assert_unchanged();
}
