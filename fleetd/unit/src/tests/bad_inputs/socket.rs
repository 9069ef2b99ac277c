//! Virtual addresses.

use super::*;

#[test]
fn of_a_socket() {
    let cases: &[Case] = &[
        (
            "ListenStream=/run/web.sock",
            "4: ListenStream=/run/web.sock: a path is of one host, and this is of the fleet: PORT or ADDRESS:PORT",
        ),
        (
            "ListenDatagram=@web",
            "4: ListenDatagram=@web: a path is of one host, and this is of the fleet: PORT or ADDRESS:PORT",
        ),
        (
            "ListenStream=vsock::80",
            "4: ListenStream=vsock::80: a vsock is of one host, and this is of the fleet: PORT or ADDRESS:PORT",
        ),
        ("ListenStream=http", "4: ListenStream=http: \"http\" is no port: 1 to 65535"),
        ("ListenStream=0", "4: ListenStream=0: \"0\" is no port: 1 to 65535"),
        (
            "ListenStream=80-81",
            "4: ListenStream=80-81: \"80-81\" is more than one port: write a line for each",
        ),
        (
            "ListenStream=0.0.0.0:81",
            "4: ListenStream=0.0.0.0:81: 0.0.0.0 is every address, and this has one of its own: PORT alone",
        ),
        (
            "ListenStream=fd00::1:81",
            "4: ListenStream=fd00::1:81: \"fd00::1\" is no address: 192.0.2.1 or [2001:db8::1]",
        ),
        (
            "ListenStream=127.0.0.1:81",
            "4: ListenStream=127.0.0.1:81: 127.0.0.1 is no address that one can have for itself",
        ),
        ("ListenStream=80", "4: ListenStream=80 stands there twice"),
        (
            "ListenStream=10.0.0.1:81\nListenDatagram=10.0.0.2:81",
            "5: 10.0.0.2 is the second virtual address of its family",
        ),
        (
            "ListenFIFO=/run/x",
            "4: ListenFIFO=/run/x: it is of one host, and this is of the fleet: ListenStream=PORT or ListenDatagram=PORT",
        ),
        (
            "Accept=yes",
            "4: Accept=yes: it takes no: a program for every connection is not there yet",
        ),
        (
            "Service=web.service",
            "4: Service=web.service: a .service does not answer: name a .container",
        ),
        (
            "Service=web",
            "4: Service=web: read unit name \"web\": it needs a suffix, such as .container",
        ),
        ("Service=", "4: nobody answers: [Socket] needs Service=, or [X-Fleet] Selector="),
        (
            "FileDescriptorName=80",
            "4: FileDescriptorName=80: \"80\" is no name of a port: 1 to 15 of a-z 0-9 and single - inside, with a letter",
        ),
        (
            "FileDescriptorName=http\nListenStream=81",
            "4: FileDescriptorName= names one port, and ListenStream= has several",
        ),
        ("ListenStream=\n[X-Fleet]", "4: [Socket] needs ListenStream= or ListenDatagram="),
        ("[X-Fleet]\nSelector=role=web", "5: Service= and Selector=: write one of them"),
        (
            "Service=\n[X-Fleet]\nSelector=role=web\nActivate=yes",
            "7: Activate=yes needs Service=: a selector names nothing that could be started",
        ),
        (
            "Service=\n[X-Fleet]\nSelector=a=b a=c",
            "6: Selector= has a twice, and a unit has it once",
        ),
        (
            "[X-Fleet]\nSelector=web",
            "5: Selector=web: \"web\" is no label: KEY=VALUE, each of 1 to 63 of a-z A-Z 0-9 . _ - /",
        ),
        (
            "ListenDatagram=80\n[X-Fleet]\nActivate=yes",
            "6: Activate=yes goes with ListenStream= alone: a datagram is no connection that could wait",
        ),
        ("[X-Fleet]\nTargetPort=81:8080", "5: TargetPort=81:8080: nothing listens on 81"),
        (
            "[X-Fleet]\nTargetPort=8080 8081",
            "5: TargetPort= names two ports: write PORT:TARGET for each",
        ),
        (
            "[X-Fleet]\nTargetPort=80:8080 8081",
            "5: TargetPort= names two ports: write PORT:TARGET for each",
        ),
        ("[X-Fleet]\nTargetPort=80:1 80:2", "5: TargetPort= names 80 twice"),
        (
            "ListenStream=81\n[X-Fleet]\nTargetPort=8080",
            "6: TargetPort=8080: there are several ports: write PORT:8080",
        ),
        (
            "[X-Fleet]\nNetwork=host",
            "5: Network=host: a virtual address is of a network: bridge, NAME or NAME.network",
        ),
        (
            "[X-Fleet]\nNetwork=a:ip=10.0.0.1",
            "5: Network=a:ip=10.0.0.1: \"a:ip=10.0.0.1\" is no name of a network: 1 to 63 of a-z 0-9 -, neither host nor none",
        ),
        ("[X-Fleet]\nBalance=least", "5: Balance=least: it takes random, source or stable"),
        ("[X-Fleet]\nAffinity=0", "5: Affinity=0: it takes a time over 0"),
        ("[X-Fleet]\nActivate=yes\nIdleSec=0", "6: IdleSec=0: it takes a time over 0, or infinity"),
        (
            "[X-Fleet]\nDrainSec=infinity",
            "5: DrainSec=infinity: it takes a time that ends, such as 30 or 1min 30s",
        ),
    ];
    check("web.socket", "[Socket]\nListenStream=80\nService=web@.container\n", cases);
    let text = "[Socket]\nListenStream=80\nService=a.container\n";
    assert_eq!(
        told("Web:1.socket", text),
        [
            "Web:1.socket: \"Web:1\" is to be its DNS name, which is labels of a-z 0-9 _ -, joined by dots"
        ]
    );
}
