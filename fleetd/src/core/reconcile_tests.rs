use super::*;
use crate::core::unit::container::Restart;
use std::time::Duration;

fn service(kind: ServiceType, restart: Restart) -> Service {
    Service {
        kind,
        restart,
        restart_sec: Duration::from_millis(100),
        restart_steps: 0,
        restart_max_delay: None,
        timeout_start: Some(Duration::from_secs(90)),
        timeout_stop: Some(Duration::from_secs(90)),
        start_limit_interval: Duration::from_secs(10),
        start_limit_burst: 5,
        remain_after_exit: false,
        stop_signal: None,
    }
}

fn launched(service: &Service) -> Want<'_> {
    Want { launched: true, start: 1, restart: 0, service: Some(service), unusable: None }
}

fn exited(code: i32) -> Seen {
    let exit = ExitReason { code: Some(code), signal: None, oom: false, error: None };
    Seen::Ended { exit, at: 50 }
}

fn running(order: u64) -> Seen {
    Seen::Running { order, since: 10, ready: false, asked: false }
}

fn asked(order: u64) -> Seen {
    Seen::Running { order, since: 10, ready: false, asked: true }
}

fn failed(error: &str, kind: StartError) -> Seen {
    Seen::StartFailed { error: error.to_owned(), kind }
}

/// Steps through what is seen, from a fresh life, one second a step; returns the last action.
fn through(life: &mut Life, want: &Want, seen: &[Seen]) -> Option<Action> {
    let mut last = None;
    for (n, seen) in seen.iter().enumerate() {
        last = life.step(want, seen, 100 + n as u64).action;
    }
    last
}

#[test]
fn a_wanted_unit_starts_once() {
    let service = service(ServiceType::Simple, Restart::No);
    let want = launched(&service);
    let mut life = Life::default();
    assert_eq!(life.step(&want, &Seen::Nothing, 1).action, Some(Action::Start { order: 1 }));
    assert_eq!(life.step(&want, &Seen::Preparing { order: 1 }, 2).action, None);
    assert_eq!(life.phase, Phase::Starting);
    assert_eq!(life.step(&want, &running(1), 3).action, None);
    assert_eq!(life.phase, Phase::Running);
    assert_eq!(life.step(&want, &running(1), 4), Step::default());
    assert_eq!(life.since, 3);
}

#[test]
fn an_unwanted_unit_is_left_alone() {
    let service = service(ServiceType::Simple, Restart::Always);
    let want = Want { launched: false, ..launched(&service) };
    let mut life = Life::default();
    assert_eq!(life.step(&want, &Seen::Nothing, 1), Step::default());
    assert_eq!(life.phase, Phase::Dead);
}

#[test]
fn a_stop_asks_once_and_ends_dead() {
    let service = service(ServiceType::Simple, Restart::Always);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing, running(1)]);
    let want = Want { launched: false, ..launched(&service) };
    assert_eq!(life.step(&want, &running(1), 200).action, Some(Action::Stop));
    assert_eq!(life.step(&want, &asked(1), 201).action, None);
    // Another fleetd asks again.
    assert_eq!(life.step(&want, &running(1), 201).action, Some(Action::Stop));
    assert_eq!(life.step(&want, &exited(143), 202).action, Some(Action::Clear));
    assert_eq!(life.step(&want, &Seen::Clearing, 203), Step::default());
    assert_eq!(life.step(&want, &Seen::Nothing, 204), Step::default());
    assert_eq!(life.phase, Phase::Dead);
}

#[test]
fn a_unit_wanted_again_while_it_stops_starts_afterwards() {
    let service = service(ServiceType::Simple, Restart::No);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing, running(1)]);
    let unwanted = Want { launched: false, ..launched(&service) };
    life.step(&unwanted, &running(1), 200);
    let again = Want { start: 7, ..launched(&service) };
    assert_eq!(life.step(&again, &asked(1), 201).action, None);
    assert_eq!(life.step(&again, &exited(0), 202).action, Some(Action::Clear));
    assert_eq!(life.step(&again, &Seen::Nothing, 203).action, Some(Action::Start { order: 7 }));
}

