//! The example server: one static file, nothing else needed in its image.
//!
//! `GET /` says who answers and how often it has; `GET /healthz` is for health checks. `--probe`
//! asks the server on this host for its health and ends with 0 or 1, so that an image without a
//! shell or curl can have a health check. The port is `PORT` (default 8080), the greeting `HELLO`.

mod request;
mod sys;

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A client that sends nothing must not hold a thread for ever.
const PATIENCE: Duration = Duration::from_secs(10);

static ANSWERED: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let port = match std::env::var("PORT").as_deref().unwrap_or("8080").parse::<u16>() {
        Ok(port) => port,
        Err(e) => return fail(&format!("read PORT: {e}")),
    };
    let result = match std::env::args().nth(1).as_deref() {
        None => serve(port),
        Some("--probe") => probe(port),
        Some(other) => return fail(&format!("read arguments: {other:?} is not --probe")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("hello-server: {message}");
    ExitCode::FAILURE
}

fn serve(port: u16) -> io::Result<()> {
    // The first process of a container gets no default action for signals: without this a stop
    // would wait for its whole timeout.
    sys::end_on_sigterm()?;
    let listener = TcpListener::bind(("0.0.0.0", port))
        .map_err(|e| io::Error::other(format!("listen on port {port}: {e}")))?;
    println!("listening on port {port}");
    tell_ready()?;
    for connection in listener.incoming() {
        match connection {
            Ok(stream) => {
                std::thread::spawn(move || {
                    if let Err(e) = answer(stream) {
                        eprintln!("answer: {e}");
                    }
                });
            }
            Err(e) => eprintln!("accept: {e}"),
        }
    }
    Ok(())
}

/// For units of `Type=notify` (sd_notify(3)).
fn tell_ready() -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    UnixDatagram::unbound()?.send_to(b"READY=1", path)?;
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let peer = stream.peer_addr()?;
    let request = request::read(&mut stream)?;
    let (status, body) = match request.path() {
        "/" => ("200 OK", greeting(peer)),
        "/healthz" => ("200 OK", "ok\n".to_owned()),
        _ => ("404 Not Found", "nothing here\n".to_owned()),
    };
    println!("{peer} {} {status}", request.line());
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn greeting(peer: std::net::SocketAddr) -> String {
    let hello = std::env::var("HELLO").unwrap_or_else(|_| "hello".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let count = ANSWERED.fetch_add(1, Ordering::Relaxed) + 1;
    format!("{hello} from {}, answer {count}, to {}\n", host.trim_end(), peer.ip())
}

fn probe(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let answer = request::read(&mut stream)?;
    if answer.path() == "200" {
        Ok(())
    } else {
        Err(io::Error::other(format!("probe port {port}: it answered {:?}", answer.line())))
    }
}
