//! `version`: this program's and the daemon's.

use super::{Context, print, print_json};
use crate::failure::Failure;
use fleetd_api::Version;

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let own = env!("CARGO_PKG_VERSION");
    if !context.json {
        print(&format!("fleetctl {own}\n"))?;
    }
    let daemon: Version = context.client.get("/v1/version").await?;
    if context.json {
        print_json(&serde_json::json!({ "fleetctl": own, "fleetd": daemon }))?;
    } else {
        print(&format!("fleetd {} (API {})\n", daemon.version, daemon.api))?;
    }
    Ok(0)
}