#[test]
fn a_preparation_is_cancelled_when_the_unit_is_stopped() {
    let service = service(ServiceType::Simple, Restart::Always);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing]);
    let want = Want { launched: false, ..launched(&service) };
    assert_eq!(life.step(&want, &Seen::Preparing { order: 1 }, 2).action, Some(Action::Cancel));
    assert_eq!(life.step(&want, &Seen::Preparing { order: 1 }, 3).action, None);
    life.step(&want, &failed("cancelled", StartError::Cancelled), 4);
    assert_eq!(life.phase, Phase::Dead);
    assert_eq!(life.last_exit, None);
}

#[test]
fn a_cancel_that_comes_too_late_stops_the_program() {
    let service = service(ServiceType::Simple, Restart::Always);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing]);
    let want = Want { launched: false, ..launched(&service) };
    life.step(&want, &Seen::Preparing { order: 1 }, 2);
    assert_eq!(life.step(&want, &running(1), 3).action, Some(Action::Stop));
}

#[test]
fn a_run_that_is_wanted_again_before_its_cancel_came_goes_on() {
    let service = service(ServiceType::Simple, Restart::Always);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing]);
    let unwanted = Want { launched: false, ..launched(&service) };
    life.step(&unwanted, &Seen::Preparing { order: 1 }, 2);
    let again = Want { start: 5, ..launched(&service) };
    life.step(&again, &Seen::Preparing { order: 1 }, 3);
    assert_eq!(life.step(&again, &running(1), 4).action, None);
    assert_eq!(life.phase, Phase::Running);
}

#[test]
fn a_unit_that_was_stopped_runs_again_when_a_restored_fleet_wants_it() {
    let service = service(ServiceType::Simple, Restart::Always);
    let mut life = Life::default();
    let want = launched(&service);
    through(&mut life, &want, &[Seen::Nothing, running(1)]);
    let unwanted = Want { launched: false, ..want };
    through(&mut life, &unwanted, &[asked(1), exited(0), Seen::Nothing]);
    assert_eq!(life.step(&want, &Seen::Nothing, 200).action, Some(Action::Start { order: 1 }));
}

#[test]
fn a_restart_that_a_restored_fleet_knows_nothing_of_still_leads_to_a_run() {
    let service = service(ServiceType::Simple, Restart::No);
    let mut life = Life::default();
    let before = launched(&service);
    through(&mut life, &before, &[Seen::Nothing, running(1)]);
    let want = Want { restart: 5, ..before };
    through(&mut life, &want, &[running(1), asked(1), exited(0)]);
    assert_eq!(life.step(&before, &Seen::Nothing, 200).action, Some(Action::Start { order: 1 }));
}

#[test]
fn a_place_that_is_lost_and_given_back_while_the_run_is_taken_away_leads_to_a_run() {
    let service = service(ServiceType::Simple, Restart::Always);
    let mut life = Life::default();
    let want = launched(&service);
    through(&mut life, &want, &[Seen::Nothing, running(1)]);
    let unwanted = Want { launched: false, ..want };
    through(&mut life, &unwanted, &[running(1), asked(1), exited(0)]);
    life.step(&want, &Seen::Clearing, 200);
    assert_eq!(life.step(&want, &Seen::Nothing, 201).action, Some(Action::Start { order: 1 }));
}

#[test]
fn a_clock_that_is_set_back_delays_no_restart() {
    let service = service(ServiceType::Simple, Restart::Always);
    let mut life = Life { phase: Phase::AutoRestart { until: 3_600_000_000 }, ..Life::default() };
    let want = Want { start: 0, ..launched(&service) };
    let wake = life.step(&want, &Seen::Nothing, 1_000).wake;
    assert_eq!(wake, Some(101_000), "RestartSec= from now on");
    let action = life.step(&want, &Seen::Nothing, 101_000).action;
    assert_eq!(action, Some(Action::Start { order: 0 }));
}

