//! What is printed, and the sum over all places.
//!
//! A test that failed anywhere has failed. One that was skipped in one place and passed in another
//! has passed; only what was skipped everywhere counts as skipped.

use std::collections::BTreeMap;

use crate::record::{Ended, Outcome};

#[derive(Default)]
pub(crate) struct Report {
    results: BTreeMap<String, Vec<(String, Outcome)>>,
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
        let passed = self.results.len() - failed.len() - skipped.len();
        println!("\n{passed} passed, {} failed, {} skipped", failed.len(), skipped.len());
        failed.is_empty()
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
        self.results.iter().filter_map(line).collect()
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
}
