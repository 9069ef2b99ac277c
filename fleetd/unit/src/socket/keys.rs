//! Every key of a `.socket`.

use super::draft::SocketDraft;
use crate::assign::Value;
use crate::keys::{FLEET, INSTALL, UNIT};
use crate::keys_not_yet::OF_UNIT;
use crate::table::{Key, NotYet, Refused, Table, key, not_yet, refused};
use fleetd_api::UnitKind;

pub const SOCKET: &str = "Socket";

pub static TABLE: Table<SocketDraft> = Table {
    kind: UnitKind::Socket,
    sections: &[UNIT, SOCKET, INSTALL, FLEET],
    keys: KEYS,
    aliases: &[],
    not_yet: &[OF_UNIT, NOT_YET],
    refused: REFUSED,
};

#[rustfmt::skip]
pub const KEYS: &[Key<SocketDraft>] = &[
    key(UNIT, "Description", |u, v| v.put(&mut u.description, Value::text), "What the service is, in words; the default is its name."),
    key(UNIT, "Documentation", |_, v| v.words().map(drop), "Where to read about it."),
    key(UNIT, "After", |_, v| v.ordering(), "As of a container."),
    key(UNIT, "Wants", |_, v| v.ordering(), "As of a container."),
    key(UNIT, "Requires", |_, v| v.ordering(), "As of a container."),

    key(SOCKET, "ListenStream", |u, v| v.add(&mut u.listen, Value::listen_stream), "`PORT` or `ADDRESS:PORT`: a TCP port of the virtual address, which the fleet chooses unless it is named (IPv6 in brackets; of each family one). Repeatable."),
    key(SOCKET, "ListenDatagram", |u, v| v.add(&mut u.datagrams, Value::listen_datagram), "The same of UDP. Repeatable."),
    key(SOCKET, "Service", |u, v| v.put(&mut u.service, Value::service), "Who answers: `web@.container` (all instances of a template) or one `.container`."),
    key(SOCKET, "Accept", |_, v| v.accept(), "Only `no`: one program has many connections."),
    key(SOCKET, "FileDescriptorName", |u, v| v.put(&mut u.port_name, Value::port_name), "What the port is called in DNS: `http` gives the SRV record `_http._tcp.NAME`. Of TCP and of UDP it names one port each."),
    key(SOCKET, "TriggerLimitIntervalSec", |u, v| v.put(&mut u.trigger_interval, Value::span), "With `Activate=`: the time in which starts are counted; 0 counts none. Default `2s`."),
    key(SOCKET, "TriggerLimitBurst", |u, v| v.put(&mut u.trigger_burst, Value::number), "With `Activate=`: as many starts in that time are allowed; connections behind them are refused until it is over. Default 20; 0 is without a limit."),

    key(INSTALL, "WantedBy", |_, v| v.words().map(drop), "Taken as it is: a service is there once it was submitted."),
    key(INSTALL, "RequiredBy", |_, v| v.words().map(drop), "As `WantedBy=`."),

    key(FLEET, "Selector", |u, v| v.add(&mut u.selector, Value::labels), "In place of `Service=`: `KEY=VALUE` words, every unit answers that has all of them as `Label=`. Repeatable."),
    key(FLEET, "TargetPort", |u, v| v.add(&mut u.targets, Value::targets), "The container's port: `8080`, or, where there are several ports, `80:8080 443:8443`. Default: the same port. Repeatable."),
    key(FLEET, "Network", |u, v| v.put(&mut u.network, Value::network_ref), "The network on which it answers: `bridge`, `NAME.network` or `NAME`. Default `bridge`."),
    key(FLEET, "Balance", |u, v| v.put(&mut u.balance, Value::balance), "How an instance is chosen for a connection: `random`, `source` (by the client's address) or `stable` (by addresses and ports, on every host alike, so that few change when an instance comes or goes). Default `random`."),
    key(FLEET, "Affinity", |u, v| v.put(&mut u.affinity, Value::positive_span), "For so long after its last connection a client's address gets the same instance. Default: it does not."),
    key(FLEET, "Activate", |u, v| v.put(&mut u.activate, Value::boolean), "The first connection starts an instance, and waits for it. With `Service=` and TCP. Default no."),
    key(FLEET, "IdleSec", |u, v| v.put(&mut u.idle, Value::idle), "With `Activate=`: so long after the last connection has ended the instances are stopped. Default `infinity`: they are not."),
    key(FLEET, "DrainSec", |u, v| v.put(&mut u.drain, Value::span), "An instance that is to stop gets no new connections; those that it has may go on for so long before its stop signal. Default `5s`; 0: they may not."),
    key(FLEET, "NetworkAlias", |u, v| v.add(&mut u.aliases, Value::dns_names), "Further DNS names. Repeatable."),
];

#[rustfmt::skip]
const NOT_YET: &[NotYet] = &[
    not_yet(SOCKET, "SocketProtocol BindIPv6Only BindToDevice FreeBind Transparent ReusePort", "a virtual address has TCP and UDP, and is bound by nobody"),
    not_yet(SOCKET, "Backlog DeferAcceptSec MaxConnections MaxConnectionsPerSource", "connections are passed on without a count"),
    not_yet(SOCKET, "KeepAlive KeepAliveTimeSec KeepAliveIntervalSec KeepAliveProbes NoDelay Priority ReceiveBuffer SendBuffer IPTOS IPTTL Mark TCPCongestion Broadcast PassCredentials PassPIDFD PassSecurity PassPacketInfo AcceptFileDescriptors Timestamping", "the socket is the program's own, and so are its options"),
    not_yet(SOCKET, "SocketUser SocketGroup SocketMode DirectoryMode Symlinks RemoveOnStop", "there is no file"),
    not_yet(SOCKET, "SmackLabel SmackLabelIPIn SmackLabelIPOut SELinuxContextFromNet", "no label is set"),
    not_yet(SOCKET, "ExecStartPre ExecStartPost ExecStopPre ExecStopPost TimeoutSec", "the command is not run"),
    not_yet(SOCKET, "FlushPending PollLimitIntervalSec PollLimitBurst DeferTrigger DeferTriggerMaxSec", "every connection is passed on as it comes"),
    not_yet(SOCKET, "PassFileDescriptorsToExec", "the program listens itself and gets no descriptor"),
    not_yet(SOCKET, "PipeSize MessageQueueMaxMessages MessageQueueMessageSize Writable", "there are no such sockets"),
    not_yet(SOCKET, "Slice IPAddressAllow IPAddressDeny", "who may connect is the network's matter: a .network has Allow="),
];

const REFUSED: &[Refused] = &[
    refused(SOCKET, "ListenSequentialPacket", no_port),
    refused(SOCKET, "ListenFIFO", no_port),
    refused(SOCKET, "ListenSpecial", no_port),
    refused(SOCKET, "ListenNetlink", no_port),
    refused(SOCKET, "ListenMessageQueue", no_port),
    refused(SOCKET, "ListenUSBFunction", no_port),
];

fn no_port(_: &str) -> String {
    "it is of one host, and this is of the fleet: ListenStream=PORT or ListenDatagram=PORT"
        .to_owned()
}