#[test]
fn a_restart_replaces_the_run() {
    let service = service(ServiceType::Simple, Restart::No);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing, running(1)]);
    let want = Want { restart: 5, ..launched(&service) };
    assert_eq!(life.step(&want, &running(1), 9).action, Some(Action::Stop));
    life.step(&want, &exited(0), 10);
    assert_eq!(life.step(&want, &Seen::Nothing, 11).action, Some(Action::Start { order: 5 }));
    life.step(&want, &running(5), 12);
    assert_eq!((life.phase, life.restarts), (Phase::Running, 0));
}

#[test]
fn a_start_of_a_running_unit_changes_nothing() {
    let service = service(ServiceType::Simple, Restart::No);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing, running(1)]);
    let want = Want { start: 9, ..launched(&service) };
    assert_eq!(life.step(&want, &running(1), 9), Step::default());
    // Nor is it remembered for when the program has ended.
    life.step(&want, &exited(0), 10);
    assert_eq!(life.step(&want, &Seen::Nothing, 11), Step::default());
    assert_eq!(life.phase, Phase::Dead);
}

#[test]
fn a_start_of_a_unit_that_starts_or_has_done_its_work_changes_nothing() {
    let mut service = service(ServiceType::Oneshot, Restart::No);
    service.remain_after_exit = true;
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing]);
    let want = Want { start: 9, ..launched(&service) };
    let done = [Seen::Preparing { order: 1 }, running(1), exited(0), Seen::Nothing];
    assert_eq!(through(&mut life, &want, &done), None);
    assert_eq!(life.phase, Phase::Exited);
    let again = Want { start: 12, ..want };
    assert_eq!(life.step(&again, &Seen::Nothing, 200), Step::default());
    let anew = Want { start: 15, restart: 15, ..want };
    assert_eq!(life.step(&anew, &Seen::Nothing, 201).action, Some(Action::Start { order: 15 }));
}

#[test]
fn a_start_of_a_running_unit_leaves_its_failures_to_the_policy() {
    let service = service(ServiceType::Simple, Restart::OnFailure);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing, running(1)]);
    let want = Want { start: 9, ..launched(&service) };
    life.step(&want, &running(1), 9);
    life.step(&want, &exited(1), 1000);
    assert_eq!(life.step(&want, &Seen::Nothing, 1001), Step::wake(101_000));
    assert_eq!(life.step(&want, &Seen::Nothing, 101_000).action, Some(Action::Start { order: 9 }));
    assert_eq!((life.restarts, life.starts.len()), (1, 2));
}

#[test]
fn a_failure_restarts_after_the_delay() {
    let service = service(ServiceType::Simple, Restart::OnFailure);
    let want = launched(&service);
    let mut life = Life::default();
    through(&mut life, &want, &[Seen::Nothing, running(1)]);
    life.step(&want, &exited(3), 1000);
    assert_eq!(life.phase, Phase::AutoRestart { until: 101_000 });
    assert_eq!(life.message.as_deref(), Some("exited with code 3"));
    assert_eq!(life.step(&want, &Seen::Nothing, 2000), Step::wake(101_000));
    assert_eq!(life.step(&want, &Seen::Nothing, 101_000).action, Some(Action::Start { order: 1 }));
    assert_eq!(life.restarts, 1);
}

#[test]
fn a_clean_end_rests_under_on_failure() {
    let service = service(ServiceType::Simple, Restart::OnFailure);
    let want = launched(&service);
    let mut life = Life::default();
    through(&mut life, &want, &[Seen::Nothing, running(1), exited(0)]);
    assert_eq!(life.phase, Phase::Dead);
    assert_eq!(life.step(&want, &Seen::Nothing, 999), Step::default());
}

