//! What the parts give back, and how it is printed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::start::percentile_of;

/// Of one part.
pub(super) struct Table {
    pub(super) part: &'static str,
    pub(super) title: String,
    pub(super) unit: &'static str,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) name: String,
    /// In the table's unit; none: nothing of the kind has happened.
    pub(super) samples: Vec<f64>,
    /// What medians are compared with, by its name.
    pub(super) floor: Option<String>,
    pub(super) target: Option<Target>,
    pub(super) about: String,
}

/// What the median is to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn number(self) -> f64 {
        match self {
            Target::AtMost(number) | Target::AtLeast(number) => number,
        }
    }

    fn is_missed_by(self, median: f64) -> bool {
        match self {
            Target::AtMost(most) => median > most,
            Target::AtLeast(least) => median < least,
        }
    }
}

impl Row {
    pub(super) fn new(name: impl Into<String>, samples: Vec<f64>) -> Row {
        Row { name: name.into(), samples, floor: None, target: None, about: String::new() }
    }

    pub(super) fn target(self, target: f64) -> Row {
        Row { target: Some(Target::AtMost(target)), ..self }
    }

    pub(super) fn at_least(self, target: f64) -> Row {
        Row { target: Some(Target::AtLeast(target)), ..self }
    }

    pub(super) fn beside(self, floor: &str) -> Row {
        Row { floor: Some(floor.to_owned()), ..self }
    }

    pub(super) fn about(self, about: impl Into<String>) -> Row {
        Row { about: about.into(), ..self }
    }

    pub(super) fn median(&self) -> f64 {
        percentile_of(&self.samples, 50)
    }

    fn worst(&self) -> f64 {
        percentile_of(&self.samples, 100)
    }

    fn p95(&self) -> f64 {
        percentile_of(&self.samples, 95)
    }

    /// None without a target.
    fn misses(&self) -> Option<bool> {
        self.target.map(|target| target.is_missed_by(self.median()))
    }
}

impl Table {
    fn ratio(&self, row: &Row) -> Option<f64> {
        let floor = self.rows.iter().find(|other| Some(&other.name) == row.floor.as_ref())?;
        (!floor.samples.is_empty()).then(|| row.median() / floor.median())
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}: {}, in {}", self.part, self.title, self.unit);
        let _ = writeln!(
            text,
            "{:44}{:>5}{:>10}{:>10}{:>10}{:>8}{:>9}",
            "", "n", "median", "p95", "worst", "ratio", "target"
        );
        for row in &self.rows {
            let name = &row.name;
            if row.samples.is_empty() {
                let _ = writeln!(text, "{name:44}{:>5}", 0);
                continue;
            }
            let ratio = self.ratio(row).map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let target = match (row.target, row.misses()) {
                (Some(target), Some(true)) => format!("{}!", target.number()),
                (Some(target), _) => target.number().to_string(),
                (None, _) => String::new(),
            };
            let line = format!(
                "{name:44}{:>5}{:>10}{:>10}{:>10}{ratio:>8}{target:>9}  {}",
                row.samples.len(),
                figure(row.median()),
                figure(row.p95()),
                figure(row.worst()),
                row.about
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
        text
    }

    pub(super) fn json(&self) -> Value {
        let row = |row: &Row| match row.samples.is_empty() {
            true => json!({ "name": row.name, "n": 0 }),
            false => json!({
                "name": row.name,
                "n": row.samples.len(),
                "median": row.median(),
                "p95": row.p95(),
                "worst": row.worst(),
                "ratio": self.ratio(row),
                "target": row.target.map(Target::number),
                "missed": row.misses(),
                "about": row.about,
            }),
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        json!({ "part": self.part, "title": self.title, "unit": self.unit, "rows": rows })
    }
}

/// Three digits that count, or all before the point.
fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let rows = vec![
            Row::new("floor", vec![1.0, 2.0, 3.0]),
            Row::new("ours", vec![5.0, 4.0, 1234.0]).beside("floor").target(4.5),
            Row::new("never", Vec::new()),
        ];
        Table { part: "start", title: "one unit".to_owned(), unit: "ms", rows }
    }

    #[test]
    fn a_missed_target_is_marked_and_a_ratio_is_of_medians() {
        let text = table().text();
        let ours = text.lines().find(|line| line.starts_with("ours")).unwrap_or_default();
        let words: Vec<&str> = ours.split_whitespace().collect();
        assert_eq!(words, ["ours", "3", "5.00", "1234", "1234", "2.50", "4.5!"]);
        let never = text.lines().find(|line| line.starts_with("never")).unwrap_or_default();
        assert_eq!(never.split_whitespace().collect::<Vec<_>>(), ["never", "0"]);
    }

    #[test]
    fn a_rate_misses_what_it_is_below() {
        let row = |rate| Row::new("rate", vec![rate]).at_least(10.0).misses();
        assert_eq!((row(9.0), row(10.0)), (Some(true), Some(false)));
    }

    #[test]
    fn the_document_says_the_same() {
        let json = table().json();
        assert_eq!(json["rows"][1]["ratio"], 2.5);
        assert_eq!(json["rows"][1]["missed"], true);
        assert_eq!(json["rows"][0]["missed"], Value::Null);
        assert_eq!(json["rows"][2]["n"], 0);
    }
}
