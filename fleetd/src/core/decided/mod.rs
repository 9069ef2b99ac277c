//! The decided facts and how a command changes them: the state machine that consensus replicates.
//!
//! Deterministic: the same commands in the same order give the same state on every host. Nothing
//! here is about what runs.
//!
//! | File | Owns |
//! |---|---|
//! | [`fleet`] | whom the fleet trusts, who decides, who may join |
//! | [`unit`] | unit files and what is wanted of them |
//! | [`machine`] | the hosts of the fleet, and what of them is decided |
//! | [`place`] | which unit has its place on which host, since when and why |
//! | [`secret`] | what programs get to read |
//! | [`user`] | who has a certificate of the fleet beside its hosts |
//! | [`rotation`] | the fleet's next keys |
//! | [`set`] | what one host is to run: a view |
//! | [`image`], [`restore`] | all of it as one text, and how to come back to what one says |

pub mod fleet;
pub mod image;
pub mod machine;
pub mod place;
pub mod restore;
pub mod rotation;
pub mod secret;
pub mod set;
pub mod unit;
pub mod user;

pub use fleet::{Fleet, View};
pub use machine::Machine;
pub use place::Place;
pub use secret::Secret;
pub use set::AssignmentSet;
pub use unit::Entry;

use crate::core::machine_id::MachineId;
use crate::pki::token::TokenId;
use crate::pki::{FleetId, UserName};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Everything that was decided, after the change `index`. A copy costs nothing: the maps share what
/// is the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided {
    /// Grows with every change and never repeats: [`GENERATION`] says how it goes on after a
    /// recovery.
    pub index: u64,
    /// By name.
    pub units: OrdMap<String, Arc<Entry>>,
    pub machines: OrdMap<MachineId, Arc<Machine>>,
    /// By unit; of one unit by machine.
    pub places: OrdMap<String, Arc<Vec<Place>>>,
    /// The index with which the machine's set last changed.
    pub sets: OrdMap<MachineId, u64>,
    /// By name.
    pub secrets: OrdMap<String, Arc<Secret>>,
    /// The index with which units, places or hosts last changed: what a forecast rests on.
    pub layout: u64,
    /// None: a fleet of one that nobody has founded.
    pub fleet: Option<Arc<Fleet>>,
}

pub use fleetd_api::GENERATION;

/// A change to decide on. Names and texts are checked before they get here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Unit(unit::Command),
    Machine(machine::Command),
    Place(place::Command),
    Fleet(fleet::Command),
    Secret(secret::Command),
    /// All of them, or none where one is refused.
    All(Vec<Command>),
    /// Refused if anything was decided after this index: what was worked out from older facts.
    Expect {
        index: u64,
    },
    /// Goes on in the next generation after that of this index: what was decided up to it, here or
    /// in what is lost, is older than what comes.
    Raise {
        above: u64,
    },
}

/// The newest form of commands that this fleetd can read. It grows with every kind that earlier ones do not
/// know: 2 has secrets.
pub const FORM: u32 = 2;

impl From<unit::Command> for Command {
    fn from(command: unit::Command) -> Self {
        Self::Unit(command)
    }
}

impl From<machine::Command> for Command {
    fn from(command: machine::Command) -> Self {
        Self::Machine(command)
    }
}

impl From<place::Command> for Command {
    fn from(command: place::Command) -> Self {
        Self::Place(command)
    }
}

impl From<fleet::Command> for Command {
    fn from(command: fleet::Command) -> Self {
        Self::Fleet(command)
    }
}

impl From<secret::Command> for Command {
    fn from(command: secret::Command) -> Self {
        Self::Secret(command)
    }
}