#[test]
fn the_start_limit_ends_a_row_of_failures_and_a_start_by_hand_forgets_it() {
    let service = service(ServiceType::Simple, Restart::Always);
    let want = launched(&service);
    let mut life = Life::default();
    let mut now = 0;
    let mut starts = 0;
    while life.phase != Phase::Failed {
        now += 200_000;
        if let Some(Action::Start { .. }) = life.step(&want, &Seen::Nothing, now).action {
            starts += 1;
            life.step(&want, &running(1), now);
            life.step(&want, &exited(1), now);
        }
        assert!(starts < 50);
    }
    assert_eq!(starts, 5);
    assert!(life.message.as_deref().unwrap().contains("StartLimitBurst="));
    assert_eq!(life.step(&want, &Seen::Nothing, now + 60_000_000), Step::default());
    let by_hand = Want { start: 2, ..want };
    let step = life.step(&by_hand, &Seen::Nothing, now + 1);
    assert_eq!(step.action, Some(Action::Start { order: 2 }));
    assert_eq!(life.starts.len(), 1);
}

#[test]
fn a_run_that_lasts_resets_the_delay() {
    let service = service(ServiceType::Simple, Restart::Always);
    let want = launched(&service);
    let mut life = Life { streak: 4, ..Life::default() };
    life.order = 1;
    life.phase = Phase::Running;
    life.step(&want, &running(1), 20);
    let exit = ExitReason { code: Some(1), signal: None, oom: false, error: None };
    life.step(&want, &Seen::Ended { exit, at: 60_000_000 }, 60_000_000);
    assert_eq!(life.streak, 0);
}

#[test]
fn a_oneshot_is_active_only_after_its_end() {
    let mut service = service(ServiceType::Oneshot, Restart::No);
    service.timeout_start = None;
    service.remain_after_exit = true;
    let want = launched(&service);
    let mut life = Life::default();
    through(&mut life, &want, &[Seen::Nothing, running(1)]);
    assert_eq!(life.phase, Phase::Starting);
    through(&mut life, &want, &[exited(0), Seen::Nothing]);
    assert_eq!(life.phase, Phase::Exited);
    let want = Want { launched: false, ..want };
    life.step(&want, &Seen::Nothing, 999);
    assert_eq!(life.phase, Phase::Dead);
}

#[test]
fn a_oneshot_that_is_done_is_not_done_again_by_a_new_fleetd() {
    let service = service(ServiceType::Oneshot, Restart::Always);
    let want = launched(&service);
    let mut life = Life::default();
    through(&mut life, &want, &[Seen::Nothing, running(1), exited(0), Seen::Nothing]);
    let kept = serde_json::to_string(&life).unwrap();
    let mut life: Life = serde_json::from_str(&kept).unwrap();
    assert_eq!(life.step(&want, &Seen::Nothing, 999), Step::default());
}

#[test]
fn a_notify_unit_is_active_when_it_says_so() {
    let service = service(ServiceType::Notify, Restart::No);
    let want = launched(&service);
    let mut life = Life::default();
    through(&mut life, &want, &[Seen::Nothing]);
    let step = life.step(&want, &running(1), 100);
    assert_eq!((life.phase, step.wake), (Phase::Starting, Some(90_000_010)));
    life.step(&want, &Seen::Running { order: 1, since: 10, ready: true, asked: false }, 101);
    assert_eq!(life.phase, Phase::Running);
}

#[test]
fn a_notify_unit_that_stays_silent_is_stopped_and_failed() {
    let service = service(ServiceType::Notify, Restart::No);
    let want = launched(&service);
    let mut life = Life::default();
    through(&mut life, &want, &[Seen::Nothing]);
    assert_eq!(life.step(&want, &running(1), 90_000_010).action, Some(Action::Stop));
    life.step(&want, &exited(0), 90_000_020);
    assert_eq!(life.phase, Phase::Failed);
    assert!(life.message.unwrap().contains("TimeoutStartSec="));
}

