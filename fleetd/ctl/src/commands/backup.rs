//! `backup` and `restore`: what is decided as a file, and back.

use super::{Context, confirm, fleet, print, print_json};
use crate::cli::{Backup as BackupFlags, Restore as RestoreFlags};
use crate::client;
use crate::failure::Failure;
use crate::text;
use fleetd_api::{Backup, Restored};
use fleetd_pki::files::write_private;
use std::fmt::Write;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Units that are named of each kind.
const NAMED: usize = 10;

pub(super) async fn backup(context: &Context, flags: &BackupFlags) -> Result<u8, Failure> {
    let backup: Backup = context.client.get("/v1/fleet/backup").await?;
    let bytes = serde_json::to_vec(&backup)
        .map_err(|error| Failure::new(format!("write the backup: {error}")))?;
    if flags.file.as_os_str() == "-" {
        print(&String::from_utf8_lossy(&bytes))?;
    } else {
        write_private(&flags.file, &bytes).map_err(|error| Failure::new(error.to_string()))?;
    }
    let units = count(backup.units, "unit");
    eprintln!("{units}, decided up to {} of generation {}", backup.index, backup.generation);
    if backup.fleet.is_some() {
        eprintln!("it has the keys of the fleet in it: whoever can read it has the fleet");
    }
    Ok(0)
}

pub(super) async fn restore(context: &Context, flags: &RestoreFlags) -> Result<u8, Failure> {
    let bytes = read(&flags.file)?;
    let path = |plan: bool, index: Option<u64>| {
        let mut path = format!("/v1/fleet/restore?plan={plan}");
        if let Some(index) = index {
            let _ = write!(path, "&index={index}");
        }
        if let Some(advertise) = &flags.advertise {
            let _ = write!(path, "&advertise={}", client::encode(advertise));
        }
        path
    };
    let body = || client::full(bytes.clone());
    let plan: Restored = context.client.slow(&path(true, None), body()).await?;
    if flags.plan {
        return told(context, &plan).map(|()| 0);
    }
    if !context.json {
        print(&page(&plan))?;
    }
    if plan.generation.is_none() && is_empty(&plan) {
        return if context.json { told(context, &plan).map(|()| 0) } else { Ok(0) };
    }
    if !flags.yes {
        confirm("Do that", "fleetctl restore --yes does it")?;
    }
    let path = path(false, Some(plan.index));
    let asked = context.client.slow::<Restored>(&path, body());
    if plan.generation.is_none() {
        let restored = asked.await?;
        return if context.json { told(context, &restored).map(|()| 0) } else { Ok(0) };
    }
    let fleet = fleet::starts_again(context, "restore", "from the backup", asked).await?;
    if context.json {
        print_json(&fleet)?;
        return Ok(0);
    }
    print(&format!("the fleet goes on from the backup, in generation {}\n", fleet.generation))?;
    eprintln!("hosts of it that live follow; fleetctl list-machines shows them");
    Ok(0)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Failure::io("read standard input", &error))?;
        return Ok(bytes);
    }
    fs::read(path).map_err(|error| Failure::io(format!("read {}", path.display()), &error))
}

fn told(context: &Context, restored: &Restored) -> Result<(), Failure> {
    match context.json {
        true => print_json(restored),
        false => print(&page(restored)),
    }
}

fn is_empty(plan: &Restored) -> bool {
    let units = [&plan.added, &plan.changed, &plan.destroyed];
    units.iter().all(|units| units.is_empty()) && plan.secrets.is_empty()
}

fn page(plan: &Restored) -> String {
    let mut out = String::new();
    if plan.generation.is_some() {
        let _ = writeln!(
            out,
            "this host becomes the only voter of the fleet, with {} of the backup; what was decided \
             since is lost, and hosts that live stop what the backup does not have",
            count(plan.added.len(), "unit")
        );
        return out;
    }
    if is_empty(plan) {
        return "all units and secrets are as the backup has them\n".to_owned();
    }
    let kinds = [
        ("add", &plan.added),
        ("change", &plan.changed),
        ("destroy", &plan.destroyed),
        ("set secret", &plan.secrets),
    ];
    for (verb, names) in kinds {
        for name in names.iter().take(NAMED) {
            let _ = writeln!(out, "{verb:>7} {}", text::plain(name));
        }
        if names.len() > NAMED {
            let _ = writeln!(out, "{verb:>7} {} more", names.len() - NAMED);
        }
    }
    out
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
