//! Known attacks that need somebody beside the runtime: a sibling who exchanges what is at a path, or
//! a loop inside who waits for those that join. The identifiers are those of the advisories.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flotilla_tests::{programs, require};
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
    let mut fine = 0;
    while_exchanging(&volume.join("place"), &volume.join("link"), || {
        for _ in 0..starts {
            let output = bundle.ocirun(&["run", &bundle.id]);
            // It may fail, with a reason; where the working directory lies depends on the moment.
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.is_empty() || text.starts_with('/'), "{text}");
            assert!(
                output.status.success() || output.stderr.starts_with(b"ocirun: "),
                "{output:?}"
            );
            fine += usize::from(output.status.success());
            assert_eq!(mounts(), before);
            assert_eq!(names(&canary), ["file", "null"]);
        }
    });
    assert!(fine > 0, "no start went well: nothing was tried");
    for name in ["file", "null"] {
        assert_eq!(fs::read_to_string(canary.join(name)).unwrap(), "canary");
    }
}

#[test]
fn cve_2021_30465_cve_2024_45310_an_exchanged_destination_stays_in_the_root() {
    destinations_are_exchanged(100);
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
    let mut fine = 0;
    while_exchanging(&dev.join("null"), &dev.join("link"), || {
        for _ in 0..100 {
            let output = bundle.ocirun(&["run", &bundle.id]);
            if output.status.success() {
                assert_eq!(stdout(&output), "end");
                fine += 1;
            }
        }
    });
    assert!(fine > 0, "no start went well: nothing was tried");
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
    let mut fine = 0;
    while_exchanging(&dev.join("console"), &dev.join("link"), || {
        for _ in 0..100 {
            let output = bundle.ocirun(&["run", &bundle.id]);
            if output.status.success() {
                assert_eq!(stdout(&output), "1");
                fine += 1;
            }
            assert_eq!(mounts(), before);
        }
    });
    assert!(fine > 0, "no start went well: nothing was tried");
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

/// Starts the loop above with some capabilities and joins it `execs` times. Answers how often it
/// reached a joining process, and how often it could write to its executable.
fn lurk(bundle: &mut Bundle, copy: &Copy, capabilities: &[&str], execs: usize) -> (usize, usize) {
    let ready = bundle.root().join("ready");
    nix::unistd::mkfifo(&ready, nix::sys::stat::Mode::S_IRWXU).unwrap();
    bundle.config["process"]["capabilities"] =
        json!({"bounding": capabilities, "permitted": capabilities, "effective": capabilities});
    bundle.set_script(LURKS);
    bundle.write_config();
    bundle.quietly(&["run", "--detach", &bundle.id]).unwrap();
    fs::read_to_string(&ready).unwrap();
    // Looking for the program in many places takes a while, with the runtime inside.
    let path = format!("PATH={}/bin", "/nowhere:".repeat(2000));
    for _ in 0..execs {
        let output = copy.run(bundle, &["exec", "--env", &path, &bundle.id, "true"]);
        assert_eq!(stdout(&output), "");
    }
    let counts = ["wc -l < /dev/shm/reached; wc -l < /dev/shm/won"];
    let text = stdout(&bundle.exec(&[&[bundle.id.as_str(), "sh", "-c"], &counts[..]].concat()));
    bundle.delete();
    let mut numbers = text.lines().map(|line| line.trim().parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

const TRACER: &[&str] = &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"];

#[test]
fn cve_2019_5736_the_executable_cannot_be_opened_for_writing() {
    let mut bundle = require!(Bundle::new());
    let copy = Copy::new(&bundle);
    let (reached, won) = lurk(&mut bundle, &copy, TRACER, 100);
    assert_eq!(won, 0, "it was opened for writing");
    copy.assert_unchanged();
    assert!(reached > 0, "nobody was there to see: nothing was tried");
}

#[test]
#[ignore = "long"]
fn cve_2019_5736_the_executable_cannot_be_opened_for_writing_in_500_execs() {
    let mut bundle = require!(Bundle::new());
    let copy = Copy::new(&bundle);
    let (_, won) = lurk(&mut bundle, &copy, TRACER, 500);
    assert_eq!(won, 0, "it was opened for writing");
    copy.assert_unchanged();
}

#[test]
fn cve_2016_9962_who_joins_cannot_be_looked_into() {
    let mut bundle = require!(Bundle::new());
    let copy = Copy::new(&bundle);
    // Root in the container, without the capability to trace: what a container has by default.
    let (reached, _) = lurk(&mut bundle, &copy, &["CAP_KILL"], 100);
    assert_eq!(reached, 0);
    copy.assert_unchanged();
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
