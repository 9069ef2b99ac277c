//! A batch in the virtual machine: a disposable kernel with every controller, whose root is the
//! host's file system.
//!
//! The guest writes its records to a folder of the host, where they are followed while it runs.
//! Whatever way it ends, every test has an outcome: those that it did not come to have failed, with
//! the end of its console.

mod initramfs;
mod qemu;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::follow::{self, End, Records};
use crate::plan::Plan;
use crate::record::Record;
use crate::sys;
use qemu::{Accelerator, Boot};

/// How long a test may take in the guest, in seconds: translated code is six times slower, and
/// the machines share the host's processors.
const DEADLINE: u64 = 400;
/// How long its kernel may take to clear what a test no longer uses, in seconds.
const GRACE: &str = "30";
/// How long a guest may take to begin.
const BOOT: Duration = Duration::from_secs(240);
/// The same for one whose instructions the processor runs.
const BOOT_KVM: Duration = Duration::from_secs(10);
/// How much of the console is shown: its last lines.
const CONSOLE_LINES: usize = 100;

/// Runs one of the scripts in `tests/vm`, which prints the path of what it has prepared.
fn prepare(script: &str, arguments: &[&OsStr]) -> Result<PathBuf, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm").join(script);
    let mut command = Command::new(&path);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|e| format!("run {}: {e}", path.display()))?;
    if !output.status.success() {
        return Err(format!("prepare the virtual machine ({script}): {}", output.status));
    }
    let text = String::from_utf8(output.stdout).map_err(|e| e.to_string())?;
    Ok(PathBuf::from(text.trim_end()))
}

/// A directory with packages that only the guests need; `cache` keeps it for the next run.
pub(crate) fn layer(cache: &Path) -> Result<PathBuf, String> {
    prepare("layer", &[cache.as_os_str()])
}

/// A kernel that `tests/vm/kernel` has prepared.
#[derive(Clone)]
pub(crate) struct Kernel {
    directory: PathBuf,
}

impl Kernel {
    /// `which` is `oldest` or `newest`; `cache` keeps it for the next run.
    pub(crate) fn prepare(which: &str, cache: &Path) -> Result<Self, String> {
        Ok(Self { directory: prepare("kernel", &[OsStr::new(which), cache.as_os_str()])? })
    }

    /// Its release, as `uname -r` says it.
    pub(crate) fn release(&self) -> String {
        let modules = std::fs::read_dir(self.directory.join("lib/modules"));
        let mut names = modules.into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.next().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A guest to be booted.
pub(crate) struct Machine {
    pub(crate) kernel: Kernel,
    pub(crate) layer: PathBuf,
    /// Whether Debian's systemd is its first process.
    pub(crate) systemd: bool,
}

impl Machine {
    /// What the place is called in reports: `vm-6.1`.
    pub(crate) fn place(&self) -> String {
        let release = self.kernel.release();
        let series = release.split('.').take(2).collect::<Vec<_>>().join(".");
        if self.systemd { "systemd".to_owned() } else { format!("vm-{series}") }
    }
}

/// Boots a machine, runs a plan in it and passes on every record. The answer says how it ended, if
/// not as it should.
pub(crate) fn run(
    machine: &Machine,
    plan: &Plan,
    folder: &Path,
    mut take: impl FnMut(&Record),
) -> Result<Option<String>, String> {
    let out = folder.join("out");
    std::fs::create_dir_all(&out).map_err(|e| format!("create {}: {e}", out.display()))?;
    plan.write(&out.join("plan"))?;
    let kernel = &machine.kernel.directory;
    let image = folder.join("initramfs");
    let init = programs().join("guest-init");
    initramfs::write(&image, &init, &kernel.join("boot"), &config(machine, plan)?)?;
    let console = folder.join("console");
    let vmlinuz = kernel.join("vmlinuz");
    let boot = Boot {
        kernel: &vmlinuz,
        initramfs: &image,
        layer: &machine.layer,
        out: &out,
        console: &console,
    };

    let mut accelerator = Accelerator::available();
    loop {
        let mut records = Records::create(&out.join("records"))?;
        let mut command = qemu::command(&boot, accelerator);
        sys::dies_with_parent(&mut command);
        let mut child = command.spawn().map_err(|e| format!("run qemu-system-x86_64: {e}"))?;
        let silence = |last: Option<&Record>| match (last, accelerator) {
            (None, Accelerator::Kvm) => BOOT_KVM,
            (None, Accelerator::Tcg) => BOOT,
            (Some(_), _) => Duration::from_secs(plan.deadline(DEADLINE) + 60),
        };
        let mut last = None;
        let end = follow::follow(&mut child, &mut records, silence, |record| {
            last = Some(record.clone());
            take(record);
        })?;
        if last.is_none() && accelerator == Accelerator::Kvm {
            println!("{}: no answer under KVM: going on without it", machine.place());
            accelerator = Accelerator::Tcg;
            continue;
        }
        let done = last == Some(Record::Done);
        return Ok((!done).then(|| explain(&end, last.as_ref(), &console)));
    }
}

fn programs() -> PathBuf {
    std::env::var_os("FLOTILLA_PROGRAMS").map(PathBuf::from).unwrap_or_default()
}

/// What `guest-init` is to do.
fn config(machine: &Machine, plan: &Plan) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|e| format!("find this program: {e}"))?;
    let kernel = &machine.kernel;
    let modules = kernel.directory.join("lib/modules");
    let mut text = format!("modules {}\n", modules.display());
    if machine.systemd {
        text.push_str("systemd yes\n");
    }
    for (name, value) in [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("TERM", "dumb"),
        ("FLOTILLA_SCRATCH", "/flotilla/scratch"),
        ("FLOTILLA_VM", &kernel.release()),
        ("FLOTILLA_PROGRAMS", &programs().to_string_lossy()),
    ] {
        let _ = writeln!(text, "env {name}={value}");
    }
    let _ = writeln!(text, "run {}", own.display());
    // What a developer says to a test.
    for name in ["FLOTILLA_FAULTS", "FLOTILLA_SEED"] {
        if let Ok(value) = std::env::var(name) {
            let _ = writeln!(text, "env {name}={value}");
        }
    }
    let deadline = plan.deadline(DEADLINE).to_string();
    let options = [
        ("clean", "yes"),
        ("deadline", &deadline),
        ("grace", GRACE),
        ("plan", "/flotilla/out/plan"),
        ("records", "/flotilla/out/records"),
        ("logs", "/flotilla/logs"),
    ];
    let _ = writeln!(text, "run place");
    for (name, value) in options {
        let _ = writeln!(text, "run --{name}\nrun {value}");
    }
    Ok(text)
}

fn explain(end: &End, last: Option<&Record>, console: &Path) -> String {
    let when = match last {
        None => "before its first test".to_owned(),
        Some(Record::Started { test }) => format!("in {test}"),
        Some(_) => "between two tests".to_owned(),
    };
    let how = match end {
        End::Exited(status) => format!("the guest ended too early ({status})"),
        End::Silent(time) => format!("the guest wrote nothing for {} s", time.as_secs()),
    };
    let text = std::fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().collect::<Vec<_>>();
    let shown = lines.get(lines.len().saturating_sub(CONSOLE_LINES)..).unwrap_or_default();
    format!("{how} {when} (below: the end of its console)\n{}", shown.join("\n"))
}
