//! The image and the units that are started: one static program, which tells when it begins.

use std::fs;
use std::path::PathBuf;

use super::stamps::{SOCKET, Stamps};
use crate::start::our_program;

pub(super) const IMAGE: &str = "stamp";

/// What a unit says about its network.
#[derive(Debug, Clone, Copy)]
pub(super) enum Network {
    /// A network of its own with nothing in it.
    None,
    /// The host's.
    Host,
    /// An address from netd, as units have that say nothing.
    Default,
}

/// A directory with the program, for `image import`.
pub(super) fn root(stamps: &Stamps) -> Result<PathBuf, String> {
    let root = stamps.directory().join("root");
    let program = our_program("stamp")?;
    fs::create_dir_all(root.join("bin"))
        .and_then(|()| fs::copy(program, root.join("bin/stamp")))
        .map_err(|error| format!("make the image's root: {error}"))?;
    Ok(root)
}

/// A unit file, with `more` at its end. It tells its own name.
pub(super) fn write(
    stamps: &Stamps,
    name: &str,
    network: Network,
    more: &str,
) -> Result<PathBuf, String> {
    let path = stamps.directory().join(name);
    let network = match network {
        Network::None => "Network=none\n",
        Network::Host => "Network=host\n",
        Network::Default => "",
    };
    let text = format!(
        "[Container]\nImage={IMAGE}\nExec=/bin/stamp {SOCKET} %N\nVolume={}:{}\n{network}{more}",
        stamps.inside().display(),
        super::stamps::INSIDE,
    );
    fs::write(&path, text).map_err(|error| format!("write {}: {error}", path.display()))?;
    Ok(path)
}
