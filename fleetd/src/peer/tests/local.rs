//! The unix socket: both ends are ours here.

use super::fixture::{GET, TABLE, greeting, hosts_are_admins};
use crate::peer::access::guard_by;
use crate::peer::limits::Limits;
use crate::peer::local::{admit, serve};
use crate::sys::socket::peer_groups;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn the_kernel_names_the_groups_of_who_connects() {
    let (_one, other) = UnixStream::pair().unwrap();
    let groups: Vec<u32> =
        nix::unistd::getgroups().unwrap().into_iter().map(|group| group.as_raw()).collect();
    assert_eq!(peer_groups(&other).unwrap(), groups);
    let own = nix::unistd::geteuid().as_raw();
    assert_eq!(admit(&other, None).unwrap(), (own, true));
}

#[tokio::test]
async fn who_is_let_in_is_an_admin_and_speaks_for_nobody_else() {
    let path = std::env::temp_dir().join(format!("flotilla-peer-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let (limits, stop) = (Limits::default(), CancellationToken::new());
    let router = guard_by(&TABLE, greeting(), &limits, hosts_are_admins());
    let server = tokio::spawn(serve(listener, None, router, limits, stop.clone()));
    let ask = async |text: String| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let with =
        |line: &str| GET.replace("\r\n\r\n", &format!("\r\nConnection: close{line}\r\n\r\n"));
    assert!(ask(with("")).await.ends_with("hello"));
    let refused = ask(with("\r\nFlotilla-On-Behalf-Of: admin/anna")).await;
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    let refused = ask(with("").replace("/view", "/v1/peer/x")).await;
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    stop.cancel();
    server.await.unwrap();
    std::fs::remove_file(&path).unwrap();
}
