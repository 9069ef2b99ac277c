//! `submit`: hands unit files to the fleet. Also what `load` and `start` do first.

use super::{Context, print, print_json, unit_path};
use crate::cli::Submit as Flags;
use crate::client;
use crate::failure::Failure;
use crate::names;
use crate::unit_files::{self, UnitFile};
use fleetd_api::{Accepted, Change, Changes, DesiredState, Submit, Unit, UnitName, UnitText};
use std::path::Path;

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    let known = context.units().await?;
    let mut names: Vec<String> = Vec::new();
    if let Some(index) = flags.guard.if_index {
        let wanted = find_all(context, &flags.units, &known).await?;
        together(context, &wanted, flags.replace, None, index).await?;
        names.extend(wanted.iter().map(|unit| unit.name.to_string()));
        if !context.json {
            print(&names.iter().map(|name| format!("{name} submitted\n")).collect::<String>())?;
        }
    }
    for argument in flags.units.iter().filter(|_| flags.guard.if_index.is_none()) {
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

/// The units that arguments name, each once; globs are of submitted ones. Templates are named whole.
pub(super) async fn find_all(
    context: &Context,
    arguments: &[String],
    known: &[Unit],
) -> Result<Vec<Wanted>, Failure> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for argument in arguments {
        let named: Vec<String> = if names::is_glob(argument) {
            let found = names::select(std::slice::from_ref(argument), known)?;
            let found = found.into_iter().filter(|unit| !unit.name.contains("@."));
            found.map(|unit| unit.name.clone()).collect()
        } else {
            vec![argument.clone()]
        };
        for name in named {
            let unit = Wanted::find(context, &name, known).await?;
            if !wanted.iter().any(|other| other.name == unit.name) {
                wanted.push(unit);
            }
        }
    }
    Ok(wanted)
}

/// All of it, or nothing: refused if the fleet has changed since a plan.
pub(super) async fn together(
    context: &Context,
    wanted: &[Wanted],
    replace: bool,
    desired: Option<DesiredState>,
    since: u64,
) -> Result<Accepted, Failure> {
    wanted.iter().for_each(|unit| unit.warn_of_another_file(replace));
    let changes = wanted.iter().map(|unit| unit.change(replace, desired)).collect();
    let body = client::json(&Changes { changes, if_index: Some(since) })?;
    let accepted: Accepted = context.client.post("/v1/changes", body).await?;
    super::report::warnings(&accepted.warnings);
    Ok(accepted)
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

    /// The same of an instance that the fleet has made of this template.
    pub(super) fn replaced_instance_pid(
        &self,
        name: &str,
        known: &[Unit],
        replace: bool,
    ) -> Option<i32> {
        let is_replaced = self.submitted.is_some() && self.taken(replace).is_some();
        let instance = known.iter().filter(|_| is_replaced).find(|unit| unit.name == name)?;
        let is_made = instance.made_from.as_deref() == Some(self.name.as_str());
        instance.state.pid.filter(|_| is_made)
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
        self.warn_of_another_file(replace);
        match (self.taken(replace), desired) {
            (Some(file), desired) => {
                let body = Submit { desired, ..file.clone().submit(replace) };
                let accepted: Accepted = context.client.put(&path, &body).await?;
                super::report::warnings(&accepted.warnings);
                Ok(Some(accepted))
            }
            (None, Some(desired)) => {
                let body = fleetd_api::Desire { desired };
                context.client.put(&format!("{path}/desired"), &body).await.map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    /// The same as one of several changes.
    pub(super) fn change(&self, replace: bool, desired: Option<DesiredState>) -> Change {
        let file = self.taken(replace).cloned();
        let file = file.map(|UnitFile { text, drop_ins, .. }| UnitText { text, drop_ins });
        Change { unit: self.name.to_string(), file, replace, desired }
    }

    /// The file, where it is new or, with `replace`, differs.
    fn taken(&self, replace: bool) -> Option<&UnitFile> {
        let may = replace || self.submitted.is_none();
        self.other_file().filter(|_| may)
    }

    pub(super) fn warn_of_another_file(&self, replace: bool) {
        if let (Some(file), None) = (self.other_file(), self.taken(replace)) {
            let path = file.path.display();
            eprintln!(
                "warning: {path} differs from the submitted {} (--replace takes it)",
                self.name
            );
        }
    }

    /// The file, unless just that was submitted.
    pub(super) fn other_file(&self) -> Option<&UnitFile> {
        let is_same = |file: &&UnitFile| self.submitted.as_ref().is_some_and(|u| file.is_same(u));
        self.file.as_ref().filter(|file| !is_same(file))
    }

    pub(super) fn is_submitted(&self) -> bool {
        self.submitted.is_some()
    }
}
