//! Every key of a `.container` that is honoured. Adding one is one line here: its section and name,
//! what its value does to the draft, and the sentence that `docs/units.md` has for it.

use super::assign::Value;
use super::draft::Draft;
use super::keys_not_yet::{NOT_YET, OF_UNIT, REFUSED};
use super::table::{Alias, Key, Table, key};
use fleetd_api::UnitKind;

pub const UNIT: &str = "Unit";
pub const CONTAINER: &str = "Container";
pub const SERVICE: &str = "Service";
pub const INSTALL: &str = "Install";
pub const FLEET: &str = "X-Fleet";

pub static TABLE: Table<Draft> = Table {
    kind: UnitKind::Container,
    sections: &[UNIT, CONTAINER, SERVICE, INSTALL, FLEET],
    keys: KEYS,
    aliases: ALIASES,
    not_yet: &[OF_UNIT, NOT_YET],
    refused: REFUSED,
};

/// What the fleet asks for before there is a host.
pub fn is_of_the_fleet(section: &str, key: &str) -> bool {
    const FROM_CONTAINER: &[&str] =
        &["PublishPort", "Secret", "Network", "NetworkAlias", "IP", "IP6"];
    section == FLEET || key == "LoadCredential" || FROM_CONTAINER.contains(&key)
}

