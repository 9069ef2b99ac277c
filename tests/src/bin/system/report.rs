//! What is printed, and the sum over all places.
//!
//! A test that failed anywhere has failed. One that was skipped in one place and passed in another
//! has passed; only what was skipped everywhere counts as skipped.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{Ended, Outcome};

#[derive(Default)]
pub(crate) struct Report {
    results: BTreeMap<String, Vec<(String, Outcome)>>,
    /// What is said of each place that ended before its plan did.
    cuts: Vec<String>,
    /// The tests that were not run there.
    not_run: BTreeSet<String>,
}

impl Report {
    /// Prints one line, and what a failed test had printed; keeps the outcome.
    pub(crate) fn add(&mut self, place: &str, ended: &Ended) {
        let seconds = std::time::Duration::from_millis(ended.millis).as_secs_f64();
        let verdict = match &ended.outcome {
            Outcome::Passed => "ok".to_owned(),
            Outcome::Failed(reason) => format!("FAILED: {reason}"),
            Outcome::Skipped(reason) => format!("skipped: {reason}"),
        };
        println!("{place:8} {} ... {verdict} ({seconds:.2} s)", ended.test);
        for line in ended.output.lines() {
            println!("         | {line}");
        }
        let results = self.results.entry(ended.test.clone()).or_default();
        results.push((place.to_owned(), ended.outcome.clone()));
    }

    /// A place ended before its plan did: `not_run` have no outcome there. What it printed is shown
    /// beside the totals, since the end of a report may be all that somebody gets to see.
    pub(crate) fn cut(&mut self, place: &str, reason: &str, not_run: Vec<String>) {
        let (first, rest) = reason.split_once('\n').unwrap_or((reason, ""));
        let mut text = format!("{place}: {first}; tests that were not run: {}", not_run.len());
        rest.lines().for_each(|line| text.push_str(&format!("\n  | {line}")));
        println!("{text}");
        self.cuts.push(text);
        self.not_run.extend(not_run);
    }

    pub(crate) fn is_known(&self, place: &str, test: &str) -> bool {
        self.results.get(test).is_some_and(|results| results.iter().any(|(at, _)| at == place))
    }

    /// Prints what failed and what ran nowhere, then the totals as the last line; whether all is
    /// well.
    pub(crate) fn finish(&self) -> bool {
        let skipped = self.skipped();
        let failed = self.failed();
        if !skipped.is_empty() {
            println!("\nskipped everywhere:");
            skipped.iter().for_each(|line| println!("  {line}"));
        }
        if !failed.is_empty() {
            println!("\nfailed:");
            failed.iter().for_each(|line| println!("  {line}"));
        }
        self.cuts.iter().for_each(|text| println!("\n{text}"));
        let (passed, failed, skipped) = self.totals();
        println!("\n{passed} passed, {failed} failed, {skipped} skipped");
        failed == 0
    }

    /// How many tests passed, failed and were skipped. What was not run somewhere has failed.
    fn totals(&self) -> (usize, usize, usize) {
        let is_failed = |test: &str| {
            let mut results = self.results.get(test).into_iter().flatten();
            self.not_run.contains(test)
                || results.any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
        };
        let all = self.results.keys().chain(&self.not_run).collect::<BTreeSet<_>>();
        let failed = all.iter().filter(|test| is_failed(test)).count();
        let skipped = self.skipped().len();
        (all.len() - failed - skipped, failed, skipped)
    }

    fn failed(&self) -> Vec<String> {
        let line = |(test, results): (&String, &Vec<(String, Outcome)>)| {
            let reasons = results.iter().filter_map(|(place, outcome)| match outcome {
                Outcome::Failed(reason) => Some(format!("{place}: {reason}")),
                _ => None,
            });
            let reasons = reasons.collect::<Vec<_>>().join("; ");
            (!reasons.is_empty()).then(|| format!("{test} ({reasons})"))
        };
        self.results.iter().filter_map(line).collect()
    }

    fn skipped(&self) -> Vec<String> {
        let line = |(test, results): (&String, &Vec<(String, Outcome)>)| {
            let reasons = results.iter().map(|(place, outcome)| match outcome {
                Outcome::Skipped(reason) => Some(format!("{place}: {reason}")),
                _ => None,
            });
            Some(format!("{test} ({})", reasons.collect::<Option<Vec<_>>>()?.join("; ")))
        };
        let run = self.results.iter().filter(|(test, _)| !self.not_run.contains(*test));
        run.filter_map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(results: &[(&str, &str, Outcome)]) -> Report {
        let mut report = Report::default();
        for (place, test, outcome) in results {
            let test = (*test).to_owned();
            let ended = Ended { test, outcome: outcome.clone(), millis: 0, output: String::new() };
            report.add(place, &ended);
        }
        report
    }

    fn skip(reason: &str) -> Outcome {
        Outcome::Skipped(reason.to_owned())
    }

    #[test]
    fn skipped_in_one_place_and_passed_in_another_is_passed() {
        let report = report(&[("host", "a", skip("needs x")), ("6.1", "a", Outcome::Passed)]);
        assert!(report.skipped().is_empty() && report.failed().is_empty());
    }

    #[test]
    fn skipped_everywhere_is_skipped_with_every_reason() {
        let report = report(&[("host", "a", skip("needs x")), ("6.1", "a", skip("needs y"))]);
        assert_eq!(report.skipped(), ["a (host: needs x; 6.1: needs y)"]);
    }

    #[test]
    fn failed_anywhere_is_failed() {
        let failed = Outcome::Failed("boom".to_owned());
        let report = report(&[("host", "a", Outcome::Passed), ("6.1", "a", failed)]);
        assert_eq!(report.failed(), ["a (6.1: boom)"]);
        assert!(!report.finish());
    }

    #[test]
    fn what_was_not_run_in_some_place_has_failed_and_is_told_once() {
        let mut report = report(&[("host", "a", Outcome::Passed), ("host", "b", skip("needs x"))]);
        let not_run = ["a", "b", "c"].map(str::to_owned).to_vec();
        report.cut("6.1", "the guest ended\npanic", not_run);
        assert_eq!(report.totals(), (0, 3, 0));
        assert_eq!(report.cuts, ["6.1: the guest ended; tests that were not run: 3\n  | panic"]);
        assert!(report.failed().is_empty() && !report.finish());
    }
}
