//! `--help`, of the program and of each command, made from the tables that the parser goes by.

use std::ffi::OsString;

use super::{COMMANDS, Command, GLOBAL};
use crate::cli::{Flag, Kind};

pub(super) fn program() {
    println!("usage: ocirun [global flags] COMMAND [flags] [arguments]\n\ncommands:");
    for Command { name, what, .. } in COMMANDS {
        println!("  {name:<10} {what}");
    }
    println!("\nglobal flags:");
    flags(GLOBAL);
    println!("\nocirun COMMAND --help tells a command's flags.");
}

/// Among the command's own flags; what follows its first argument may be another program's.
pub(super) fn is_asked_for(words: &[OsString]) -> bool {
    let mut flags = words.iter().take_while(|word| word.to_string_lossy().starts_with('-'));
    flags.any(|word| word == "--help" || word == "-help" || word == "-h")
}

pub(super) fn command(command: &Command) {
    let Command { name, arguments, what, flags: table, .. } = command;
    let taken = if table.is_empty() { "" } else { " [flags]" };
    println!("{}\n\n{what}", format!("usage: ocirun {name}{taken} {arguments}").trim_end());
    if !table.is_empty() {
        println!("\nflags:");
        flags(table);
    }
}

/// Those that are refused are no help.
fn flags(table: &[Flag]) {
    for (name, short, kind) in table {
        let value = match kind {
            Kind::Value => " VALUE",
            Kind::Switch => "",
            Kind::RefusedSwitch(_) | Kind::RefusedValue(_) => continue,
        };
        let letter = if short.len() == 1 { format!("-{short}, ") } else { "    ".to_owned() };
        println!("  {letter}--{name}{value}");
    }
}
