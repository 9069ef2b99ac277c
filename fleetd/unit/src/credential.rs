//! What a program gets to read and nobody else: `LoadCredential=`, `SetCredential=`, `Secret=`.
//!
//! Every error is the sentence on what is allowed, to stand after `KEY=VALUE: `.

use super::container::{Credential, SecretFile, Source};
use super::{mapping, words};
use fleetd_api::secret::check_name;

/// systemd's rule for the longest name of a file.
const LONGEST_ID: usize = 255;

/// `ID[:SECRET]` or `ID:/PATH` (systemd.exec(5)).
pub fn load(text: &str) -> Result<Credential, String> {
    let (id, source) = text.split_once(':').unwrap_or((text, text));
    check_id(id)?;
    let source = match source.starts_with('/') {
        true => Source::File(mapping::absolute(source)?),
        false => Source::Secret(secret(source)?),
    };
    Ok(Credential { id: id.to_owned(), source })
}

/// `ID:VALUE`, with C escapes; and those that are not known.
pub fn set(text: &str) -> Result<(Credential, Vec<String>), String> {
    let (id, value) = text.split_once(':').ok_or("it takes ID:VALUE")?;
    check_id(id)?;
    let (value, unknown) = words::unescape(value)?;
    Ok((Credential { id: id.to_owned(), source: Source::Text(value) }, unknown))
}

/// podman's `NAME[,target=FILE][,uid=UID][,gid=GID][,mode=MODE]`.
pub fn secret_file(text: &str) -> Result<SecretFile, String> {
    let mut parts = text.split(',');
    let secret = secret(parts.next().unwrap_or_default())?;
    let mut file =
        SecretFile { target: secret.clone(), secret, uid: 0, gid: 0, mode: DEFAULT_MODE };
    for part in parts {
        let (option, value) = part.split_once('=').unwrap_or((part, ""));
        let id = || value.parse().map_err(|_| format!("{option}={value} is no number of an id"));
        match option {
            "type" if value == "mount" => {}
            "type" if value == "env" => return Err(ENVIRONMENT.to_owned()),
            "target" if value.starts_with('/') => {
                return Err(format!("{part}: a path is not there yet: a name below {SECRETS}"));
            }
            "target" => {
                check_id(value)?;
                value.clone_into(&mut file.target);
            }
            "uid" => file.uid = id()?,
            "gid" => file.gid = id()?,
            "mode" => {
                let mode = u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777);
                file.mode = mode.ok_or_else(|| format!("{part}: it takes 0 to 0777"))?;
            }
            _ => return Err(format!("{part:?} is none of type, target, uid, gid, mode")),
        }
    }
    Ok(file)
}

/// podman's: who may enter the container may read it.
const DEFAULT_MODE: u32 = 0o444;

/// Where `Secret=` is found inside.
pub const SECRETS: &str = "/run/secrets";

const ENVIRONMENT: &str = "an environment is copied to every child, and to whoever looks at the process: \
                           read the file (type=mount), or write LoadCredential= in [Service]";

fn secret(name: &str) -> Result<String, String> {
    check_name(name).map_err(|rule| format!("the secret {name:?}: {rule}"))?;
    Ok(name.to_owned())
}

/// A name of a file (systemd's `credential_name_valid`).
fn check_id(id: &str) -> Result<(), String> {
    let printable = id.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'/');
    match printable && !matches!(id, "" | "." | "..") && id.len() <= LONGEST_ID {
        true => Ok(()),
        false => Err(format!("{id:?} is no name of a file: 1 to 255 letters, no space and no /")),
    }
}
