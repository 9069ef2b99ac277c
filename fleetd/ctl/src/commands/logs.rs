//! `logs` (`journal`): the output of units.

use super::{Context, print, unit_path};
use crate::cli::{Lines as Count, Logs, Output};
use crate::failure::Failure;
use crate::{names, text};
use fleetd_api::{LogLine, LogStream};
use futures_util::future;

pub(super) async fn run(context: &Context, flags: &Logs) -> Result<u8, Failure> {
    let listed = context.units().await?;
    let units = names::select(&flags.units, &listed)?;
    let output = if context.json { Output::Json } else { flags.output };
    let several = units.len() > 1;
    let streams = units.iter().map(|unit| copy(context, flags, &unit.name, output, several));
    if flags.follow {
        future::try_join_all(streams).await?;
    } else {
        for stream in streams {
            stream.await?;
        }
    }
    Ok(0)
}

async fn copy(
    context: &Context,
    flags: &Logs,
    unit: &str,
    output: Output,
    several: bool,
) -> Result<(), Failure> {
    let mut query = format!("follow={}", flags.follow);
    if let Count::Last(lines) = flags.lines {
        query.push_str(&format!("&lines={lines}"));
    }
    let path = format!("{}/logs?{query}", unit_path(unit));
    let mut stream = context.client.lines(&path).await?;
    while let Some(line) = stream.next::<LogLine>().await? {
        let text = match output {
            Output::Cat => line.line.clone(),
            Output::Short if several => format!("{unit} | {}", short(&line)),
            Output::Short => short(&line),
            Output::Json => json(unit, &line)?,
        };
        print(&(text + "\n"))?;
    }
    Ok(())
}

/// Time to the millisecond, and the text; a word of the supervisor is marked as such.
pub(super) fn short(line: &LogLine) -> String {
    let time = match line.time.split_once('.') {
        Some((seconds, rest)) => format!("{seconds}.{}Z", rest.get(..3).unwrap_or("000")),
        None => line.time.clone(),
    };
    let mark = if line.stream == LogStream::Supervisor { "[supervisor] " } else { "" };
    format!("{} {mark}{}", text::plain(&time), text::plain(&line.line))
}

fn json(unit: &str, line: &LogLine) -> Result<String, Failure> {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        unit: &'a str,
        #[serde(flatten)]
        line: &'a LogLine,
    }
    serde_json::to_string(&Line { unit, line })
        .map_err(|error| Failure::new(format!("write JSON: {error}")))
}