impl Command {
    /// The form that a fleetd has to know to read it whole.
    pub fn form(&self) -> u32 {
        match self {
            Self::Secret(_) => 2,
            Self::Unit(unit::Command::Submit { secrets, .. }) if !secrets.is_empty() => 2,
            Self::All(commands) => commands.iter().map(Self::form).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// About as many bytes as it takes, on disk and on its way.
    pub fn size(&self) -> usize {
        match self {
            Self::Unit(command) => command.size(),
            Self::Machine(_) | Self::Place(_) => 300,
            Self::Fleet(_) => 10_000,
            Self::Secret(command) => command.size(),
            Self::All(commands) => commands.iter().map(Self::size).sum(),
            Self::Expect { .. } | Self::Raise { .. } => 30,
        }
    }
}

impl Command {
    /// Whether it brings something new, which takes space for as long as it is there. What ends, moves
    /// or removes something takes a little, and only until the log is made shorter.
    pub fn grows(&self) -> bool {
        match self {
            Self::Unit(command) => matches!(command, unit::Command::Submit { .. }),
            Self::Machine(command) => {
                matches!(command, machine::Command::Describe { value: Some(_), .. })
            }
            Self::Fleet(command) => command.grows(),
            Self::Secret(command) => matches!(command, secret::Command::Set { .. }),
            Self::All(commands) => commands.iter().any(Self::grows),
            Self::Place(_) | Self::Expect { .. } | Self::Raise { .. } => false,
        }
    }
}

/// What a command did; of several, what they did together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was so already: nothing is written.
    Same,
    Changed,
    Removed,
    Created,
}

/// Why a command was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    Unknown {
        unit: String,
    },
    Differs {
        unit: String,
    },
    UnknownMachine {
        machine: MachineId,
    },
    UnknownToken {
        token: TokenId,
    },
    /// It was revoked, or used as often as it may be.
    SpentToken {
        token: TokenId,
    },
    InFleet {
        fleet: FleetId,
    },
    NoFleet,
    UnknownSecret {
        name: String,
    },
    /// A unit names it.
    SecretInUse {
        name: String,
        unit: String,
    },
    ManySecrets,
    /// Nobody of that name may get in.
    UnknownUser {
        name: UserName,
    },
    UserThere {
        name: UserName,
    },
    ManyUsers,
    ManyCertificates {
        name: UserName,
    },
    /// One rotation of keys at a time.
    Rotates,
    /// The next keys are of no use.
    Keys {
        cause: String,
    },
    /// They were rotated since.
    EarlierKeys,
    /// Something else was decided first.
    Newer {
        index: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { unit } => write!(f, "find unit {unit}: there is none of that name"),
            Self::Differs { unit } => {
                write!(f, "submit {unit}: a different file of that name is there")
            }
            Self::UnknownMachine { machine } => {
                write!(f, "find machine {machine}: the fleet has none of that id")
            }
            Self::UnknownToken { token } => {
                write!(f, "find join token {token}: the fleet has none of that id")
            }
            Self::SpentToken { token } => {
                write!(f, "use join token {token}: it was used or revoked meanwhile")
            }
            Self::InFleet { fleet } => write!(f, "found a fleet: this host is in fleet {fleet}"),
            Self::NoFleet => f.write_str("find the fleet: this host is in none"),
            Self::UnknownSecret { name } => {
                write!(f, "find secret {name}: the fleet has none of that name")
            }
            Self::SecretInUse { name, unit } => {
                write!(f, "remove secret {name}: {unit} names it, and could not start without it")
            }
            Self::ManySecrets => {
                let most = secret::MOST >> 20;
                write!(f, "set a secret: {most} MiB are the most that all may take together")
            }
            Self::UnknownUser { name } => {
                write!(f, "find user {name}: the fleet has none of that name, or it was revoked")
            }
            Self::UserThere { name } => {
                write!(f, "add user {name}: one of that name is there, and may get in")
            }
            Self::ManyUsers => {
                let most = user::MOST_USERS;
                write!(f, "add a user: {most} are the most; expired ones go after 30 days")
            }
            Self::ManyCertificates { name } => {
                let most = user::MOST_CERTIFICATES;
                write!(f, "give user {name} a certificate: {most} that are valid are the most")
            }
            Self::Rotates => f.write_str("rotate the fleet's keys: a rotation is under way"),
            Self::Keys { cause } => write!(f, "rotate the fleet's keys: {cause}"),
            Self::EarlierKeys => {
                f.write_str("its keys are from before a rotation: hosts take them no more")
            }
            Self::Newer { index } => {
                write!(f, "decide: something else was decided first (it is at {index} now)")
            }
        }
    }
}

