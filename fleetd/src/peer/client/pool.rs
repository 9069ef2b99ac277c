//! Which connections there are, to whom, and which of them are free.
//!
//! A request takes a permit of its host, then a connection that is free; a new one is made only where
//! none is. So there are never more connections to a host than permits.

use super::Limits;
use super::connection::{self, Link};
use crate::peer::error::{Error, To};
use crate::peer::validity::{Clock, wall_clock};
use crate::pki::Credentials;
use axum::body::Body;
use hyper::client::conn::http1::SendRequest;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

pub(super) struct Pool {
    pub(super) credentials: Arc<Credentials>,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    hosts: Mutex<HashMap<To, Arc<Host>>>,
}

/// The connections to one host at one address.
pub(super) struct Host {
    permits: Arc<Semaphore>,
    idle: std::time::Duration,
    free: Mutex<Vec<Free>>,
}

struct Free {
    send: SendRequest<Body>,
    link: Arc<Link>,
    since: Instant,
}

/// A connection in use by one request.
pub(super) struct Lease {
    pub(super) host: Arc<Host>,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) send: SendRequest<Body>,
    pub(super) link: Arc<Link>,
}

impl Pool {
    pub(super) fn new(credentials: Arc<Credentials>, limits: Limits) -> Self {
        Self { credentials, limits, clock: wall_clock(), hosts: Mutex::default() }
    }

    pub(super) fn host(&self, to: &To) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(to) {
            return Arc::clone(host);
        }
        // Hosts come and go; nobody uses these, and nobody can while the lock is held.
        hosts.retain(|_, host| Arc::strong_count(host) > 1 || !host.free().is_empty());
        let host = Arc::new(Host {
            permits: Arc::new(Semaphore::new(self.limits.connections)),
            idle: self.limits.idle,
            free: Mutex::default(),
        });
        hosts.insert(to.clone(), Arc::clone(&host));
        host
    }

    pub(super) async fn connect(
        &self,
        to: &To,
        host: &Arc<Host>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Lease, Error> {
        let (send, link) = connection::open(self, to, host).await?;
        Ok(Lease { host: Arc::clone(host), permit, send, link })
    }
}

impl Host {
    fn free(&self) -> MutexGuard<'_, Vec<Free>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to have a connection.
    pub(super) async fn permit(
        &self,
        to: &To,
        limits: &Limits,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(limits.free, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::Busy { to: to.clone(), most: limits.connections }),
        }
    }

    /// The connection that was used last, or the permit again.
    pub(super) async fn kept(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Lease, OwnedSemaphorePermit> {
        loop {
            let Some(Free { mut send, link, since }) = self.free().pop() else {
                return Err(permit);
            };
            // Ready as soon as its task has seen the end of the answer before.
            if since.elapsed() < self.idle && link.is_current() && send.ready().await.is_ok() {
                return Ok(Lease { host: Arc::clone(self), permit, send, link });
            }
        }
    }

    pub(super) fn forget_all(&self) {
        self.free().clear();
    }

    /// No request begins on this connection any more. If none is under way it closes.
    pub(super) fn retire(&self, link: &Arc<Link>) {
        let mut free = self.free();
        link.retired.store(true, Ordering::Relaxed);
        free.retain(|free| !Arc::ptr_eq(&free.link, link));
    }
}

impl Lease {
    /// The connection is free for the next request.
    pub(super) fn give_back(self) {
        let Self { host, permit, send, link } = self;
        {
            let mut free = host.free();
            if !link.retired.load(Ordering::Relaxed) && !send.is_closed() {
                free.push(Free { send, link, since: Instant::now() });
            }
        }
        // Who gets it finds the connection.
        drop(permit);
    }
}
