use super::*;

fn state(active: Active, current: DesiredState) -> UnitState {
    UnitState {
        current,
        load: Load::Loaded,
        active,
        sub: "x".to_owned(),
        machine: None,
        pid: Some(7),
        address: None,
        ports: Vec::new(),
        since: None,
        health: None,
        restarts: 0,
        last_exit: None,
        message: None,
        unenforced: Vec::new(),
        steps: Vec::new(),
    }
}

fn event(state: UnitState) -> EventKind {
    EventKind::State { state: Box::new(state) }
}

fn exit(code: i32) -> Option<ExitReason> {
    Some(ExitReason { code: Some(code), signal: None, oom: false, error: None })
}

#[test]
fn a_start_waits_until_active_and_keeps_its_steps() {
    let mut watch = Watch::new(Goal::Started);
    watch.event(&EventKind::Step { step: "image".to_owned(), message: "pull x".to_owned() });
    assert_eq!(watch.current, Some(("image".to_owned(), "pull x".to_owned())));
    watch.event(&EventKind::Done { step: "image".to_owned(), micros: 5 });
    watch.event(&event(state(Active::Activating, DesiredState::Launched)));
    assert_eq!(watch.verdict, Verdict::Waiting);
    watch.event(&event(state(Active::Active, DesiredState::Launched)));
    assert_eq!((watch.verdict, watch.steps.len()), (Verdict::Reached, 1));
}

#[test]
fn a_failure_from_before_the_request_is_not_this_ones() {
    let mut watch = Watch::new(Goal::Started);
    watch.state(&state(Active::Failed, DesiredState::Launched), false);
    assert_eq!(watch.verdict, Verdict::Waiting);
    let mut failed = state(Active::Failed, DesiredState::Launched);
    failed.message = Some("mount /x: no such file or directory".to_owned());
    watch.event(&event(failed));
    let expected = "mount /x: no such file or directory".to_owned();
    assert_eq!(watch.verdict, Verdict::Failed(expected));
}

#[test]
fn a_oneshot_that_ended_is_judged_by_its_code() {
    for (code, expected) in [(0, Verdict::Reached), (3, Verdict::Failed("exit code 3".to_owned()))]
    {
        let mut watch = Watch::new(Goal::Started);
        let mut ended = state(Active::Inactive, DesiredState::Launched);
        ended.last_exit = exit(code);
        // Of an earlier run: nothing has begun yet.
        watch.event(&event(ended.clone()));
        assert_eq!(watch.verdict, Verdict::Waiting);
        watch.event(&event(state(Active::Activating, DesiredState::Launched)));
        watch.event(&event(ended));
        assert_eq!(watch.verdict, expected);
    }
}

#[test]
fn a_restart_needs_another_process() {
    let mut watch = Watch::new(Goal::Restarted { old_pid: Some(7) });
    watch.event(&event(state(Active::Active, DesiredState::Launched)));
    assert_eq!(watch.verdict, Verdict::Waiting);
    let mut again = state(Active::Active, DesiredState::Launched);
    again.pid = Some(8);
    watch.event(&event(again));
    assert_eq!(watch.verdict, Verdict::Reached);
}

#[test]
fn the_end_of_the_old_run_is_no_end_of_a_restart() {
    for end in [Active::Inactive, Active::Failed] {
        let mut watch = Watch::new(Goal::Restarted { old_pid: Some(7) });
        watch.event(&EventKind::Step { step: "stop".to_owned(), message: "TERM".to_owned() });
        watch.event(&event(state(Active::Deactivating, DesiredState::Launched)));
        watch.event(&EventKind::Done { step: "stop".to_owned(), micros: 5 });
        let mut ended = state(end, DesiredState::Launched);
        ended.last_exit = exit(0);
        watch.event(&event(ended));
        assert_eq!(watch.verdict, Verdict::Waiting);
        watch.event(&event(state(Active::Activating, DesiredState::Launched)));
        let mut again = state(Active::Active, DesiredState::Launched);
        again.pid = Some(8);
        watch.event(&event(again));
        assert_eq!(watch.verdict, Verdict::Reached);
    }
}

#[test]
fn stopping_unloading_and_loading_look_at_fleets_state() {
    let judge = |goal, active, current| {
        let mut watch = Watch::new(goal);
        watch.state(&state(active, current), false);
        watch.verdict == Verdict::Reached
    };
    assert!(judge(Goal::Stopped, Active::Inactive, DesiredState::Loaded));
    assert!(judge(Goal::Stopped, Active::Failed, DesiredState::Loaded));
    assert!(!judge(Goal::Stopped, Active::Deactivating, DesiredState::Launched));
    assert!(!judge(Goal::Unloaded, Active::Inactive, DesiredState::Loaded));
    assert!(judge(Goal::Unloaded, Active::Inactive, DesiredState::Inactive));
    assert!(judge(Goal::Loaded, Active::Inactive, DesiredState::Loaded));
    assert!(!judge(Goal::Loaded, Active::Inactive, DesiredState::Inactive));
}

#[test]
fn a_unit_that_goes_away_fails_every_goal_but_its_destruction() {
    let mut watch = Watch::new(Goal::Destroyed);
    watch.event(&EventKind::Destroyed);
    assert_eq!(watch.verdict, Verdict::Reached);
    let mut watch = Watch::new(Goal::Started);
    watch.event(&EventKind::Destroyed);
    assert_eq!(watch.verdict, Verdict::Failed("it was destroyed".to_owned()));
    let mut watch = Watch::new(Goal::Started);
    watch.event(&EventKind::Desired { desired: DesiredState::Launched });
    assert_eq!(watch.verdict, Verdict::Waiting);
    watch.event(&EventKind::Desired { desired: DesiredState::Loaded });
    assert!(matches!(watch.verdict, Verdict::Failed(_)));
}

#[test]
fn exits_read_as_phrases() {
    let killed = ExitReason { code: None, signal: Some("KILL".to_owned()), oom: true, error: None };
    assert_eq!(exit_text(&killed), "killed by KILL (out of memory)");
    assert_eq!(exit_text(&exit(2).unwrap()), "exit code 2");
}
