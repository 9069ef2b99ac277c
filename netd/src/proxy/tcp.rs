//! One TCP port: accepts, connects to the container, splices.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a container may take to accept; it is on this host.
const CONNECT: Duration = Duration::from_secs(5);
/// Rest after an accept that failed, such as for want of descriptors.
const REST: Duration = Duration::from_millis(100);
/// Connections at a time through one port.
const LIMIT: usize = 4096;

/// Serves until it is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, target: watch::Receiver<SocketAddr>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < LIMIT => match accepted {
                Ok((client, _)) => {
                    let target = *target.borrow();
                    connections.spawn(splice(client, target));
                }
                Err(_) => tokio::time::sleep(REST).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Passes bytes both ways until both sides have said that they are done. Neither end's error is
/// anybody's fault here: the other end sees its connection end.
async fn splice(mut client: TcpStream, target: SocketAddr) {
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(target)).await;
    let Ok(Ok(mut container)) = connected else {
        // Reset, as the kernel would answer for a container that does not listen.
        let _ = client.set_zero_linger();
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = container.set_nodelay(true);
    let _ = tokio::io::copy_bidirectional(&mut client, &mut container).await;
}
