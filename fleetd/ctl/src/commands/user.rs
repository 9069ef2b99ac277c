//! `user`: who uses the fleet from elsewhere than its hosts.

use super::{Context, print, print_json};
use crate::cli::{TableFlags, User as Command};
use crate::client::{self, json};
use crate::failure::Failure;
use crate::table::{self, Column, View};
use crate::text;
use crate::user_file::{NewKey, word};
use fleetd_api::{CreateUser, NewCertificate, RenewUser, User, UserRole};
use fleetd_pki::UserName;
use serde_json::Value;
use std::path::{Path, PathBuf};

const DAY: u64 = 24 * 3600;

pub(super) async fn run(context: &Context, command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Add { name, role, days, out } => {
            let valid_for = days.map(|days| days * DAY);
            add(context, name, (*role).into(), valid_for, out.as_deref()).await?;
        }
        Command::List(flags) => list(context, flags).await?,
        Command::Revoke { name } => revoke(context, name).await?,
        Command::Renew => renew(context).await?,
    }
    Ok(0)
}

async fn add(
    context: &Context,
    name: &str,
    role: UserRole,
    valid_for: Option<u64>,
    out: Option<&Path>,
) -> Result<(), Failure> {
    let name: UserName =
        name.parse().map_err(|cause| Failure::new(format!("add user: {cause}")))?;
    let out = out.map_or_else(|| PathBuf::from(format!("{name}.user")), PathBuf::from);
    // A key that is there is never written over; and the fleet is asked only if there is a place.
    if out.symlink_metadata().is_ok() {
        let message = format!("write {}: it is there already", out.display());
        return Err(Failure::new(message).hint("--out names another file"));
    }
    let new = NewKey::make()?;
    let wanted = CreateUser { name: name.to_string(), role, valid_for, csr: new.csr.clone() };
    let answer: NewCertificate = context.client.post("/v1/users", json(&wanted)?).await?;
    let user = answer.user.clone();
    let file = new.certified(answer, &name, role)?;
    file.write(&out).map_err(|failure| {
        failure.hint(format!("fleetctl user revoke {name}, and then add it again"))
    })?;
    if context.json {
        return print_json(&user);
    }
    let (until, out) = (text::seconds(user.expires), out.display().to_string());
    let line = format!("{name} may {} until {until}, with {out}", does(role));
    print(&format!("{}\n", text::plain(&line)))?;
    eprintln!(
        "fleetctl --fleet {} list-units    from wherever a host is reached",
        text::plain(&out)
    );
    Ok(())
}

fn does(role: UserRole) -> &'static str {
    match role {
        UserRole::View => "look",
        UserRole::Operate => "operate",
        UserRole::Admin => "do everything",
    }
}

const COLUMNS: &[Column<User>] = &[
    Column { name: "name", cell: |user, _| user.name.clone() },
    Column { name: "role", cell: |user, _| word(user.role).to_owned() },
    Column { name: "created", cell: |user, _| text::seconds(user.created) },
    Column { name: "expires", cell: |user, _| text::seconds(user.expires) },
    Column { name: "state", cell: |user, _| state(user, text::now() / 1_000_000).to_owned() },
];

const DEFAULT: &[&str] = &["name", "role", "expires", "state"];

async fn list(context: &Context, flags: &TableFlags) -> Result<(), Failure> {
    let users: Vec<User> = context.client.get("/v1/users").await?;
    if context.json {
        return print_json(&users);
    }
    let view = View { full: flags.full, machines: &[] };
    print(&table::render(COLUMNS, DEFAULT, &users, flags, &view)?)
}

fn state(user: &User, now: u64) -> &'static str {
    if user.revoked {
        "revoked"
    } else if user.expires < now {
        "expired"
    } else {
        "valid"
    }
}

async fn revoke(context: &Context, name: &str) -> Result<(), Failure> {
    let path = format!("/v1/users/{}", client::encode(name));
    let _: Value = context.client.delete(&path).await?;
    if context.json {
        return print_json(&[name]);
    }
    print(&format!("{}\n", text::plain(&format!("{name} is revoked: no host lets it in"))))
}

async fn renew(context: &Context) -> Result<(), Failure> {
    let Some((path, file)) = &context.user else {
        return Err(Failure::new("renew a certificate: no user's file is used")
            .hint("fleetctl --fleet FILE user renew"));
    };
    let new = NewKey::make()?;
    let body = RenewUser { csr: new.csr.clone() };
    let at = format!("/v1/users/{}/renew", client::encode(file.name.as_str()));
    let answer: NewCertificate = context.client.post(&at, json(&body)?).await?;
    let user = answer.user.clone();
    new.certified(answer, &file.name, file.role)?.write(path)?;
    if context.json {
        return print_json(&user);
    }
    let line = format!("{} is renewed until {}", path.display(), text::seconds(user.expires));
    print(&format!("{}\n", text::plain(&line)))
}
