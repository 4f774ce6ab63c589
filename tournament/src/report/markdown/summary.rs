//! Which model is used, and why: the answer first.

use super::table::{number, p_value, signed};
use crate::models::{continuation, like};
use crate::splits::Protocol;
use crate::standings::{Against, Comparison, ContinuationStanding, CurvePoint, LikeRow, LikeStanding};

/// p-values from here on are chance.
const SIGNIFICANT: f64 = 0.05;

pub(super) fn section(comparison: &Comparison) -> String {
    let mut lines = vec!["## Which model is used, and why".to_owned()];
    lines.extend(comparison.likes.iter().map(likes));
    lines.extend(comparison.continuation.iter().map(continued));
    lines.join("\n\n")
}

fn likes(standing: &LikeStanding) -> String {
    let used = standing.used();
    let is_own = |row: &&LikeRow| row.used || row.name == like::registry::NEUTRAL;
    let best = standing.rows.iter().find(|row| !is_own(row));
    let verdict = verdict(best.map(|row| (row.name, row.against)), "area under the curve");
    let neutral = standing
        .rows
        .iter()
        .find(|row| row.name == like::registry::NEUTRAL);
    let neutral = neutral.map_or_else(String::new, |row| {
        format!(" It knows something of other people there; with the neutral base, which knows nothing, it is {}.", curve(row))
    });
    format!(
        "**Likes and dislikes: {}.** Its area under the ROC curve is {} ratings. {verdict}{neutral} {}",
        used.name,
        curve(used),
        like::registry::USED_BECAUSE
    )
}

fn curve(row: &LikeRow) -> String {
    let point = |point: &CurvePoint| format!("{} after {}", number(point.auc.mean), point.ratings);
    row.curve.iter().map(point).collect::<Vec<_>>().join(", ")
}

fn continued(standing: &ContinuationStanding) -> String {
    let Some(most) = standing
        .protocols
        .iter()
        .find(|standing| standing.protocol == Protocol::Most)
    else {
        return String::new();
    };
    let used = most.used();
    let best = most.rows.iter().find(|row| !row.used);
    let verdict = verdict(best.map(|row| (row.name, row.against)), "NDCG@500");
    format!(
        "**Playlists: {}.** With four fifths of a playlist shown it finds {} of the hidden songs in as many places, has an \
         NDCG@500 of {}, and the first hit comes after {:.1} pages of ten. {verdict} {}",
        used.name,
        number(used.r_precision.mean),
        number(used.ndcg.mean),
        used.clicks.mean,
        continuation::registry::USED_BECAUSE
    )
}

/// How the best of the others stands to the used one.
fn verdict(best: Option<(&str, Option<Against>)>, measure: &str) -> String {
    let Some((name, Some(Against { difference, p }))) = best else {
        return String::new();
    };
    let apart = format!("{} in {measure}, p {}", signed(difference), p_value(p));
    if p >= SIGNIFICANT {
        format!("The best of the others, {name}, is not told apart from it ({apart}).")
    } else if difference.mean > 0.0 {
        format!("It is not the best here: {name} is better ({apart}).")
    } else {
        format!("It is the best here: the next, {name}, is worse ({apart}).")
    }
}
