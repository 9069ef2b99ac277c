//! The client's side of netd: one connection, kept and made again.
//!
//! The list of endpoints that are wanted is here; netd gets it whole whenever a connection is made,
//! and lets go of what is not in it. So a detach never waits for netd, and an attach does.

use super::line::Lines;
use crate::sentence::cause;
use netd_api::{
    Attached, Call, Document, EndpointId, EndpointSpec, Failure, Reply, Request as NetdRequest,
};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Between two tries to reach netd.
const RETRY: Duration = Duration::from_millis(250);

/// The handle; clones share one connection.
#[derive(Clone)]
pub struct Network {
    orders: mpsc::UnboundedSender<Order>,
    trouble: watch::Receiver<Option<String>>,
}

type AttachAnswer = Result<(Attached, OwnedFd), Failure>;

enum Order {
    Attach { spec: EndpointSpec, answer: oneshot::Sender<AttachAnswer> },
    Detach { id: EndpointId },
}

impl Network {
    /// `wanted`: the endpoints of what runs already.
    pub fn start(socket: PathBuf, wanted: Vec<EndpointSpec>) -> Self {
        let (orders, queue) = mpsc::unbounded_channel();
        let (told, trouble) = watch::channel(None);
        let wanted = wanted.into_iter().map(|spec| (spec.id.clone(), spec)).collect();
        let keeper = Keeper { socket, wanted, waiting: Vec::new(), told };
        tokio::spawn(keeper.run(queue));
        Self { orders, trouble }
    }

    /// One that reaches no netd.
    #[cfg(test)]
    pub fn idle() -> Self {
        let (orders, (_, trouble)) = (mpsc::unbounded_channel().0, watch::channel(None));
        Self { orders, trouble }
    }

    /// Asks for an endpoint; waits for as long as netd is not there.
    pub async fn attach(&self, spec: EndpointSpec) -> Result<(Attached, OwnedFd), String> {
        let (answer, attached) = oneshot::channel();
        let ending = || "attach to network: fleetd is ending".to_owned();
        self.orders.send(Order::Attach { spec, answer }).map_err(|_| ending())?;
        attached.await.map_err(|_| ending())?.map_err(|failure| failure.to_string())
    }

    /// The endpoint is not wanted any more. Takes effect when netd is there.
    pub fn detach(&self, id: EndpointId) {
        let _ = self.orders.send(Order::Detach { id });
    }

    /// Why netd cannot be reached; none: it can.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }
}

struct Keeper {
    socket: PathBuf,
    wanted: BTreeMap<EndpointId, EndpointSpec>,
    /// Attachments that wait for netd.
    waiting: Vec<(EndpointSpec, oneshot::Sender<AttachAnswer>)>,
    told: watch::Sender<Option<String>>,
}

