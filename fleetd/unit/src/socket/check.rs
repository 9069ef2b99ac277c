//! Which keys of a `.socket` go together.

use super::draft::SocketDraft;
use super::listen::Listen;
use crate::names;
use crate::read::Checks;
use fleetd_api::UnitName;
use std::collections::BTreeSet;

/// Each is an element of a set in every host's kernel.
const MAX_PORTS: usize = 64;

/// More names of one service are none that somebody wrote.
const MAX_ALIASES: usize = 64;

/// More labels are none that somebody wrote.
const MAX_LABELS: usize = 16;

/// A key and what is wrong with it.
type Told = (&'static str, String);

impl SocketDraft {
    pub(super) fn together(&self, name: &UnitName) -> Checks {
        let mut checks = Checks::default();
        let faults = self.wrong_name(name).into_iter().chain(self.wrong_backends());
        let faults = faults.chain(self.wrong_ports()).chain(self.second_address());
        let faults = faults.chain(self.wrong_targets()).chain(self.too_many());
        for (key, message) in faults {
            checks.faults.push(self.seen.place(name, key).fault(message));
        }
        for (key, message) in self.without_effect() {
            checks.warnings.push(self.seen.place(name, key).warning(message));
        }
        checks
    }

    fn wrong_name(&self, name: &UnitName) -> Option<Told> {
        let stem = name.stem();
        let as_it_is = names::dns_name(stem).is_ok_and(|dns| dns == stem);
        (!as_it_is).then(|| {
            let message = format!(
                "{stem:?} is to be its DNS name, which is labels of a-z 0-9 _ -, joined by dots"
            );
            // It is the file's as a whole.
            ("", message)
        })
    }

    fn wrong_backends(&self) -> Vec<Told> {
        let mut told = Vec::new();
        match (&self.service, self.selector.is_empty()) {
            (None, true) => told.push((
                "Service",
                "nobody answers: [Socket] needs Service=, or [X-Fleet] Selector=".to_owned(),
            )),
            (Some(_), false) => {
                told.push(("Selector", "Service= and Selector=: write one of them".to_owned()));
            }
            (None, false) if self.activate == Some(true) => told.push((
                "Activate",
                "Activate=yes needs Service=: a selector names nothing that could be started"
                    .to_owned(),
            )),
            _ => {}
        }
        let mut keys = BTreeSet::new();
        if let Some((key, _)) = self.selector.iter().find(|(key, _)| !keys.insert(key)) {
            let message = format!("Selector= has {key} twice, and a unit has it once");
            told.push(("Selector", message));
        }
        told
    }

    fn wrong_ports(&self) -> Vec<Told> {
        let mut told = Vec::new();
        if self.listen.is_empty() && self.datagrams.is_empty() {
            told.push((
                "ListenStream",
                "[Socket] needs ListenStream= or ListenDatagram=".to_owned(),
            ));
        }
        if self.activate == Some(true) && !self.datagrams.is_empty() {
            let message = "Activate=yes goes with ListenStream= alone: a datagram is no connection \
                           that could wait";
            told.push(("Activate", message.to_owned()));
        }
        for (key, lines) in [("ListenStream", &self.listen), ("ListenDatagram", &self.datagrams)] {
            let ports: BTreeSet<u16> = lines.iter().map(|listen| listen.port).collect();
            if self.port_name.is_some() && ports.len() > 1 {
                let message = format!("FileDescriptorName= names one port, and {key}= has several");
                told.push(("FileDescriptorName", message));
            }
            let mut met = BTreeSet::new();
            let again = |listen: &&Listen| !met.insert((listen.address, listen.port));
            if let Some(listen) = lines.iter().find(again) {
                told.push((key, format!("{key}={} stands there twice", listen.port)));
            }
        }
        told
    }

    fn second_address(&self) -> Option<Told> {
        let addresses = self.addresses();
        let second = |is_ipv4: bool| {
            addresses.iter().filter(move |address| address.is_ipv4() == is_ipv4).nth(1)
        };
        let second = second(true).or_else(|| second(false))?;
        let is_stream = self.listen.iter().any(|listen| listen.address == Some(*second));
        let key = if is_stream { "ListenStream" } else { "ListenDatagram" };
        Some((key, format!("{second} is the second virtual address of its family")))
    }

    fn wrong_targets(&self) -> Option<Told> {
        let ports: BTreeSet<u16> = self.lines().map(|listen| listen.port).collect();
        let (mut met, mut targets) = (BTreeSet::new(), self.targets.iter());
        let message = targets.find_map(|target| match target.of {
            Some(of) if !met.insert(of) => Some(format!("TargetPort= names {of} twice")),
            Some(of) if !ports.contains(&of) => {
                Some(format!("TargetPort={of}:{}: nothing listens on {of}", target.port))
            }
            None if self.targets.len() > 1 => {
                Some("TargetPort= names two ports: write PORT:TARGET for each".to_owned())
            }
            None if ports.len() > 1 => Some(format!(
                "TargetPort={}: there are several ports: write PORT:{}",
                target.port, target.port
            )),
            _ => None,
        });
        message.map(|message| ("TargetPort", message))
    }

    fn too_many(&self) -> Vec<Told> {
        let counts = [
            ("ListenStream", self.lines().count(), MAX_PORTS),
            ("NetworkAlias", self.aliases.len(), MAX_ALIASES),
            ("Selector", self.selector.len(), MAX_LABELS),
        ];
        let over = counts.into_iter().filter(|(_, count, most)| count > most);
        let told = |(key, count, most)| (key, format!("{count} of them: {most} are the most"));
        over.map(told).collect()
    }

    fn without_effect(&self) -> Vec<Told> {
        if self.activate == Some(true) {
            return Vec::new();
        }
        let said = [
            ("IdleSec", self.idle.is_some()),
            ("TriggerLimitIntervalSec", self.trigger_interval.is_some()),
            ("TriggerLimitBurst", self.trigger_burst.is_some()),
        ];
        let said = said.into_iter().filter(|(_, is_said)| *is_said);
        said.map(|(key, _)| (key, format!("{key}= has no effect without Activate=yes"))).collect()
    }
}