#[rustfmt::skip]
pub const KEYS: &[Key<Draft>] = &[
    key(UNIT, "Description", |u, v| v.put(&mut u.description, Value::text), "What the unit is, in words; the default is its name."),
    key(UNIT, "Documentation", |_, v| v.words().map(drop), "Where to read about it: kept in the file for its readers."),
    key(UNIT, "After", |_, v| v.ordering(), "What every running host has reached, such as `network-online.target`; other names are not waited for yet."),
    key(UNIT, "Wants", |_, v| v.ordering(), "As `After=`."),
    key(UNIT, "Requires", |_, v| v.ordering(), "As `After=`."),
    key(UNIT, "StartLimitIntervalSec", |u, v| v.put(&mut u.start_limit_interval, Value::span), "The time in which starts are counted; 0 counts none. Default `10s`."),
    key(UNIT, "StartLimitBurst", |u, v| v.put(&mut u.start_limit_burst, Value::number), "How many starts in that time are one too few to give up. Default 5; 0 is without a limit."),

    key(CONTAINER, "Image", |u, v| v.put(&mut u.image, Value::name), "The image: a name that was imported or a reference to a registry. Required."),
    key(CONTAINER, "Exec", |u, v| v.put(&mut u.exec, Value::words), "The command, in place of the image's; words as in systemd's `ExecStart=`: `${NAME}`, and `$NAME` as a word of its own, are the program's variables; `$$` is a dollar sign."),
    key(CONTAINER, "Entrypoint", |u, v| v.put(&mut u.entrypoint, Value::command), "What stands before the command, in place of the image's: words or a JSON array."),
    key(CONTAINER, "Environment", |u, v| v.add(&mut u.environment, Value::environment), "`NAME=VALUE` words; a later one wins. Repeatable."),
    key(CONTAINER, "EnvironmentFile", |u, v| v.add(&mut u.environment_files, Value::environment_file), "A file of the host with `NAME=VALUE` lines, read at every start, before `Environment=`; `-` in front: it may be missing. Repeatable."),
    key(CONTAINER, "PublishPort", |u, v| v.add(&mut u.ports, Value::ports), "`[IP:]HOST:CONTAINER[/udp]`, ranges too: a port of the host that leads to the container. Repeatable."),
    key(CONTAINER, "Volume", |u, v| v.add(&mut u.volumes, Value::volume), "`SOURCE:TARGET[:ro]`: a directory or file of the host. Repeatable; named volumes are not there yet."),
    key(CONTAINER, "Secret", |u, v| v.add(&mut u.secrets, Value::secret_file), "`NAME[,target=FILE][,uid=UID][,gid=GID][,mode=MODE]`: a secret of the fleet (`fleetctl secret set NAME`) as the file `/run/secrets/NAME`, in memory; default of the mode `0444`. Repeatable."),
    key(CONTAINER, "User", |u, v| v.put(&mut u.user, Value::name), "`USER[:GROUP]`, names of the image or numbers, in place of the image's."),
    key(CONTAINER, "Group", |u, v| v.put(&mut u.group, Value::name), "The group to `User=`."),
    key(CONTAINER, "WorkingDir", |u, v| v.put(&mut u.working_dir, Value::path), "The directory in which the command starts, in place of the image's."),
    key(CONTAINER, "ReadOnly", |u, v| v.put(&mut u.read_only, Value::boolean), "The root file system cannot be written. Default no."),
    key(CONTAINER, "Network", |u, v| v.add(&mut u.networks, Value::networks), "A network: `bridge` (every fleet has it; the default), `NAME.network` (a unit) or `NAME` (a network's own name); or `host` (the host's network), `none` (loopback only), alone. Behind a colon options: `ip=ADDRESS` (of each family one), `mac=ADDRESS`, `alias=NAME` (repeatable), `interface_name=NAME`, as in `front.network:ip=10.1.2.3,alias=db`. Repeatable, up to 8."),
    key(CONTAINER, "NetworkAlias", |u, v| v.add(&mut u.network_aliases, Value::dns_names), "Further DNS names, on all of its networks. Repeatable."),
    key(CONTAINER, "IP", |u, v| v.put(&mut u.ip, Value::ipv4), "Its IPv4 address, where it is on exactly one network."),
    key(CONTAINER, "IP6", |u, v| v.put(&mut u.ip6, Value::ipv6), "Its IPv6 address, likewise."),
    key(CONTAINER, "DNS", |u, v| v.add(&mut u.dns, Value::name_servers), "Name servers, up to 3, in place of the fleet's, which knows the fleet's names; `none`: the image's `/etc/resolv.conf` stays. Repeatable."),
    key(CONTAINER, "DNSSearch", |u, v| v.add(&mut u.dns_search, Value::search_domains), "Domains in which short names are looked up, in place of the fleet's; `.`: none. Repeatable."),
    key(CONTAINER, "DNSOption", |u, v| v.add(&mut u.dns_options, Value::resolver_options), "Options of resolv.conf(5), such as `ndots:2`. Repeatable."),
    key(CONTAINER, "AddHost", |u, v| v.add(&mut u.hosts, Value::host_entry), "`NAME:ADDRESS`: a line of `/etc/hosts`; `host-gateway` in place of the address is that of its host. Repeatable."),
    key(CONTAINER, "HostName", |u, v| v.put(&mut u.hostname, Value::hostname), "Its hostname, up to 64 bytes, in place of the unit's name."),
    key(CONTAINER, "HealthCmd", |u, v| v.put(&mut u.health_cmd, Value::health_command), "Run in the container; it is healthy when this ends with 0. A JSON array is run as it is, other text by `/bin/sh -c`; `none`: no check."),
    key(CONTAINER, "HealthInterval", |u, v| v.put(&mut u.health_interval, Value::positive_span), "Time between checks. Default `30s`."),
    key(CONTAINER, "HealthTimeout", |u, v| v.put(&mut u.health_timeout, Value::positive_span), "A check that takes longer has failed. Default `30s`."),
    key(CONTAINER, "HealthRetries", |u, v| v.put(&mut u.health_retries, Value::positive), "As many failures in a row make it unhealthy. Default 3."),
    key(CONTAINER, "HealthStartPeriod", |u, v| v.put(&mut u.health_start_period, Value::span), "Failures in this time after the start do not count. Default 0."),
    key(CONTAINER, "Notify", |u, v| v.put(&mut u.kind, Value::notify), "`true` is `Type=notify`."),
    key(CONTAINER, "StopSignal", |u, v| v.put(&mut u.stop_signal, Value::signal), "The signal that asks the program to end. Default: the image's, else `SIGTERM`."),
    key(CONTAINER, "StopTimeout", |u, v| v.put(&mut u.timeout_stop, Value::timeout), "As `TimeoutStopSec=`."),
    key(CONTAINER, "Memory", |u, v| v.put(&mut u.memory_max, Value::memory), "As `MemoryMax=`."),
    key(CONTAINER, "PidsLimit", |u, v| v.put(&mut u.tasks_max, Value::pids), "As `TasksMax=`; -1 is without a limit."),

    key(SERVICE, "Type", |u, v| v.put(&mut u.kind, Value::service_type), "When the unit is active: `simple`, `exec`: the program runs; `notify`: it says so through `NOTIFY_SOCKET`; `oneshot`: it has ended well. Default `simple`."),
    key(SERVICE, "RemainAfterExit", |u, v| v.put(&mut u.remain_after_exit, Value::boolean), "The unit stays active when the program has ended well. Default no."),
    key(SERVICE, "Restart", |u, v| v.put(&mut u.restart, Value::restart), "After which ends the program is started again: `no`, `always`, `on-success`, `on-failure`, `on-abnormal`, `on-abort`, `on-watchdog`. Default `no`."),
    key(SERVICE, "RestartSec", |u, v| v.put(&mut u.restart_sec, Value::span), "The wait before a restart. Default `100ms`."),
    key(SERVICE, "RestartSteps", |u, v| v.put(&mut u.restart_steps, Value::number), "In how many restarts the wait grows to `RestartMaxDelaySec=`. Default 0: it does not."),
    key(SERVICE, "RestartMaxDelaySec", |u, v| v.put(&mut u.restart_max_delay, Value::timeout), "The longest wait before a restart."),
    key(SERVICE, "TimeoutStartSec", |u, v| v.put(&mut u.timeout_start, Value::timeout), "How long a start may take; `infinity` or 0: for ever. Default `90s`; of a oneshot, `infinity`."),
    key(SERVICE, "TimeoutStopSec", |u, v| v.put(&mut u.timeout_stop, Value::timeout), "How long after the stop signal everything in the container is killed; `infinity` or 0: never. Default `10s`, as podman's."),
    key(SERVICE, "TimeoutSec", |u, v| { v.put(&mut u.timeout_start, Value::timeout)?; v.put(&mut u.timeout_stop, Value::timeout) }, "`TimeoutStartSec=` and `TimeoutStopSec=` in one."),
    key(SERVICE, "KillSignal", |u, v| v.put(&mut u.stop_signal, Value::signal), "As `StopSignal=`."),
    key(SERVICE, "StartLimitInterval", |u, v| v.put(&mut u.start_limit_interval, Value::span), "systemd's older name of `StartLimitIntervalSec=`."),
    key(SERVICE, "StartLimitBurst", |u, v| v.put(&mut u.start_limit_burst, Value::number), "As in `[Unit]`."),
    key(SERVICE, "LoadCredential", |u, v| v.add(&mut u.loaded, Value::loaded_credential), "`ID[:SECRET]`: a secret of the fleet (`fleetctl secret set SECRET`) as the file `$CREDENTIALS_DIRECTORY/ID`, in memory, for the program's user only; `ID:/PATH`: a file of the host. As it is at the start. Repeatable."),
    key(SERVICE, "SetCredential", |u, v| v.add(&mut u.set, Value::set_credential), "`ID:VALUE`, with C escapes: the same from the unit file, which is no place for secrets; for where `LoadCredential=` finds none. Repeatable."),
    key(SERVICE, "MemoryMax", |u, v| v.put(&mut u.memory_max, Value::memory), "Memory that the container may use: bytes, `512M`, a part of the host's (`25%`), or `infinity`."),
    key(SERVICE, "CPUQuota", |u, v| v.put(&mut u.cpu_quota, Value::cpu_quota), "CPU time per wall time: `50%` is half a CPU, `200%` two."),
    key(SERVICE, "TasksMax", |u, v| v.put(&mut u.tasks_max, Value::tasks), "Processes and threads: a number, a part of what the kernel allows (`10%`), or `infinity`."),

    key(INSTALL, "WantedBy", |_, v| v.words().map(drop), "Taken as it is: what was started is started again with its host."),
    key(INSTALL, "RequiredBy", |_, v| v.words().map(drop), "As `WantedBy=`."),

    key(FLEET, "MachineID", |u, v| v.put(&mut u.rules.machine_id, Value::machine_id), "The one host, by its whole machine id. Not with `MachineOf=`, `Conflicts=`, `Global=`, `Replaces=`."),
    key(FLEET, "MachineOf", |u, v| v.add(&mut u.rules.machine_of, Value::units), "Units by their full names: it runs where they run, and nowhere while one of them has no place. Repeatable."),
    key(FLEET, "MachineMetadata", |u, v| v.add(&mut u.rules.machine_metadata, Value::metadata), "`KEY=VALUE` words that a host has in its metadata, letter by letter: of one key one of the values, and that for every key. Repeatable."),
    key(FLEET, "Conflicts", |u, v| v.add(&mut u.rules.conflicts, Value::globs), "Globs of units that are not on its host, whichever came first; its own name does not count. Repeatable."),
    key(FLEET, "Global", |u, v| v.put(&mut u.rules.global, Value::boolean), "One on every host that fits. Not with `MachineID=`, `MachineOf=`, `Replaces=`, `Replicas=`. Default no."),
    key(FLEET, "Replaces", |u, v| v.add(&mut u.rules.replaces, Value::globs), "Globs of units whose place it takes; they get another. Repeatable."),
    key(FLEET, "Replicas", |u, v| v.put(&mut u.rules.replicas, Value::replicas), "Of a template: how many instances there are, `NAME@1` and so on; 0 to 10000. Without it those that are started by name."),
    key(FLEET, "Spread", |u, v| v.add(&mut u.rules.spread, Value::spread), "What the instances of a template are spread over, as far as that can be: `host`, or keys of metadata such as `zone`. Repeatable."),
    key(FLEET, "Prefer", |u, v| v.add(&mut u.rules.prefer, Value::prefer), "`KEY=VALUE[:WEIGHT]` words: metadata that makes a host better, or worse with a weight under 0; -100 to 100, default 10. Repeatable."),
    key(FLEET, "Priority", |u, v| v.put(&mut u.rules.priority, Value::priority), "Where there is too little room, units of a lower one make way: -2147483648 to 2147483647, default 0."),
    key(FLEET, "Label", |u, v| v.add(&mut u.labels, Value::labels), "`KEY=VALUE` words by which `.socket` units and a network's `Allow=` choose it; a later one of a key wins. Repeatable."),
    key(FLEET, "Singleton", |u, v| v.put(&mut u.rules.strict, Value::singleton), "What happens when its host is cut off. `available`, the default: it goes on there, and after a grace runs elsewhere too until the host is back. `strict`: not honoured yet."),
];

/// fleet's until its version 0.8.
pub const ALIASES: &[Alias] = &[
    Alias { section: FLEET, old: "X-ConditionMachineID", name: "MachineID" },
    Alias { section: FLEET, old: "X-ConditionMachineOf", name: "MachineOf" },
    Alias { section: FLEET, old: "X-ConditionMachineMetadata", name: "MachineMetadata" },
    Alias { section: FLEET, old: "X-Conflicts", name: "Conflicts" },
];
