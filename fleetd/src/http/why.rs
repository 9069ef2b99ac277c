//! Why a unit is on one host and not on another.

use super::problem::Result;
use super::units::{checked, unknown};
use super::{Api, Shared};
use crate::core::cluster;
use crate::core::cluster::Read;
use crate::core::schedule::{self, Options};
use axum::Json;
use axum::extract::{Path, State};
use fleetd_api::{Problem, ProblemKind, Verdict, Why, WhyMachine, WhyPlace};

pub(super) async fn show(State(api): Shared, Path(name): Path<String>) -> Result<Json<Why>> {
    let name = checked(&name)?;
    if name.is_template() {
        let text = format!("explain {name}: a template has no place");
        let hint = format!("fleetctl why {}@1", name.prefix());
        return Err(Problem::new(ProblemKind::Invalid, text).hint(hint).into());
    }
    why(&api, name.as_str()).map(Json).ok_or_else(|| unknown(&name))
}

fn why(api: &Api, unit: &str) -> Option<Why> {
    let decided = api.consensus.decided();
    let observed = api.observed.borrow().clone();
    let (options, mut files) = (Options::default(), Read::default());
    let (found, unplaced) = cluster::why(&decided, &observed, options, &mut files, unit)?;
    let places = decided.places.get(unit).map(|places| places.as_slice()).unwrap_or_default();
    let place = |place: &crate::core::decided::Place| WhyPlace {
        machine: place.machine.to_string(),
        reasons: place.reasons.clone(),
    };
    let machine = |host: schedule::WhyHost| WhyMachine {
        machine: host.host,
        verdict: match host.verdict {
            schedule::Verdict::Placed => Verdict::Placed,
            schedule::Verdict::Best => Verdict::Best,
            schedule::Verdict::Fits => Verdict::Fits,
            schedule::Verdict::Refused => Verdict::Refused,
        },
        reasons: host.reasons,
        points: host.score.total,
    };
    Some(Why {
        unit: unit.to_owned(),
        places: places.iter().map(place).collect(),
        machines: found.hosts.into_iter().map(machine).collect(),
        remedy: unplaced.map(|unplaced| unplaced.remedy),
    })
}
