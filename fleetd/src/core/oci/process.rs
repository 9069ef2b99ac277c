//! What is run: arguments, environment, directory.

use super::image::ImageConfig;
use crate::core::unit::command::substitute;
use crate::core::unit::container::ContainerUnit;
use std::collections::HashMap;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program and its arguments, by the rules of every engine: `Entrypoint=` takes the place of
/// the image's and drops the image's command; `Exec=` takes the place of the command. In the unit's
/// own words variables of `environment` are replaced as systemd does; the image's stay.
pub fn arguments(
    unit: &ContainerUnit,
    image: &ImageConfig,
    environment: &[String],
) -> Result<Vec<String>, String> {
    let variable = |name: &str| {
        let value = |pair: &String| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        environment.iter().find_map(value)
    };
    let (entrypoint, command) = match &unit.entrypoint {
        Some(own) => (substitute(own, variable), Vec::new()),
        None => (image.entrypoint.clone(), image.cmd.clone()),
    };
    let command = if unit.exec.is_empty() { command } else { substitute(&unit.exec, variable) };
    let arguments: Vec<String> = entrypoint.into_iter().chain(command).collect();
    if arguments.first().is_none_or(String::is_empty) {
        return Err(format!(
            "run image {}: it names no program; set Exec= or Entrypoint=",
            unit.image
        ));
    }
    Ok(arguments)
}

/// What fleetd says to every program.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    pub hostname: &'a str,
    pub home: &'a str,
    pub run: &'a str,
    pub notify_socket: Option<&'a str>,
    pub credentials: Option<&'a str>,
}

/// `NAME=value` of the program; later ones win: ours, the image's, the files of `EnvironmentFile=`
/// in order (`files`), `Environment=`. That is Quadlet's order, whose keys these are.
pub fn environment(
    unit: &ContainerUnit,
    image: &ImageConfig,
    files: &[(String, String)],
    given: Given,
) -> Vec<String> {
    let mut variables = Variables::default();
    variables.set("PATH", PATH);
    variables.set("HOSTNAME", given.hostname);
    variables.set("HOME", given.home);
    variables.set("container", "flotilla");
    for pair in &image.env {
        if let Some((name, value)) = pair.split_once('=') {
            variables.set(name, value);
        }
    }
    for (name, value) in files.iter().chain(&unit.environment) {
        variables.set(name, value);
    }
    // Last: a unit cannot pass for another.
    variables.set("FLOTILLA_UNIT", &unit.name);
    variables.set("FLOTILLA_RUN", given.run);
    if let Some(socket) = given.notify_socket {
        variables.set("NOTIFY_SOCKET", socket);
    }
    if let Some(directory) = given.credentials {
        variables.set("CREDENTIALS_DIRECTORY", directory);
    }
    variables.into_list()
}

/// Keeps the place of the first and the value of the last.
#[derive(Default)]
struct Variables {
    order: Vec<(String, String)>,
    index: HashMap<String, usize>,
}

impl Variables {
    fn set(&mut self, name: &str, value: &str) {
        if name.is_empty() || name.contains('\0') || value.contains('\0') {
            return;
        }
        match self.index.get(name).and_then(|at| self.order.get_mut(*at)) {
            Some(pair) => value.clone_into(&mut pair.1),
            None => {
                self.index.insert(name.to_owned(), self.order.len());
                self.order.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn into_list(self) -> Vec<String> {
        self.order.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

/// The working directory: the unit's, the image's, or the root. Absolute; what it leads to is
/// resolved by the runtime inside the root.
pub fn directory(unit: &ContainerUnit, image: &ImageConfig) -> Result<String, String> {
    let chosen = match &unit.working_dir {
        Some(path) => path.to_string_lossy().into_owned(),
        None => image.working_dir.clone().filter(|dir| !dir.is_empty()).unwrap_or("/".to_owned()),
    };
    if chosen.starts_with('/') && !chosen.contains('\0') {
        Ok(chosen)
    } else {
        Err(format!("change directory to {chosen:?}: it is not absolute"))
    }
}
