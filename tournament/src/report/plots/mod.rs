//! The pictures of a report.

mod bars;
mod effects;
mod learning_curves;
mod reliability;

use super::plot::Plot;
use crate::splits::Protocol;
use crate::standings::Comparison;

/// Those that the comparison has numbers for, in the report's order.
pub(super) fn all(comparison: &Comparison) -> Vec<Plot> {
    let mut plots = Vec::new();
    if let Some(likes) = &comparison.likes {
        plots.push(learning_curves::plot(&likes.rows));
        plots.push(reliability::plot(&likes.rows));
        plots.push(effects::plot(&likes.effects));
    }
    let protocols = comparison
        .continuation
        .iter()
        .flat_map(|continuation| &continuation.protocols);
    for standing in protocols.filter(|standing| standing.protocol == Protocol::Most) {
        plots.push(bars::continuation(&standing.rows));
        plots.push(bars::ablations(&standing.rows));
    }
    plots
}