#[test]
fn a_clock_that_jumps_an_hour_makes_no_start_late_and_no_restart_early() {
    use crate::core::clock::Steady;
    const HOUR: u64 = 3_600_000_000;
    let steady = Steady::begin(1_000 * HOUR, 0);
    let service = service(ServiceType::Notify, Restart::Always);
    let want = launched(&service);
    let mut life = Life::default();
    life.step(&want, &Seen::Nothing, steady.now(0));
    let since = steady.now(1_000);
    let seen = Seen::Running { order: 1, since, ready: false, asked: false };
    // Half of TimeoutStartSec= has passed; the wall's clock says an hour.
    let step = life.step(&want, &seen, steady.now(45_000_000));
    assert_eq!((step.action, life.phase), (None, Phase::Starting));
    assert_eq!(step.wake, Some(since + 90_000_000));
    // It ends, as its supervisor dates by that clock, after it has lasted for a second.
    let at = steady.of_wall(1_001 * HOUR, 1_001 * HOUR, 46_000_000);
    let Seen::Ended { exit, .. } = exited(1) else { unreachable!() };
    life.step(&want, &Seen::Ended { exit, at }, steady.now(46_000_000));
    let wake = life.step(&want, &Seen::Nothing, steady.now(46_000_000)).wake;
    assert_eq!(wake, Some(steady.now(46_100_000)));
}

#[test]
fn a_notify_unit_that_ends_before_it_is_ready_has_failed() {
    let service = service(ServiceType::Notify, Restart::No);
    let mut life = Life::default();
    through(&mut life, &launched(&service), &[Seen::Nothing, running(1), exited(0)]);
    assert_eq!(life.phase, Phase::Failed);
}

#[test]
fn a_start_that_fails_says_why() {
    let service = service(ServiceType::Simple, Restart::No);
    let want = launched(&service);
    let mut life = Life::default();
    let seen =
        [Seen::Nothing, Seen::Preparing { order: 1 }, failed("find image x", StartError::Fault)];
    assert_eq!(through(&mut life, &want, &seen), Some(Action::Clear));
    assert_eq!(life.phase, Phase::Failed);
    assert_eq!(life.message.as_deref(), Some("find image x"));
}

#[test]
fn a_killed_fleetd_loses_no_unit() {
    let service = service(ServiceType::Simple, Restart::No);
    let want = launched(&service);
    for seen in [Seen::Preparing { order: 1 }, running(1)] {
        let mut life = Life::default();
        through(&mut life, &want, &[Seen::Nothing, seen]);
        // Died with everything in memory; its life was on disk, its run is gone.
        assert_eq!(life.step(&want, &Seen::Nothing, 999).action, Some(Action::Start { order: 1 }));
    }
}

#[test]
fn a_running_program_of_an_unknown_life_is_adopted() {
    let service = service(ServiceType::Simple, Restart::No);
    let want = Want { start: 4, ..launched(&service) };
    let mut life = Life::default();
    assert_eq!(life.step(&want, &running(4), 9), Step::default());
    assert_eq!((life.phase, life.order), (Phase::Running, 4));
}

#[test]
fn a_unit_file_that_cannot_be_used_fails_with_its_fault_and_keeps_what_runs() {
    let want = Want {
        launched: true,
        start: 1,
        restart: 5,
        service: None,
        unusable: Some("x.container:3: read MemoryMax=: `lots` is no size"),
    };
    let mut life = Life::default();
    assert_eq!(life.step(&want, &Seen::Nothing, 1), Step::default());
    assert_eq!(life.phase, Phase::Failed);
    assert!(life.message.as_deref().unwrap().contains("MemoryMax"));
    let mut life = Life::default();
    assert_eq!(life.step(&want, &running(1), 1), Step::default());
    assert_eq!(life.phase, Phase::Running);
}

#[test]
fn a_failed_unit_stays_failed_until_it_is_started() {
    let service = service(ServiceType::Simple, Restart::No);
    let want = launched(&service);
    let mut life = Life::default();
    through(&mut life, &want, &[Seen::Nothing, running(1), exited(1), Seen::Nothing]);
    assert_eq!(life.phase, Phase::Failed);
    let off = Want { launched: false, ..want };
    assert_eq!(life.step(&off, &Seen::Nothing, 999), Step::default());
    assert_eq!(life.phase, Phase::Failed);
    let on = Want { start: 3, ..want };
    assert_eq!(life.step(&on, &Seen::Nothing, 1000).action, Some(Action::Start { order: 3 }));
}
