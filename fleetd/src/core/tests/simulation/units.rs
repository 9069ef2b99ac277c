//! The unit files of the simulated fleets: every way in which units hang together and end.

use crate::core::unit::container::Service;
use crate::core::unit::{self, HostFacts, UnitName};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Restarts for ever: when all is healed it runs, whatever happened to it.
const ALWAYS: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=1\n";

/// Names, and two files for each.
const UNITS: &[(&str, [&str; 2])] = &[
    ("always.container", ["[Service]\nLoadCredential=db\n", "[X-Fleet]\nMachineMetadata=zone=a\n"]),
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
        [
            "[Service]\nLoadCredential=db\n[X-Fleet]\nGlobal=yes\n",
            "[X-Fleet]\nGlobal=yes\nMachineMetadata=zone=b\n",
        ],
    ),
    (
        "web@.container",
        [
            "[Service]\nLoadCredential=key-%i\n[X-Fleet]\nReplicas=2\n",
            "[X-Fleet]\nReplicas=3\nConflicts=web@*.container\n",
        ],
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
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) hash: String,
    pub(crate) service: Arc<Service>,
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

/// Of the secrets that the files name, and of one that none does.
pub(crate) const SECRETS: [&str; 4] = ["db", "key-1", "key-2", "unused"];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    UNITS.iter().map(|(name, _)| *name)
}

/// One of the two files of a unit.
pub(crate) fn of(name: &str, second: bool) -> &'static File {
    files().iter().filter(|file| file.name == name).nth(usize::from(second)).unwrap()
}

pub(crate) fn service(hash: &str) -> Arc<Service> {
    let known = files().iter().find(|file| file.hash == hash).map(|file| Arc::clone(&file.service));
    known.unwrap_or_else(|| VARIANTS.with_borrow(|variants| Arc::clone(&variants[hash])))
}

thread_local! {
    static VARIANTS: RefCell<BTreeMap<String, Arc<Service>>> = RefCell::default();
}

/// One of the two files of a unit as nobody has had it yet.
pub(crate) fn variant(name: &'static str, second: bool, number: usize) -> File {
    let file = of(name, second);
    let text = format!("# {number}\n{}", file.text);
    let (hash, service) = (unit::hash(&text, &BTreeMap::new()), Arc::clone(&file.service));
    VARIANTS.with_borrow_mut(|variants| variants.insert(hash.clone(), Arc::clone(&service)));
    File { name, text, hash, service }
}

/// Whether it runs on many hosts at a time.
pub(crate) fn is_global(name: &str) -> bool {
    name == "every.container"
}
