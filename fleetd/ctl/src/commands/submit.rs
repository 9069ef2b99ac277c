//! `submit`: hands unit files to the fleet. Also what `load` and `start` do first.

use super::{Context, print, print_json, unit_path};
use crate::cli::Submit as Flags;
use crate::failure::Failure;
use crate::names;
use crate::unit_files::{self, UnitFile};
use fleetd_api::{Accepted, DesiredState, Submit, Unit, UnitName};
use std::path::Path;

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    let known = context.units().await?;
    let mut names: Vec<String> = Vec::new();
    for argument in &flags.units {
        let wanted = Wanted::find(context, argument, &known).await?;
        wanted.submit(context, flags.replace, None).await?;
        if !context.json {
            print(&format!("{} submitted\n", wanted.name))?;
        }
        names.push(wanted.name.into());
    }
    if context.json {
        print_json(&names)?;
    }
    Ok(0)
}

/// A unit that an argument names, with what the fleet and the caller's directory have of it.
pub(super) struct Wanted {
    pub name: UnitName,
    submitted: Option<Unit>,
    file: Option<UnitFile>,
}

impl Wanted {
    /// `web.container` may be a file here, a submitted unit or both; `web@1` may come from
    /// `web@.container`, here or submitted. `known`: the submitted units.
    pub(super) async fn find(
        context: &Context,
        argument: &str,
        known: &[Unit],
    ) -> Result<Self, Failure> {
        let is_path = argument.contains('/');
        let dir = Path::new(argument).parent().filter(|_| is_path).unwrap_or(Path::new(""));
        let submitted = |name: &str| known.iter().any(|unit| unit.name == name);
        let name = names::resolve(argument, |name| submitted(name) || dir.join(name).is_file())?;
        let mut file = unit_files::read(dir, &name)?;
        if is_path && file.is_none() {
            let path = dir.join(name.as_str());
            return Err(Failure::new(format!("read {}: no such file", path.display())));
        }
        let unit = match submitted(name.as_str()) {
            true => context.unit(name.as_str()).await?,
            false => None,
        };
        if let (None, None, Some(template)) = (&unit, &file, name.template()) {
            file = context.unit(template.as_str()).await?.map(|unit| UnitFile {
                path: template.as_str().into(),
                text: unit.text.unwrap_or_default(),
                drop_ins: unit.drop_ins,
            });
        }
        if unit.is_none() && file.is_none() {
            return Err(Failure::new(format!("find {name}: no such unit, and no such file here"))
                .hint("fleetctl list-unit-files shows what is submitted"));
        }
        Ok(Self { name, submitted: unit, file })
    }

    /// Whether it is a template of which the fleet makes no instances. Of a file that is handed over
    /// fleetd says so.
    pub(super) fn lacks_an_instance(&self) -> bool {
        let says_none = self.submitted.as_ref().is_some_and(|unit| unit.replicas.is_none());
        self.name.is_template() && self.file.is_none() && says_none
    }

    /// The first process of the unit's run that a start with `replace` puts an end to.
    pub(super) fn replaced_pid(&self, replace: bool) -> Option<i32> {
        match (&self.file, &self.submitted) {
            (Some(file), Some(unit)) if replace && !file.is_same(unit) => unit.state.pid,
            _ => None,
        }
    }

    /// Hands the file over where it is new or, with `replace`, differs; sets the desired state
    /// where there is one. The index after which the effects follow; none: nothing was asked.
    pub(super) async fn submit(
        &self,
        context: &Context,
        replace: bool,
        desired: Option<DesiredState>,
    ) -> Result<Option<Accepted>, Failure> {
        let path = unit_path(self.name.as_str());
        let same = match (&self.file, &self.submitted) {
            (Some(file), Some(unit)) => file.is_same(unit),
            (None, _) => true,
            (Some(_), None) => false,
        };
        let body = match &self.file {
            Some(file) if !same && (replace || self.submitted.is_none()) => {
                Submit { desired, ..file.clone().submit(replace) }
            }
            file => {
                if let (Some(file), false) = (file, same) {
                    let path = file.path.display();
                    eprintln!(
                        "warning: {path} differs from the submitted {} (--replace takes it)",
                        self.name
                    );
                }
                return match desired {
                    Some(desired) => {
                        let body = fleetd_api::Desire { desired };
                        context.client.put(&format!("{path}/desired"), &body).await.map(Some)
                    }
                    None => Ok(None),
                };
            }
        };
        let accepted: Accepted = context.client.put(&path, &body).await?;
        super::report::warnings(&accepted.warnings);
        Ok(Some(accepted))
    }
}
