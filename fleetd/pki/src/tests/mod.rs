//! What the fleet's certificates and tokens allow and refuse: on the wire where there is a wire.

mod certificates;
mod files;
mod joining;
mod names;
mod rotation;
mod tokens;
mod wire;
