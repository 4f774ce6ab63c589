//! Markdown tables, and numbers as texts.

use crate::standings::Against;
use crate::stats::Estimate;

/// A table: the first column to the left, the others to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
    let rule: Vec<String> = (0..header.len())
        .map(|column| if column == 0 { "---" } else { "--:" }.to_owned())
        .collect();
    let lines = [header, rule].into_iter().chain(rows.iter().cloned());
    lines.map(|cells| line(&cells)).collect::<Vec<_>>().join("\n")
}

/// Bold when it is the one that is used.
pub(super) fn name(name: &str, used: bool) -> String {
    if used {
        format!("**{name}** (used)")
    } else {
        name.to_owned()
    }
}

/// `0.612`.
pub(super) fn number(value: f64) -> String {
    format!("{value:.3}")
}

/// `0.612 [0.601, 0.624]`.
pub(super) fn with_interval(Estimate { mean, low, high }: Estimate) -> String {
    format!("{mean:.3} [{low:.3}, {high:.3}]")
}

/// `+0.020 [+0.010, +0.030]`.
pub(super) fn signed(Estimate { mean, low, high }: Estimate) -> String {
    format!("{mean:+.3} [{low:+.3}, {high:+.3}]")
}

/// `0.012`, `< 0.001`.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// Difference and p-value; dashes for the used one itself.
pub(super) fn against(against: Option<Against>) -> [String; 2] {
    against.map_or_else(
        || ["-".to_owned(), "-".to_owned()],
        |against| [signed(against.difference), p_value(against.p)],
    )
}

pub(super) fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}
