//! Prints `docs/units.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(fleetd_unit::reference::page().as_bytes())
}
