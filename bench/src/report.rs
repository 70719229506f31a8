//! Numbers of a run: samples, medians, ratios per round, the table and the CSV files.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::server::{Side, root};

/// What a number is. Two metrics are one if workload and name agree.
#[derive(Clone, Debug)]
pub struct Metric {
    /// For instance `rps at 64`.
    pub name: String,
    /// For instance `ms`.
    pub unit: &'static str,
    kind: Kind,
    goal: Goal,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Rate,
    Cost,
    Raw,
}

/// What Beryl's number should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Nothing was promised.
    None,
    /// At least this many times workerd's.
    RatioAtLeast(f64),
    /// At most this many times workerd's.
    RatioAtMost(f64),
    /// At most this, in the metric's unit.
    ValueAtMost(f64),
}

impl Metric {
    /// A number that is better when it is higher.
    pub fn rate(name: &str, unit: &'static str, goal: Goal) -> Metric {
        Metric { name: name.to_owned(), unit, kind: Kind::Rate, goal }
    }

    /// A number that is better when it is lower.
    pub fn cost(name: &str, unit: &'static str, goal: Goal) -> Metric {
        Metric { name: name.to_owned(), unit, kind: Kind::Cost, goal }
    }

    /// A number that is only written to the CSV file.
    pub fn raw(name: &str, unit: &'static str) -> Metric {
        Metric { name: name.to_owned(), unit, kind: Kind::Raw, goal: Goal::None }
    }

    /// One measured value.
    pub fn sample(self, value: f64) -> Sample {
        Sample { metric: self, value }
    }
}

/// One measured value of a metric.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it is.
    pub metric: Metric,
    /// How much, in the metric's unit.
    pub value: f64,
}

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

struct Row {
    workload: &'static str,
    side: Side,
    round: usize,
    sample: Sample,
}

impl Report {
    /// Adds what one turn of one side gave.
    pub fn add(&mut self, workload: &'static str, side: Side, round: usize, samples: Vec<Sample>) {
        let rows = samples.into_iter().map(|sample| Row { workload, side, round, sample });
        self.rows.extend(rows);
    }

    /// Medians of each side, Beryl's ratios to the others, and the goals.
    pub fn table(&self) -> String {
        let mut lines = vec![HEAD.map(str::to_owned)];
        for (workload, metric) in self.metrics().filter(|(_, m)| m.kind != Kind::Raw) {
            let side = |side| self.values(workload, &metric.name, side);
            let ours = side(Side::Beryl);
            let ratios = ratios(&ours, &side(Side::Workerd));
            // No workload has both.
            let others = [side(Side::Deno), side(Side::Node)].concat();
            lines.push([
                workload.to_owned(),
                format!("{} {}", metric.name, metric.unit),
                shown(&ours),
                shown(&side(Side::Workerd)),
                shown(&others),
                format!("{}{}", shown(&ratios), spread(&ratios)),
                shown(&self::ratios(&ours, &others)),
                judged(metric.goal, &ours, &ratios),
            ]);
        }
        aligned(&lines)
    }

    /// Writes `raw.csv`, `table.txt` and `machine.txt` and returns their folder.
    pub fn write(&self, machine: &str) -> io::Result<PathBuf> {
        let folder = root().join("bench/out");
        fs::create_dir_all(&folder)?;
        let mut csv = "workload,metric,unit,side,round,value\n".to_owned();
        for Row { workload, side, round, sample: Sample { metric, value } } in &self.rows {
            let (name, unit) = (&metric.name, metric.unit);
            let line = writeln!(csv, "{workload},{name},{unit},{side},{round},{value}");
            line.expect("writing to a string does not fail");
        }
        fs::write(folder.join("raw.csv"), csv)?;
        fs::write(folder.join("table.txt"), self.table())?;
        fs::write(folder.join("machine.txt"), format!("{machine}\n"))?;
        Ok(folder)
    }

    /// Each metric once, in the order measured.
    fn metrics(&self) -> impl Iterator<Item = (&'static str, &Metric)> {
        let key = |row: &Row| (row.workload, row.sample.metric.name.clone());
        let first = move |(at, row): &(usize, &Row)| {
            !self.rows[..*at].iter().any(|earlier| key(earlier) == key(row))
        };
        let rows = self.rows.iter().enumerate().filter(first);
        rows.map(|(_, row)| (row.workload, &row.sample.metric))
    }

    /// The values of one side by round.
    fn values(&self, workload: &str, metric: &str, side: Side) -> Vec<f64> {
        let rows = self.rows.iter().filter(|row| row.workload == workload && row.side == side);
        rows.filter(|row| row.sample.metric.name == metric).map(|row| row.sample.value).collect()
    }
}

/// Ratios within each round, so that a slow spell of the machine hits both numbers.
fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

fn judged(goal: Goal, ours: &[f64], ratios: &[f64]) -> String {
    let (ours, ratio) = (median(ours), median(ratios));
    let (text, value, met) = match goal {
        Goal::None => return String::new(),
        Goal::RatioAtLeast(n) => (format!(">= {n}x"), ratio, ratio >= n),
        Goal::RatioAtMost(n) => (format!("<= {n}x"), ratio, ratio <= n),
        Goal::ValueAtMost(n) => (format!("<= {n}"), ours, ours <= n),
    };
    match (value.is_nan(), met) {
        (true, _) => text,
        (false, true) => format!("{text} met"),
        (false, false) => format!("{text} SHORT"),
    }
}

fn shown(values: &[f64]) -> String {
    match median(values) {
        value if value.is_nan() => "-".to_owned(),
        value if value.abs() >= 1000.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn spread(values: &[f64]) -> String {
    let (low, high) = (percentile(values, 0.0), percentile(values, 100.0));
    if values.len() < 2 { String::new() } else { format!(" ({low:.2}-{high:.2})") }
}

fn aligned(lines: &[[String; 8]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The middle value; NaN if there is none.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// The value below which `percent` of the values lie, by the nearest rank between them.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = percent / 100.0 * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(low), Some(high)) => low + (high - low) * rank.fract(),
        _ => f64::NAN,
    }
}

const HEAD: [&str; 8] =
    ["workload", "metric", "beryl", "workerd", "deno/node", "ratio (range)", "to it", "goal"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_ranks() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 100.0), 3.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratio_is_the_median_of_the_rounds() {
        let mut report = Report::default();
        let metric = || Metric::rate("rps at 64", "/s", Goal::RatioAtLeast(8.0));
        for (round, (ours, theirs)) in
            [(80.0, 10.0), (90.0, 10.0), (10.0, 10.0)].into_iter().enumerate()
        {
            report.add("hello", Side::Beryl, round, vec![metric().sample(ours)]);
            report.add("hello", Side::Workerd, round, vec![metric().sample(theirs)]);
        }
        let table = report.table();
        let row = table.lines().nth(1).expect("one row");
        assert!(row.contains("8.00 (1.00-9.00)") && row.ends_with(">= 8x met"), "{row}");
    }

    #[test]
    fn missing_side_is_a_dash() {
        let mut report = Report::default();
        let metric = Metric::cost("load p50", "ms", Goal::RatioAtMost(0.4));
        report.add("cold", Side::Workerd, 1, vec![metric.sample(7.4)]);
        let row = report.table().lines().nth(1).map(str::to_owned).expect("one row");
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells[4..7], ["-", "7.40", "-"]);
        assert!(row.ends_with("<= 0.4x"), "{row}");
    }
}