impl Decided {
    /// Applies one command, or nothing of it. The index grows by one unless the outcome is
    /// [`Outcome::Same`].
    pub fn apply(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let mut next = self.clone();
        next.index += 1;
        let outcome = next.take(command)?;
        if outcome != Outcome::Same {
            next.number(self);
            *self = next;
        }
        Ok(outcome)
    }

    fn take(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        match command {
            Command::Unit(command) => unit::apply(self, command),
            Command::Machine(command) => machine::apply(self, command),
            Command::Place(command) => place::apply(self, command),
            Command::Fleet(command) => fleet::apply(self, command),
            Command::Secret(command) => secret::apply(self, command),
            Command::All(commands) => {
                let mut together = Outcome::Same;
                for command in commands {
                    together = together.max(self.take(command)?);
                }
                Ok(together)
            }
            // The index of this change is counted already.
            Command::Expect { index } if *index + 1 >= self.index => Ok(Outcome::Same),
            Command::Expect { .. } => Err(Refusal::Newer { index: self.index - 1 }),
            Command::Raise { above } => {
                let generation = (*above).max(self.index) / GENERATION + 1;
                self.index = generation.saturating_mul(GENERATION);
                let machines: Vec<MachineId> = self.sets.keys().copied().collect();
                for machine in machines {
                    self.sets.insert(machine, self.index);
                }
                // What was forecast before may have been about facts that are lost.
                self.layout = self.index;
                Ok(Outcome::Changed)
            }
        }
    }

    /// Gives what is other than `before` this change's index: the layout, and sets.
    fn number(&mut self, before: &Self) {
        let mut units = changed(&before.units, &self.units);
        units.extend(changed(&before.places, &self.places));
        let hosts = changed(&before.machines, &self.machines);
        // Tokens, users and voters move no unit.
        if !units.is_empty() || !hosts.is_empty() {
            self.layout = self.index;
        }
        let places = |of: &Self, unit: &String| of.places.get(unit).cloned().unwrap_or_default();
        let mut machines = BTreeSet::new();
        for unit in &units {
            let (old, new) = (places(before, unit), places(self, unit));
            machines.extend(old.iter().chain(new.iter()).map(|place| place.machine));
        }
        for secret in changed(&before.secrets, &self.secrets) {
            let units = self.units_with(&secret).filter_map(|unit| self.places.get(unit));
            machines.extend(units.flat_map(|places| places.iter().map(|place| place.machine)));
        }
        // What each host is told of the fleet is in every set.
        if self.fleet.is_some() && self.view() != before.view() {
            machines.extend(self.machines.keys().copied());
        }
        for machine in machines {
            self.sets.insert(machine, self.index);
        }
        for machine in hosts {
            if !self.machines.contains_key(&machine) {
                self.sets.remove(&machine);
            } else if !self.sets.contains_key(&machine) {
                self.sets.insert(machine, self.index);
            }
        }
    }
}

/// Keys whose values differ.
pub fn changed<K: Ord + Clone, V: PartialEq + Clone>(
    before: &OrdMap<K, V>,
    after: &OrdMap<K, V>,
) -> BTreeSet<K> {
    use imbl::ordmap::DiffItem;
    let key = |item: DiffItem<'_, '_, K, V>| match item {
        DiffItem::Add(key, _) | DiffItem::Remove(key, _) => key.clone(),
        DiffItem::Update { new: (key, _), .. } => key.clone(),
    };
    before.diff(after).map(key).collect()
}

#[cfg(test)]
mod tests;
