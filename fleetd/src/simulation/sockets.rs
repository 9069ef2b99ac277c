//! Sockets in the tests: the kernel's, or inside a simulation those of its network, which loses and
//! doubles datagrams and lets connections break.

use super::draw;
use rand::RngExt as _;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use turmoil::in_simulation;

/// What becomes of datagrams, whoever sends them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    pub(super) loss: f64,
    pub(super) twice: f64,
}

#[derive(Default)]
struct Lines {
    weather: Weather,
    /// Of each pair of hosts: breaks the connections that there are.
    breaks: BTreeMap<(IpAddr, IpAddr), CancellationToken>,
}

thread_local! {
    static LINES: RefCell<Lines> = RefCell::default();
}

pub(super) fn set_weather(weather: Weather) {
    LINES.with_borrow_mut(|lines| lines.weather = weather);
}

/// Breaks all connections between two hosts: whoever uses one is told so.
pub(super) fn break_between(one: IpAddr, other: IpAddr) {
    let broken = LINES.with_borrow_mut(|lines| lines.breaks.remove(&pair(one, other)));
    if let Some(broken) = broken {
        broken.cancel();
    }
}

fn pair(one: IpAddr, other: IpAddr) -> (IpAddr, IpAddr) {
    (one.min(other), one.max(other))
}

fn breaks(one: IpAddr, other: IpAddr) -> CancellationToken {
    LINES.with_borrow_mut(|lines| lines.breaks.entry(pair(one, other)).or_default().clone())
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)
}

type Accepted = (turmoil::net::TcpStream, SocketAddr);
type Accepting = Pin<Box<dyn Future<Output = io::Result<Accepted>> + Send>>;

pub(crate) enum TcpListener {
    Kernel(net::TcpListener),
    Simulated { listener: Arc<turmoil::net::TcpListener>, accepting: Mutex<Option<Accepting>> },
}

impl TcpListener {
    pub(crate) async fn bind(address: &str) -> io::Result<Self> {
        if !in_simulation() {
            return Ok(Self::Kernel(net::TcpListener::bind(address).await?));
        }
        let address: SocketAddr = address.parse().map_err(io::Error::other)?;
        let listener = turmoil::net::TcpListener::bind(any(address.port())).await?;
        Ok(Self::Simulated { listener: Arc::new(listener), accepting: Mutex::default() })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Kernel(listener) => listener.local_addr(),
            Self::Simulated { listener, .. } => listener.local_addr(),
        }
    }

    pub(crate) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (listener, accepting) = match self {
            Self::Kernel(listener) => {
                let (stream, from) = ready!(listener.poll_accept(cx))?;
                return Poll::Ready(Ok((TcpStream::Kernel(stream), from)));
            }
            Self::Simulated { listener, accepting } => (listener, accepting),
        };
        let mut accepting = accepting.lock().unwrap();
        let next = accepting.get_or_insert_with(|| {
            let listener = Arc::clone(listener);
            Box::pin(async move { listener.accept().await })
        });
        let accepted = ready!(next.as_mut().poll(cx));
        *accepting = None;
        let (stream, from) = accepted?;
        Poll::Ready(Ok((TcpStream::simulated(stream)?, from)))
    }
}

pub(crate) enum TcpStream {
    Kernel(net::TcpStream),
    Simulated(Box<Simulated>),
}

pub(crate) struct Simulated {
    stream: turmoil::net::TcpStream,
    // One for each direction: they may be polled by different tasks.
    broken_read: Pin<Box<WaitForCancellationFutureOwned>>,
    broken_write: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl TcpStream {
    pub(crate) async fn connect(address: impl ToString) -> io::Result<Self> {
        let address = address.to_string();
        if !in_simulation() {
            return Ok(Self::Kernel(net::TcpStream::connect(address).await?));
        }
        let address: SocketAddr = address.parse().map_err(io::Error::other)?;
        Self::simulated(turmoil::net::TcpStream::connect(address).await?)
    }

    fn simulated(stream: turmoil::net::TcpStream) -> io::Result<Self> {
        let breaks = breaks(stream.local_addr()?.ip(), stream.peer_addr()?.ip());
        let broken = || Box::pin(breaks.clone().cancelled_owned());
        let (broken_read, broken_write) = (broken(), broken());
        Ok(Self::Simulated(Box::new(Simulated { stream, broken_read, broken_write })))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Kernel(stream) => stream.local_addr(),
            Self::Simulated(simulated) => simulated.stream.local_addr(),
        }
    }
}

/// What is not broken goes on.
fn unless<T>(
    broken: &mut Pin<Box<WaitForCancellationFutureOwned>>,
    cx: &mut Context<'_>,
    go_on: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    match broken.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        Poll::Pending => go_on(cx),
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Kernel(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Simulated(simulated) => {
                let Simulated { stream, broken_read, .. } = &mut **simulated;
                unless(broken_read, cx, |cx| Pin::new(stream).poll_read(cx, buffer))
            }
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Kernel(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Simulated(simulated) => {
                let Simulated { stream, broken_write, .. } = &mut **simulated;
                unless(broken_write, cx, |cx| Pin::new(stream).poll_write(cx, bytes))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Kernel(stream) => Pin::new(stream).poll_flush(cx),
            Self::Simulated(simulated) => Pin::new(&mut simulated.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Kernel(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Simulated(simulated) => Pin::new(&mut simulated.stream).poll_shutdown(cx),
        }
    }
}

pub(crate) enum UdpSocket {
    Kernel(net::UdpSocket),
    Simulated(turmoil::net::UdpSocket),
}

impl UdpSocket {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        if !in_simulation() {
            return Ok(Self::Kernel(net::UdpSocket::bind(address).await?));
        }
        Ok(Self::Simulated(turmoil::net::UdpSocket::bind(any(address.port())).await?))
    }

    pub(crate) async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.recv(buffer).await,
            Self::Simulated(socket) => socket.recv_from(buffer).await.map(|(length, _)| length),
        }
    }

    pub(crate) fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.try_recv(buffer),
            Self::Simulated(socket) => socket.try_recv(buffer),
        }
    }

    pub(crate) fn try_send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        let socket = match self {
            Self::Kernel(socket) => return socket.try_send_to(datagram, to),
            Self::Simulated(socket) => socket,
        };
        let Weather { loss, twice } = LINES.with_borrow(|lines| lines.weather);
        let copies = 1 + usize::from(draw(|rng| rng.random_bool(twice)));
        for _ in 0..copies {
            if !draw(|rng| rng.random_bool(loss)) {
                socket.try_send_to(datagram, to)?;
            }
        }
        Ok(datagram.len())
    }
}
