//! The compiled program against what the profile says, call by call.

mod default_profile;
mod direct;
mod errors;
mod interpreter;
mod kernel;
mod meaning;
mod oracle;
mod random;
mod seccompiler;
mod tables;
