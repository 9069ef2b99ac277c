use super::*;

const ONE: &str = "00865225aaaa";
const TWO: &str = "be720086aaaa";

fn unit(name: &str, file: FileChange, steps: Vec<PlannedStep>) -> PlannedUnit {
    PlannedUnit {
        unit: name.to_owned(),
        made_from: None,
        file,
        keys: Vec::new(),
        desired_before: None,
        desired_after: Some(DesiredState::Launched),
        steps,
    }
}

fn step(kind: StepKind, from: Option<&str>, to: Option<&str>, reason: &str) -> PlannedStep {
    let machine = |id: Option<&str>| id.map(str::to_owned);
    let (from, to) = (machine(from), machine(to));
    PlannedStep { kind, from, to, reasons: vec![reason.to_owned()] }
}

fn key(key: &str, before: &[&str], after: &[&str]) -> KeyChange {
    let owned = |values: &[&str]| values.iter().map(ToString::to_string).collect();
    KeyChange {
        section: "Container".to_owned(),
        key: key.to_owned(),
        before: owned(before),
        after: owned(after),
    }
}

#[test]
fn a_page_says_what_becomes_of_files_then_of_hosts_then_who_has_no_place() {
    let restart = || vec![step(StepKind::Restart, Some(ONE), Some(ONE), "")];
    let mut template = unit("web@.container", FileChange::Changed, Vec::new());
    template.keys = vec![
        key("Image", &["a"], &["b"]),
        key("PublishPort", &["80:80", "81:81"], &["80:80", "82:82"]),
        key("Volume", &["x", "y"], &["y", "x"]),
    ];
    let mut units = vec![
        unit("a.container", FileChange::New, vec![step(StepKind::Add, None, Some(TWO), "best")]),
        unit(
            "low.container",
            FileChange::Same,
            vec![step(StepKind::Move, Some(ONE), Some(TWO), "a.container needs the room")],
        ),
        template,
    ];
    let names = (1..=7).map(|number| format!("web@{number}.container"));
    let made_from = Some("web@.container".to_owned());
    units.extend(names.map(|name| PlannedUnit {
        made_from: made_from.clone(),
        ..unit(&name, FileChange::Changed, restart())
    }));
    let plan = Plan {
        index: 42,
        units,
        unplaced: vec![Unplaced {
            unit: "last.container".to_owned(),
            reasons: vec!["2 hosts: memory".to_owned()],
            remedy: "ask for less".to_owned(),
        }],
        warnings: Vec::new(),
    };
    let expected = "\
new      a.container
change   web@.container
           [Container]
           -Image=a
           +Image=b
           -PublishPort=81:81
           +PublishPort=82:82
           -Volume=x
           -Volume=y
           +Volume=y
           +Volume=x
start    a.container on be720086
move     low.container from 00865225 to be720086: a.container needs the room
restart  web@1.container on 00865225
restart  web@2.container on 00865225
restart  web@3.container on 00865225
restart  web@4.container on 00865225
restart  web@5.container on 00865225
         and 2 more
no place last.container
           2 hosts: memory
           nearest remedy: ask for less
index 42: fleetctl start --if-index 42 --replace web@ a does just this
";
    assert_eq!(page(&plan, "fleetctl start --replace web@ a"), expected);
}

#[test]
fn a_page_of_nothing_is_one_line() {
    let mut same = unit("a.container", FileChange::Same, Vec::new());
    same.desired_before = same.desired_after;
    let plan = Plan { index: 7, units: vec![same], ..Plan::default() };
    assert_eq!(page(&plan, "fleetctl start a"), "nothing would change, at index 7\n");
}
