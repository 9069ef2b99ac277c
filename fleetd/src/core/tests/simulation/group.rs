//! The group that decides, as what Raft promises: one log, one leader at a time that can add to it,
//! and a proposal of a leader that fell may still come into it.

use super::expected::Expected;
use crate::core::decided::fleet::{self, Fleet, Secret};
use crate::core::decided::rotation::Keys;
use crate::core::decided::{Command, Decided, Outcome, Refusal, machine};
use crate::core::machine_id::MachineId;
use crate::pki::fixture;
use crate::pki::signed::Signer;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// Who proposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proposer {
    Client,
    /// The leader, of places; of voters.
    Leader,
    Voters,
}

pub(super) struct Group {
    /// What was decided after each entry of the log, beginning with nothing.
    pub(super) history: Vec<Arc<Decided>>,
    /// What clients may rely on then.
    pub(super) expected: Vec<Arc<Expected>>,
    pub(super) log: Vec<Command>,
    pub(super) term: u64,
    pub(super) leader: Option<usize>,
    /// Those who decide; they follow the voters that were decided on.
    pub(super) members: BTreeSet<MachineId>,
    /// Proposed to a leader that fell before it was decided.
    pub(super) uncertain: Option<(Command, Proposer)>,
}

/// Keys are drawn from the system; nothing in a trace depends on them.
fn founded() -> &'static Fleet {
    static FLEET: OnceLock<Fleet> = OnceLock::new();
    FLEET.get_or_init(|| {
        let authority = fixture::fleet();
        let (signer, signer_public) = signers()[0].clone();
        Fleet {
            id: authority.fleet().clone(),
            authority: String::new(),
            authority_key: Secret(String::new()),
            bundle: fixture::bundle(&[&authority]),
            revoked: Default::default(),
            gossip_keys: Vec::new(),
            signer: Secret(signer),
            signer_public,
            voters: Default::default(),
            tokens: Default::default(),
            users: Default::default(),
            hosts_may: crate::pki::Role::Admin,
            rotation: None,
        }
    })
}

/// Two keys that sign sets, each with its public half: the fleet goes from the one to the other and back.
fn signers() -> &'static [(String, String); 2] {
    static SIGNERS: OnceLock<[(String, String); 2]> = OnceLock::new();
    SIGNERS.get_or_init(|| [Signer::generate().unwrap(), Signer::generate().unwrap()])
}

/// The other key is to sign sets.
pub(super) fn rotate(decided: &Decided) -> Option<Command> {
    let fleet = decided.fleet.as_ref()?;
    let next = signers().iter().find(|(_, public)| *public != fleet.signer_public)?.clone();
    let signer = Some((Some(Secret(next.0)), next.1));
    Some(fleet::Command::Rotate(Box::new(Keys { signer, ..Keys::default() })).into())
}

pub(super) fn join(id: MachineId) -> Command {
    machine::Command::Join { machine: id, address: format!("h{}:7400", id.0), key: None }.into()
}

impl Group {
    pub(super) fn new(first: MachineId) -> Self {
        let mut group = Self {
            history: vec![Arc::default()],
            expected: vec![Arc::default()],
            log: Vec::new(),
            term: 1,
            leader: Some(0),
            members: [first].into(),
            uncertain: None,
        };
        let fleet = Fleet { voters: [first].into(), ..founded().clone() };
        let found = fleet::Command::Found(Box::new(fleet));
        group.commit(Command::All(vec![found.into(), join(first)]), Proposer::Client).unwrap();
        group
    }

    pub(super) fn now(&self) -> &Arc<Decided> {
        self.history.last().unwrap()
    }

    pub(super) fn position(&self) -> usize {
        self.log.len()
    }

    /// Adds to the log and applies.
    pub(super) fn commit(&mut self, command: Command, from: Proposer) -> Result<Outcome, Refusal> {
        let mut next = self.now().as_ref().clone();
        let result = next.apply(&command);
        let mut expected = self.expected.last().unwrap().clone();
        if from == Proposer::Client && result.is_ok() {
            Arc::make_mut(&mut expected).take(&command, next.index);
        }
        self.log.push(command);
        self.history.push(Arc::new(next));
        self.expected.push(expected);
        result
    }

    /// A backup of an older state takes the place of everything since: what was acknowledged later is
    /// lost, as the one who restores was told. `above`: the newest index that any host knows of.
    pub(super) fn restore(&mut self, position: usize, above: u64) {
        self.log.truncate(position);
        self.history.truncate(position + 1);
        self.expected.truncate(position + 1);
        self.uncertain = None;
        self.term += 1;
        self.leader = None;
        self.commit(Command::Raise { above }, Proposer::Client).unwrap();
        self.members = self.now().fleet.as_ref().map(|f| f.voters.clone()).unwrap_or_default();
    }

    /// The log as it is on disk and on its way leads to the same state on every host.
    pub(super) fn replays(&self) -> bool {
        let mut state = Decided::default();
        for command in &self.log {
            let json = serde_json::to_vec(command).unwrap();
            let read: Command = serde_json::from_slice(&json).unwrap();
            let _ = state.apply(&read);
        }
        state == **self.now()
    }
}