impl Keeper {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Order>) {
        loop {
            match self.connect().await {
                Ok(lines) => {
                    self.tell(None);
                    match self.serve(lines, &mut queue).await {
                        Ok(()) => return,
                        Err(lost) => self.tell(Some(lost)),
                    }
                }
                Err(trouble) => self.tell(Some(trouble)),
            }
            // Meanwhile what is not wanted is taken from the list.
            let pause = tokio::time::sleep(RETRY);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    order = queue.recv() => match order {
                        None => return,
                        Some(order) => self.note(order),
                    },
                }
            }
        }
    }

    fn tell(&self, trouble: Option<String>) {
        self.told.send_if_modified(|told| {
            let new = *told != trouble;
            if new {
                match &trouble {
                    Some(trouble) => tracing::warn!("{trouble}"),
                    None => tracing::info!("connected to netd"),
                }
                *told = trouble;
            }
            new
        });
    }

    /// Takes an order while netd is not there.
    fn note(&mut self, order: Order) {
        match order {
            Order::Attach { spec, answer } => self.waiting.push((spec, answer)),
            Order::Detach { id } => {
                self.wanted.remove(&id);
                self.waiting.retain(|(spec, _)| spec.id != id);
            }
        }
    }

    /// Connects and hands over the whole list.
    async fn connect(&mut self) -> Result<Lines, String> {
        let name = self.socket.display().to_string();
        let unreachable =
            |e: std::io::Error| format!("wait for netd: connect {name}: {}", cause(&e));
        let mut lines = Lines::connect(&self.socket).await.map_err(unreachable)?;
        let endpoints = self.wanted.values().cloned().collect();
        let document = Document { endpoints, ..Document::default() };
        match call(&mut lines, Call::Apply { document }).await? {
            (Reply::Applied { missing }, _) => {
                for id in missing {
                    tracing::warn!(
                        "netd has lost endpoint {id}: its unit has no network until it restarts"
                    );
                }
                Ok(lines)
            }
            (Reply::Failed(failure), _) => Err(format!("wait for netd: {failure}")),
            (other, _) => Err(format!("wait for netd: it answered {other:?} to apply")),
        }
    }

    /// Serves orders until the connection or the last handle is gone.
    async fn serve(
        &mut self,
        mut lines: Lines,
        queue: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Result<(), String> {
        for (spec, answer) in std::mem::take(&mut self.waiting) {
            self.attach(&mut lines, spec, answer).await?;
        }
        loop {
            let order = tokio::select! {
                order = queue.recv() => order,
                // netd says nothing unasked: this is its end.
                _ = lines.readable() => return Err("wait for netd: it closed the connection".to_owned()),
            };
            match order {
                None => return Ok(()),
                Some(Order::Attach { spec, answer }) => {
                    self.attach(&mut lines, spec, answer).await?
                }
                Some(Order::Detach { id }) => {
                    self.wanted.remove(&id);
                    if let (Reply::Failed(failure), _) =
                        call(&mut lines, Call::Detach { id: id.clone() }).await?
                    {
                        tracing::warn!("detach {id}: {failure}");
                    }
                }
            }
        }
    }

    /// Asks again on the next connection. Until then the endpoint is not wanted: a netd that had
    /// written it down before it died holds no namespace for it, and must let go of it first.
    fn again(&mut self, spec: EndpointSpec, answer: oneshot::Sender<AttachAnswer>) {
        self.wanted.remove(&spec.id);
        self.waiting.push((spec, answer));
    }

    async fn attach(
        &mut self,
        lines: &mut Lines,
        spec: EndpointSpec,
        answer: oneshot::Sender<AttachAnswer>,
    ) -> Result<(), String> {
        // Who asked has given up; its detach follows or has been.
        if answer.is_closed() {
            return Ok(());
        }
        self.wanted.insert(spec.id.clone(), spec.clone());
        match call(lines, Call::Attach { endpoint: spec.clone() }).await {
            Ok((Reply::Attached(attached), mut descriptors)) if descriptors.len() == 1 => {
                if let Some(namespace) = descriptors.pop() {
                    let _ = answer.send(Ok((attached, namespace)));
                }
                Ok(())
            }
            Ok((Reply::Failed(failure), _)) => {
                self.wanted.remove(&spec.id);
                let _ = answer.send(Err(failure));
                Ok(())
            }
            Ok((other, descriptors)) => {
                let count = descriptors.len();
                self.again(spec, answer);
                Err(format!(
                    "wait for netd: it answered {other:?} with {count} descriptors to attach"
                ))
            }
            // netd died meanwhile: the same again with the next one.
            Err(lost) => {
                self.again(spec, answer);
                Err(lost)
            }
        }
    }
}

async fn call(lines: &mut Lines, call: Call) -> Result<(Reply, Vec<OwnedFd>), String> {
    let lost = |e: std::io::Error| format!("wait for netd: {}", cause(&e));
    lines.send(&NetdRequest::from(call), &[]).await.map_err(lost)?;
    match lines.receive::<Reply>().await.map_err(lost)? {
        Some(reply) => Ok(reply),
        None => Err("wait for netd: it closed the connection".to_owned()),
    }
}
