//! The flags of what shows: tables, logs, events.

use crate::commands::EventId;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Names of units or globs; none: all
    #[arg(value_name = "UNIT")]
    pub units: Vec<String>,
    /// Lines of output to show
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub lines: u32,
    /// Whole ids and hashes
    #[arg(short = 'l', long)]
    pub full: bool,
}

#[derive(Debug, Default, Args)]
pub(crate) struct TableFlags {
    /// Whole ids and hashes
    #[arg(short = 'l', long)]
    pub full: bool,
    /// No line of headings
    #[arg(long)]
    pub no_legend: bool,
    /// Columns to show, separated by commas
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub fields: Option<Vec<String>>,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Names of units or globs
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<String>,
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// How many of the last lines; `all` for all that is kept
    #[arg(short = 'n', long, value_name = "N", default_value = "10", value_parser = parse_lines)]
    pub lines: Lines,
    /// What a line looks like
    #[arg(short, long, value_enum, default_value = "short")]
    pub output: Output,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Lines {
    All,
    Last(u32),
}

fn parse_lines(text: &str) -> Result<Lines, String> {
    if text == "all" {
        return Ok(Lines::All);
    }
    text.parse().map(Lines::Last).map_err(|_| "it takes a number or `all`".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// Time and text
    Short,
    /// Text only
    Cat,
    /// A JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Names of units, or globs of submitted ones; none: all
    #[arg(value_name = "UNIT")]
    pub units: Vec<String>,
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Begin after this event: INDEX@ORIGIN, both as --json has them [default: what is kept, or with
    /// --follow from now on]
    #[arg(long, value_name = "ID")]
    pub since: Option<EventId>,
}
