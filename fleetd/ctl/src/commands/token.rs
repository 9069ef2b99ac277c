//! `token create|list|revoke`: what lets hosts join.

use super::{Context, print, print_json};
use crate::cli::{TableFlags, Token as Command};
use crate::client::{self, json};
use crate::failure::Failure;
use crate::table::{self, Column, View};
use crate::{join_token, text};
use fleetd_api::{CreateToken, NewToken, Token};
use serde_json::Value;

pub(super) async fn run(context: &Context, command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Create { valid_for, uses } => {
            create(context, &CreateToken { valid_for: *valid_for, uses: *uses }).await?;
        }
        Command::List(flags) => list(context, flags).await?,
        Command::Revoke { id } => revoke(context, id).await?,
    }
    Ok(0)
}

async fn create(context: &Context, wanted: &CreateToken) -> Result<(), Failure> {
    let new: NewToken = context.client.post("/v1/tokens", json(wanted)?).await?;
    if context.json {
        return print_json(&new);
    }
    print(&format!("{}\n", text::plain(&new.token)))?;
    let hosts = match new.record.uses {
        None => "any number of hosts".to_owned(),
        Some(1) => "one host".to_owned(),
        Some(count) => format!("{count} hosts"),
    };
    eprintln!("for {hosts}, until {}; there:", text::seconds(new.record.expires));
    // The token exists: that its fleet's address is not known is no failure.
    let address = context.fleet().await.ok().and_then(|fleet| fleet.address);
    let address = address.unwrap_or_else(|| "ADDRESS".to_owned());
    // Standard error may be kept in a log: the token is not repeated there.
    eprintln!("fleetctl join {} --token -    and the token as its input", text::plain(&address));
    Ok(())
}

const COLUMNS: &[Column<Token>] = &[
    Column { name: "id", cell: |token, _| token.id.clone() },
    Column { name: "created", cell: |token, _| text::seconds(token.created) },
    Column { name: "expires", cell: |token, _| text::seconds(token.expires) },
    Column { name: "uses", cell: |token, _| uses(token) },
    Column { name: "state", cell: |token, _| state(token, text::now() / 1_000_000).to_owned() },
];

const DEFAULT: &[&str] = &["id", "created", "expires", "uses", "state"];

async fn list(context: &Context, flags: &TableFlags) -> Result<(), Failure> {
    let tokens: Vec<Token> = context.client.get("/v1/tokens").await?;
    if context.json {
        return print_json(&tokens);
    }
    let view = View { full: flags.full, machines: &[] };
    print(&table::render(COLUMNS, DEFAULT, &tokens, flags, &view)?)
}

fn uses(token: &Token) -> String {
    let limit = token.uses.map_or_else(|| "any".to_owned(), |limit| limit.to_string());
    format!("{}/{limit}", token.used)
}

/// What a host would be told that joins with it now.
fn state(token: &Token, now: u64) -> &'static str {
    if token.revoked {
        "revoked"
    } else if token.expires <= now {
        "expired"
    } else if token.uses.is_some_and(|limit| token.used >= limit) {
        "used up"
    } else {
        "valid"
    }
}

async fn revoke(context: &Context, id: &str) -> Result<(), Failure> {
    // A whole token that was found somewhere is as good as its id.
    let id = join_token::id(id);
    let path = format!("/v1/tokens/{}", client::encode(id));
    let _: Value = context.client.delete(&path).await?;
    if context.json {
        return print_json(&[id]);
    }
    let line = format!("{id} is revoked; hosts that joined with it stay");
    print(&format!("{}\n", text::plain(&line)))
}
