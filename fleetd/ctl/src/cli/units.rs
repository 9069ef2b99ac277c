//! The flags of what changes units.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Units {
    /// Names of units or globs
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// A template: web@.container, or web@
    #[arg(value_name = "TEMPLATE")]
    pub template: String,
    #[arg(value_name = "N")]
    pub replicas: u32,
    #[command(flatten)]
    pub blocking: Blocking,
}

#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// Unit files, or names of units whose files are here
    #[arg(required = true, value_name = "FILE")]
    pub units: Vec<String>,
    /// Take the place of a different file of that name
    #[arg(long)]
    pub replace: bool,
    #[command(flatten)]
    pub guard: Guard,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Unit files, or directories with some
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// What has no effect is wrong, too
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Guard {
    /// All of it or nothing, and only if no unit, place or host was decided anew since `plan`
    #[arg(long, value_name = "INDEX")]
    pub if_index: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Unit files, names of units, or globs of submitted ones
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<String>,
    /// What is to be done with them; a file here is taken
    #[arg(long, value_enum, default_value = "start")]
    pub verb: Verb,
    /// Exit with 2 if something would change
    #[arg(long)]
    pub exit_code: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Verb {
    Submit,
    Load,
    Start,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Unit files, names of units, or globs of submitted ones
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<String>,
    /// Take the place of a different file of that name
    #[arg(long)]
    pub replace: bool,
    #[command(flatten)]
    pub guard: Guard,
    #[command(flatten)]
    pub blocking: Blocking,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Names of units or globs
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<String>,
    #[command(flatten)]
    pub blocking: Blocking,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Blocking {
    /// Do not wait for the effect
    #[arg(long)]
    pub no_block: bool,
    /// Give up waiting after so many half seconds; 0: never
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub block_attempts: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Pass standard input on
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// USER[:GROUP] to run as, in place of the unit's
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Directory to start in, in place of the unit's
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// NAME=VALUE to add to the environment; repeatable
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    #[arg(value_name = "UNIT")]
    pub unit: String,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}
