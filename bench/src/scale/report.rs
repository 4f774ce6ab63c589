//! What a run saw, as rows of a table.

use std::time::Duration;

use super::Plan;
use super::asks::Kind;
use super::cost::{Cost, Used};
use super::load::POLL;
use super::tally::{Counted, Phase};
use super::told::Write;
use crate::numbers::{Latencies, millis, thousands};
use crate::report::Row;

const WRITES: [Kind; 3] = [Kind::Rating, Kind::Play, Kind::Wish];
const READS: [Kind; 4] = [Kind::Track, Kind::Myself, Kind::Playlists, Kind::Poll];

/// A row for each phase, and one for what the log holds in the end. Of each kind of request the median, the 99th percentile and the
/// longest are told, from when it was due; of playlists from the wish until they were seen to be ready. `wanted` is how
/// many classifiers the autoscaler asks for.
pub(super) fn rows(plan: &Plan, counted: &Counted, costs: &[Cost]) -> Vec<Row> {
    let phases = counted.phases.iter().zip(costs);
    let mut rows: Vec<Row> = phases.map(|(phase, cost)| row(plan, phase, cost)).collect();
    rows.push(sum(plan, counted, costs));
    rows
}

fn row(plan: &Plan, phase: &Phase, cost: &Cost) -> Row {
    let due = thousands(plan.per_second as f64);
    let mut value = format!(
        "{} in {:.0} s, 0 failed; writes {}; reads {}; own writes read {}; playlists {}",
        thousands(phase.requests() as f64),
        cost.lasted.as_secs_f64(),
        told(&phase.of(&WRITES)),
        told(&phase.of(&READS)),
        told(&phase.of(&[Kind::OwnRatings])),
        told(&phase.ready),
    );
    if let Some(Used { cores, wanted }) = cost.classifiers {
        value += &format!("; classifiers {cores:.2} cores, wanted {wanted}");
    }
    Row::new(format!("{due}/s due: {}", phase.name), value, cost.others).reach("0 failed")
}

/// Median, 99th percentile and longest, in milliseconds.
fn told(latencies: &Latencies) -> String {
    if latencies.count() == 0 {
        return "none".to_owned();
    }
    let times = [0.5, 0.99, 1.0].map(|quantile| latencies.quantile(quantile).as_secs_f64() * 1e3);
    format!("{:.1} / {:.0} / {:.0} ms", times[0], times[1], times[2])
}

fn sum(plan: &Plan, counted: &Counted, costs: &[Cost]) -> Row {
    let writes = counted.acknowledged.len();
    let wishes = counted.acknowledged.iter();
    let wishes = wishes
        .filter(|acknowledged| acknowledged.write == Write::Wish)
        .count();
    let requests: usize = counted.phases.iter().map(Phase::requests).sum();
    let lasted: Duration = costs.iter().map(|cost| cost.lasted).sum();
    let others = costs.iter().map(|cost| cost.others).fold(0.0, f64::max);
    let value = format!(
        "{} requests in {:.0} s, 0 failed; of {} acknowledged writes 0 lost and 0 doubled; of {} playlists all ready",
        thousands(requests as f64),
        lasted.as_secs_f64(),
        thousands(writes as f64),
        thousands(wishes as f64),
    );
    let what = format!(
        "all of it: {} REST processes, {} listeners, {} tracks, playlists looked at every {}",
        plan.rests,
        plan.listeners,
        thousands(plan.tracks as f64),
        millis(POLL),
    );
    Row::new(what, value, others).reach("0 failed, 0 lost")
}
