//! The unit files of the simulated fleets: every way in which units hang together and end.

use crate::core::unit::container::Service;
use crate::core::unit::{self, HostFacts, UnitName};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Restarts for ever: when all is healed it runs, whatever happened to it.
const ALWAYS: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=1\n";

/// Names, and two files for each.
const UNITS: &[(&str, [&str; 2])] = &[
    ("always.container", ["", "[X-Fleet]\nMachineMetadata=zone=a\n"]),
    ("port.container", ["[Container]\nPublishPort=80:80\n", "[Container]\nPublishPort=81:80\n"]),
    (
        "rival.container",
        [
            "[Container]\nPublishPort=80:80\n[X-Fleet]\nPriority=10\n",
            "[X-Fleet]\nConflicts=always.container\nPriority=10\n",
        ],
    ),
    (
        "job.container",
        [
            "[Service]\nType=oneshot\nRestart=no\nRemainAfterExit=yes\n",
            "[Service]\nType=oneshot\nRestart=on-failure\n",
        ],
    ),
    (
        "notify.container",
        [
            "[Service]\nType=notify\nTimeoutStartSec=3\nRestart=on-failure\n",
            "[Service]\nType=notify\nTimeoutStartSec=2\n",
        ],
    ),
    ("follows.container", ["[X-Fleet]\nMachineOf=always.container\n", ""]),
    (
        "every.container",
        ["[X-Fleet]\nGlobal=yes\n", "[X-Fleet]\nGlobal=yes\nMachineMetadata=zone=b\n"],
    ),
    (
        "web@.container",
        ["[X-Fleet]\nReplicas=2\n", "[X-Fleet]\nReplicas=3\nConflicts=web@*.container\n"],
    ),
    (
        "plain.container",
        [
            "[Unit]\nStartLimitIntervalSec=10\nStartLimitBurst=3\n[Service]\nRestart=on-failure\n",
            "",
        ],
    ),
    ("large.container", ["[Container]\nMemory=600M\n", "[Container]\nMemory=300M\n"]),
];

/// One unit file, read.
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) text: String,
    pub(super) hash: String,
    pub(super) service: Arc<Service>,
}

fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let both = UNITS.iter().flat_map(|(name, texts)| texts.map(|text| (*name, text)));
        both.zip(0..).map(|((name, text), number)| file(name, text, number)).collect()
    })
}

fn file(name: &'static str, rules: &str, number: u32) -> File {
    let text = format!("{ALWAYS}[Container]\nImage=localhost/{number}\n{rules}");
    let facts = HostFacts {
        machine_id: String::new(),
        boot_id: String::new(),
        hostname: String::new(),
        kernel_release: String::new(),
        architecture: String::new(),
        memory: 1 << 30,
        tasks: 1000,
    };
    let instance = UnitName::new(name.replace("@.", "@1.")).unwrap();
    let loaded = unit::load(&instance, &text, &BTreeMap::new(), &facts);
    let loaded = loaded.unwrap_or_else(|faults| panic!("{name}: {}", faults[0]));
    let hash = unit::hash(&text, &BTreeMap::new());
    File { name, text, hash, service: Arc::new(loaded.unit.service) }
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    UNITS.iter().map(|(name, _)| *name)
}

/// One of the two files of a unit.
pub(super) fn of(name: &str, second: bool) -> &'static File {
    files().iter().filter(|file| file.name == name).nth(usize::from(second)).unwrap()
}

pub(super) fn service(hash: &str) -> Arc<Service> {
    Arc::clone(&files().iter().find(|file| file.hash == hash).unwrap().service)
}

/// Whether it runs on many hosts at a time.
pub(super) fn is_global(name: &str) -> bool {
    name == "every.container"
}
