use super::*;
use crate::core::unit::container::ServiceType;
use std::time::Duration;

fn service() -> Service {
    Service {
        kind: ServiceType::Simple,
        restart: Restart::Always,
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

fn exit(code: Option<i32>, signal: Option<&str>) -> ExitReason {
    ExitReason { code, signal: signal.map(str::to_owned), oom: false, error: None }
}

#[test]
fn endings_are_sorted_as_systemd_does() {
    assert_eq!(ending(&exit(Some(0), None), false), Ending::Clean);
    assert_eq!(ending(&exit(Some(3), None), false), Ending::UncleanCode);
    for clean in ["HUP", "INT", "TERM", "PIPE"] {
        assert_eq!(ending(&exit(None, Some(clean)), false), Ending::Clean);
        assert_eq!(ending(&exit(None, Some(clean)), true), Ending::UncleanSignal);
    }
    assert_eq!(ending(&exit(None, Some("SEGV")), false), Ending::UncleanSignal);
    assert_eq!(ending(&exit(None, None), false), Ending::UncleanSignal);
    let oom = ExitReason { oom: true, ..exit(Some(0), None) };
    assert_eq!(ending(&oom, false), Ending::UncleanSignal);
}

#[test]
fn the_seven_policies_match_the_manual_page() {
    use Ending::{Clean, StartFailed, Timeout, UncleanCode, UncleanSignal, Watchdog};
    let all = [Clean, UncleanCode, UncleanSignal, Timeout, Watchdog, StartFailed];
    let table: [(Restart, &[Ending]); 7] = [
        (Restart::No, &[]),
        (Restart::Always, &all),
        (Restart::OnSuccess, &[Clean]),
        (Restart::OnFailure, &[UncleanCode, UncleanSignal, Timeout, Watchdog, StartFailed]),
        (Restart::OnAbnormal, &[UncleanSignal, Timeout, Watchdog]),
        (Restart::OnAbort, &[UncleanSignal]),
        (Restart::OnWatchdog, &[Watchdog]),
    ];
    for (policy, expected) in table {
        for ending in all {
            assert_eq!(
                restarts(policy, ending),
                expected.contains(&ending),
                "{policy:?} after {ending:?}"
            );
        }
    }
}

#[test]
fn the_delay_stays_without_steps() {
    assert_eq!(delay(&service(), 1), 100_000);
    assert_eq!(delay(&service(), 50), 100_000);
}

#[test]
fn the_delay_grows_in_steps_up_to_its_maximum() {
    let service = Service {
        restart_steps: 3,
        restart_max_delay: Some(Duration::from_millis(800)),
        ..service()
    };
    let delays: Vec<u64> = (1..=6).map(|n| delay(&service, n) / 1000).collect();
    assert_eq!(delays[0], 100);
    assert!((199..=200).contains(&delays[1]), "{delays:?}");
    assert!((399..=400).contains(&delays[2]), "{delays:?}");
    assert_eq!(&delays[3..], &[800, 800, 800]);
}

#[test]
fn the_start_limit_counts_only_its_interval() {
    let service = service();
    let mut starts: Vec<Time> = (0..5).map(|n| n * 1_000_000).collect();
    assert!(over_limit(&service, &mut starts, 9_000_000));
    assert!(!over_limit(&service, &mut starts, 10_000_000));
    assert_eq!(starts.len(), 4);
}

#[test]
fn a_start_limit_of_zero_is_none() {
    let service = Service { start_limit_interval: Duration::ZERO, ..service() };
    let mut starts = vec![1; 100];
    assert!(!over_limit(&service, &mut starts, 1));
}

#[test]
fn starts_of_a_clock_that_was_set_back_do_not_count() {
    let service = service();
    let mut starts = vec![9_000_000_000; 10];
    assert!(!over_limit(&service, &mut starts, 1_000_000));
    assert_eq!(starts, [0; 0]);
}
