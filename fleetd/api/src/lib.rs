//! What fleetd is asked over HTTP and what it answers.
//!
//! Plain types with serde and nothing else, so that every client shares them. The routes:
//!
//! | Route | Body | Answer |
//! |---|---|---|
//! | `GET /v1/version` | | [`Version`] |
//! | `GET /v1/openapi.json` | | this table with every type, for programs: OpenAPI 3.1 |
//! | `GET /v1/units` | | list of [`Unit`] |
//! | `GET /v1/units/NAME` | | [`Unit`], with its text for the roles operate and admin |
//! | `PUT /v1/units/NAME` | [`Submit`] | 201 new, 200 replaced or same; 409 it differs and `replace` is false |
//! | `DELETE /v1/units/NAME` | | 200 [`Accepted`]; stops it first |
//! | `PUT /v1/units/NAME/desired` | [`Desire`] | 200 [`Accepted`] |
//! | `PUT /v1/units/NAME/replicas` | [`Scale`] | 200 [`Accepted`]; of a template |
//! | `POST /v1/units/NAME/restart` | | 200 [`Accepted`] |
//! | `GET /v1/units/NAME/why` | | [`Why`] |
//! | `POST /v1/plan` | [`Changes`] | 200 [`Plan`]; nothing is decided |
//! | `POST /v1/changes` | [`Changes`] | 200 [`Accepted`]; all of them or none; 409 `if_index` is too old |
//! | `GET /v1/rebalance?moves=N` | | [`Rebalance`]; nothing is moved |
//! | `POST /v1/rebalance` | [`MoveUnit`] | 200 [`Accepted`]; 409 the fleet is not better for it |
//! | `GET /v1/machines` | | list of [`Machine`] |
//! | `PATCH /v1/machines/ID` | [`ChangeMachine`] | 200 [`Machine`] |
//! | `DELETE /v1/machines/ID` | | 200; it has left for good, and its certificate is worth nothing |
//! | `GET /v1/fleet` | | [`Fleet`], of the host that answers |
//! | `PATCH /v1/fleet` | [`ChangeFleet`] | 200 |
//! | `POST /v1/fleet/init` | [`Init`] | 200 [`Fleet`] |
//! | `POST /v1/fleet/join` | [`Join`] | 200 [`Fleet`] |
//! | `GET /v1/fleet/recovery` | | [`Recovery`]: how this host would go on alone |
//! | `POST /v1/fleet/recovery` | [`Recover`] | 200 [`Recovery`]; it goes on alone |
//! | `GET /v1/fleet/backup` | | [`Backup`] |
//! | `POST /v1/fleet/restore?plan=BOOL&index=INDEX&advertise=ADDRESS` | [`Backup`] | 200 [`Restored`] |
//! | `GET /v1/fleet/rotation` | | [`KeyRotation`] |
//! | `POST /v1/fleet/rotation` | [`RotateKeys`] | 200 [`KeyRotation`]; 409 one is under way |
//! | `GET /v1/secrets` | | list of [`Secret`]: names, no values |
//! | `PUT /v1/secrets/NAME` | [`SetSecret`] | 201 new, 200 changed or same |
//! | `DELETE /v1/secrets/NAME?force=BOOL` | | 200; 409 units name it and `force` is false |
//! | `GET /v1/tokens` | | list of [`Token`] |
//! | `POST /v1/tokens` | [`CreateToken`] | 200 [`NewToken`] |
//! | `DELETE /v1/tokens/ID` | | 200 |
//! | `GET /v1/users` | | list of [`User`] |
//! | `POST /v1/users` | [`CreateUser`] | [`NewCertificate`] |
//! | `POST /v1/users/NAME/renew` | [`RenewUser`] | [`NewCertificate`]; for that user, with its certificate |
//! | `DELETE /v1/users/NAME` | | 200; its certificates are worth nothing |
//! | `POST /v1/relay/ID` | `Upgrade: flotilla-relay` | 101, then bytes to and from that host's port |
//! | `GET /v1/events?since=INDEX&origin=ORIGIN&unit=NAME&follow=BOOL` | | lines of [`Event`], endless unless `follow` is false |
//! | `GET /v1/units/NAME/logs?lines=N&follow=BOOL` | | lines of [`LogLine`] |
//! | `POST /v1/units/NAME/exec` | `Upgrade: flotilla-exec`, [`Exec`] in the query as `exec=JSON` | 101, then [`frame`]s |
//! | `GET /v1/images` | | list of [`Image`] |
//! | `POST /v1/images?name=REF` | a tar stream: root file system, OCI layout or docker-archive | [`Image`] |
//! | `POST /v1/images/pull` | [`Pull`] | [`Image`] |
//! | `DELETE /v1/images/REF` | | 200 |
//!
//! Every error is [`Problem`] with a matching status code.
//!
//! A host answers for the others where it is asked over its unix socket. A user with a certificate
//! is sent on to the host that has to answer: 307 with its address in `Location` and its id in
//! [`MACHINE_HEADER`]. Where that address is not reached, `/v1/relay/ID` leads there, and TLS goes
//! through it from end to end.

mod event;
mod fleet;
pub mod frame;
mod image;
mod machine;
mod name;
mod plan;
mod problem;
mod rebalance;
mod recovery;
pub mod secret;
mod unit;
mod user;
mod why;

pub use event::{Event, EventKind, LogLine, LogStream};
pub use fleet::{
    ChangeFleet, CreateToken, FLEET_PORT, Fleet, FleetKey, GENERATION, Init, Join, KeyRotation,
    NewToken, RotateKeys, RotationStep, Token,
};
pub use image::{Image, Pull};
pub use machine::{ChangeMachine, Machine, Role, Status, Version};
pub use name::{BadUnitName, UnitKind, UnitName};
pub use plan::{
    Change, Changes, FileChange, KeyChange, Plan, PlannedStep, PlannedUnit, StepKind, UnitText,
    Unplaced,
};
pub use problem::{Problem, ProblemKind};
pub use rebalance::{Gain, MachineLoad, MachineUse, MoveUnit, Rebalance};
pub use recovery::{
    Ahead, BACKUP_VERSION, Backup, Recover, Recovery, Refused, Restored, Stray, Voter,
};
pub use secret::{MAX_SECRET, Secret, SetSecret};
pub use unit::{
    Accepted, Active, Desire, DesiredState, Exec, ExitReason, Health, Load, Scale, StepTime,
    Submit, Unit, UnitState, Warning,
};
pub use user::{CreateUser, NewCertificate, Reachable, RenewUser, User, UserRole};
pub use why::{Verdict, Why, WhyMachine, WhyPlace};

/// Where fleetd listens unless it is told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/flotilla/fleetd.sock";
/// Which host a redirect leads to: its id.
pub const MACHINE_HEADER: &str = "flotilla-machine";
/// What a connection to `/v1/relay/ID` is upgraded to.
pub const RELAY: &str = "flotilla-relay";
/// The longest unit file that is accepted, in bytes.
pub const MAX_UNIT_FILE: usize = 256 * 1024;
