//! Bars with intervals: what continuing playlists reached, and what each part of the blend adds.

use super::super::palette::{INK, USED};
use super::super::plot::{Frame, Plot, ticks};
use super::super::svg::{Anchor, Svg};
use crate::standings::ContinuationRow;
use crate::stats::Estimate;

const BAR: f64 = 15.0;
const STEP: f64 = 21.0;
const OTHER: &str = "#8fb8d8";

struct Bar<'a> {
    name: &'a str,
    value: Estimate,
    used: bool,
}

pub(super) fn continuation(rows: &[ContinuationRow]) -> Plot {
    Plot {
        name: "continuation",
        caption: "Continuing playlists of which four fifths are shown: NDCG@500 over the full catalogue."
            .to_owned(),
        svg: picture(
            "NDCG@500, four fifths shown",
            rows.iter().filter(|row| row.ablates.is_none()),
        ),
    }
}

pub(super) fn ablations(rows: &[ContinuationRow]) -> Plot {
    let whole: Vec<&str> = rows.iter().filter_map(|row| row.ablates).collect();
    let concerned = rows
        .iter()
        .filter(|row| row.ablates.is_some() || whole.contains(&row.name));
    Plot {
        name: "ablations",
        caption: "What is lost without a part, everything else tuned again.".to_owned(),
        svg: picture("NDCG@500 without a part", concerned),
    }
}

fn picture<'a>(title: &str, rows: impl Iterator<Item = &'a ContinuationRow>) -> String {
    let bars: Vec<Bar<'_>> = rows
        .map(|row| Bar {
            name: row.name,
            value: row.ndcg,
            used: row.used,
        })
        .collect();
    let most = bars.iter().map(|bar| bar.value.high).fold(0.01, f64::max);
    let frame = Frame {
        left: 225.0,
        top: 25.0,
        width: 400.0,
        height: bars.len() as f64 * STEP,
        x: (0.0, most * 1.02),
        y: (0.0, 1.0),
    };
    let mut svg = Svg::new(700.0, frame.height + 70.0, title);
    let labels: Vec<(f64, String)> = ticks(frame.x, 6.0)
        .into_iter()
        .map(|x| (x, format!("{x:.2}")))
        .collect();
    for (number, bar) in bars.iter().enumerate() {
        draw(&mut svg, &frame, number, bar);
    }
    frame.x_axis(&mut svg, &labels, title);
    svg.finish()
}

fn draw(svg: &mut Svg, frame: &Frame, number: usize, bar: &Bar<'_>) {
    let top = frame.top + number as f64 * STEP;
    let middle = top + BAR / 2.0;
    let x = |value: f64| frame.at(value, 0.0).0;
    let colour = if bar.used { USED } else { OTHER };
    svg.rectangle(
        (frame.left, top),
        ((x(bar.value.mean) - frame.left).max(0.0), BAR),
        colour,
    );
    svg.line((x(bar.value.low), middle), (x(bar.value.high), middle), INK, 1.0);
    svg.text((frame.left - 6.0, middle + 3.5), bar.name, Anchor::End, 10.0, INK);
    svg.text(
        (x(bar.value.high) + 5.0, middle + 3.5),
        &format!("{:.3}", bar.value.mean),
        Anchor::Start,
        10.0,
        INK,
    );
}
