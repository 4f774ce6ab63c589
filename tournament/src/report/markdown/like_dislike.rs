//! The tables of likes and dislikes.

use super::table::{against, name, number, or_dash, p_value, signed, table, with_interval};
use crate::standings::{Beside, Best, CALIBRATED_AT, LikeRow, LikeStanding};
use crate::stats::Difference;

pub(super) fn section(standing: &LikeStanding) -> String {
    let (likes, dislikes) = standing.ratings;
    let over = if standing.over_listeners {
        "Intervals are over listeners."
    } else {
        "Intervals are over draws from so few listeners: they say how sure the numbers are for these people, and nothing \
         of others."
    };
    [
        "## Telling likes from dislikes".to_owned(),
        format!(
            "{likes} likes and {dislikes} dislikes of {} listener(s), {} independent units. {over} No artist and no song stands \
             on both sides of a split.",
            standing.listeners, standing.units
        ),
        curves(&standing.rows),
        beside(&standing.beside),
        probabilities(&standing.rows),
    ]
    .join("\n\n")
}

fn curves(rows: &[LikeRow]) -> String {
    let sizes: Vec<String> = rows
        .first()
        .map_or(&[][..], |row| &row.curve)
        .iter()
        .map(|p| p.ratings.to_string())
        .collect();
    let mut header = vec!["area under the ROC curve after ratings"];
    header.extend(sizes.iter().map(String::as_str));
    header.extend(["mean from 5 on", "difference", "p"]);
    let cells = |row: &LikeRow| {
        let mut cells = vec![name(row.name, row.used)];
        cells.extend(row.curve.iter().map(|point| format!("{:.3}", point.auc.mean)));
        cells.push(with_interval(row.auc));
        cells.extend(against(row.against));
        cells
    };
    table(&header, &rows.iter().map(cells).collect::<Vec<_>>())
}

fn beside(points: &[Beside]) -> String {
    let header = [
        "after ratings",
        "the best single baseline",
        "its area",
        "the used learner, less that",
        "p",
        "the best that knows of nobody else",
        "its area",
        "the learner with the neutral base, less that",
        "p",
    ];
    let best = |best: &Best| {
        let Difference { estimate, p } = best.difference;
        [
            best.name.to_owned(),
            number(best.auc),
            signed(estimate),
            p_value(p),
        ]
    };
    let cells = |point: &Beside| {
        let mut cells = vec![point.ratings.to_string()];
        cells.extend(best(&point.used));
        cells.extend(best(&point.neutral));
        cells
    };
    table(&header, &points.iter().map(cells).collect::<Vec<_>>())
}

fn probabilities(rows: &[LikeRow]) -> String {
    let at = format!("log-loss after {CALIBRATED_AT} (nats)");
    let header = [
        "probabilities",
        &at,
        "Brier",
        "calibration error",
        "of it by chance",
        "prequential log-loss (nats)",
        "setting",
    ];
    let mut rows: Vec<&LikeRow> = rows.iter().filter(|row| row.log_loss.is_some()).collect();
    let loss = |row: &&LikeRow| row.log_loss.map_or(f64::INFINITY, |loss| loss.mean);
    rows.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
    let cells = |row: &&LikeRow| {
        vec![
            name(row.name, row.used),
            row.log_loss.map_or_else(|| "-".to_owned(), with_interval),
            or_dash(row.brier.map(|brier| brier.mean)),
            or_dash(row.calibration_error),
            or_dash(row.chance_error),
            row.prequential.map_or_else(|| "-".to_owned(), with_interval),
            row.setting.clone(),
        ]
    };
    table(&header, &rows.iter().map(cells).collect::<Vec<_>>())
}
