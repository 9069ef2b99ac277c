//! What the kernel has, looked at from all sides.

use super::Engine;
use crate::core::difference::{Observed, difference};
use crate::core::plan::ObservedLink;
use crate::core::ruleset::ruleset;
use crate::link::{self, Link};
use crate::netlink::Refused;
use netd_api::Difference;

impl Engine {
    /// Changes nothing. What is being detached in the background is not there any more.
    pub(super) fn difference(&mut self) -> Result<Vec<Difference>, Refused> {
        self.tidy();
        let observed = self.observe()?;
        let groups = self.header.groups();
        let mut ready: Vec<(u32, u32)> = self.pools.iter().flat_map(|pool| pool.links()).collect();
        // What the pools and the reaper are about is nobody's yet, or any more.
        let settled = self.reaping.is_empty();
        if !settled || self.pools.iter().any(|pool| pool.count() < self.pool_size) {
            ready.extend(observed.links.iter().map(|link| (link.index, link.group)));
        }
        let device = (self.header.device.as_str(), self.device);
        let table = ruleset(device.0, groups);
        Ok(difference(&self.desired, &table, &observed, device, (&ready, groups)))
    }

    fn observe(&mut self) -> Result<Observed, Refused> {
        let links = link::links(&mut self.route)?;
        let is_device = |link: &Link| link.name == self.header.device;
        let device = links.iter().find(|link| is_device(link)).map(|link| link.index);
        let addresses = link::addresses(&mut self.route)?;
        let of = |index| addresses.iter().filter(move |address| address.link == index);
        let routes = link::routes(&mut self.route)?.into_iter().filter(|route| route.ours);
        let neighbours = link::neighbours(&mut self.route)?;
        let observe = |l: Link| ObservedLink { index: l.index, name: l.name, group: l.group };
        Ok(Observed {
            device: device.map(|index| of(index).map(|a| (a.address, a.prefix)).collect()),
            links: links.into_iter().map(observe).collect(),
            routes: routes.filter_map(|route| Some((route.destination, route.link?))).collect(),
            neighbours: neighbours.into_iter().map(|(address, _)| address).collect(),
            elements: self.nft.elements()?.into_iter().collect(),
            rules: self.nft.rules()?,
        })
    }
}
