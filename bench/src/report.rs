//! The table that a run prints and, when asked, writes into the documentation.

use std::fmt::Write as _;

use crate::cpu::{OTHERS_MAX, cores};

/// One measured thing.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The number, with its unit.
    pub value: String,
    /// What ran beside it in the same minutes, and its number.
    pub peer: String,
    /// Value over peer, where that means something.
    pub ratio: Option<f64>,
    /// What is to be reached.
    pub reach: String,
    /// The share of the machine that others took meanwhile.
    pub others: f64,
}

impl Row {
    /// A row without a peer.
    #[must_use]
    pub fn new(what: impl Into<String>, value: impl Into<String>, others: f64) -> Self {
        Self {
            what: what.into(),
            value: value.into(),
            peer: String::new(),
            ratio: None,
            reach: String::new(),
            others,
        }
    }

    /// The same beside a peer.
    #[must_use]
    pub fn beside(mut self, peer: impl Into<String>, ratio: f64) -> Self {
        self.peer = peer.into();
        self.ratio = Some(ratio);
        self
    }

    /// The same with what others took while the peer ran, where that was more.
    #[must_use]
    pub fn among(mut self, others: f64) -> Self {
        self.others = self.others.max(others);
        self
    }

    /// The same with what is to be reached.
    #[must_use]
    pub fn reach(mut self, reach: impl Into<String>) -> Self {
        self.reach = reach.into();
        self
    }

    /// The row as a line of a Markdown table.
    #[must_use]
    pub fn markdown(&self) -> String {
        let ratio = self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let judged = if self.others > OTHERS_MAX {
            " (not judged)"
        } else {
            ""
        };
        format!(
            "| {} | {} | {} | {ratio} | {} | {:.0}%{judged} |",
            self.what,
            self.value,
            self.peer,
            self.reach,
            self.others * 100.0
        )
    }
}

/// The head of the table.
pub const TABLE_HEAD: &str =
    "| what | measured | beside it | ratio | to reach | CPU taken by others |\n|---|---|---|---|---|---|";

/// The whole page: machine, date, how it was made, and the rows.
#[must_use]
pub fn page(date: &str, command: &str, rows: &[Row]) -> String {
    let mut page = String::from("# Benchmarks\n\n");
    let _ = writeln!(page, "Written by `{command}` on {date}, on {}.", machine());
    let _ = writeln!(
        page,
        "Every commit waits for the disk. Load comes from the same machine over loopback, so the clients' work is in every number.\n\
         Peers and limits ran in turns with Segue, in the same minutes: read the ratios before the numbers. \
         Where others took more than {:.0}% of the machine, a row says so and judges nothing.\n",
        OTHERS_MAX * 100.0
    );
    let _ = writeln!(page, "{TABLE_HEAD}");
    for row in rows {
        let _ = writeln!(page, "{}", row.markdown());
    }
    page
}

/// Cores, model and memory of this machine.
#[must_use]
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown CPU", |(_, name)| name.trim());
    let meminfo = read("/proc/meminfo");
    let kibibytes = meminfo.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    let memory = kibibytes.unwrap_or(0.0) / f64::from(1 << 20);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{} cores of {model}, {memory:.0} GiB, Linux {}",
        cores(),
        kernel.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_measured_among_busy_neighbours_is_not_judged() {
        assert!(Row::new("a", "1", 0.11).markdown().contains("11% (not judged)"));
        assert!(!Row::new("a", "1", 0.09).markdown().contains("not judged"));
        let beside_a_disturbed_peer = Row::new("a", "1", 0.0).beside("b", 1.0).among(0.11);
        assert!(beside_a_disturbed_peer.markdown().contains("11% (not judged)"));
    }
}
