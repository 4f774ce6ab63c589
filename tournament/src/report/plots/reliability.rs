//! Whether what is called probable happens as often.

use super::super::palette::{FAINT, INK, USED, series};
use super::super::plot::{Frame, Plot, ticks};
use super::super::svg::{Anchor, Svg};
use crate::standings::{CALIBRATED_AT, LikeRow};

/// The used one and the best so many others.
const OTHERS: usize = 5;
/// Bins with fewer predictions say nothing.
const COUNT_MIN: u32 = 20;

pub(super) fn plot(rows: &[LikeRow]) -> Plot {
    let frame = Frame {
        left: 45.0,
        top: 30.0,
        width: 350.0,
        height: 350.0,
        x: (0.0, 1.0),
        y: (0.0, 1.0),
    };
    let mut svg = Svg::new(640.0, 430.0, "Predicted and actual share of likes");
    frame.y_axis(&mut svg, &ticks(frame.y, 5.0), 1, "share that was liked");
    let labels: Vec<(f64, String)> = ticks(frame.x, 5.0)
        .into_iter()
        .map(|x| (x, format!("{x:.1}")))
        .collect();
    frame.x_axis(&mut svg, &labels, "predicted probability of a like");
    svg.line(frame.at(0.0, 0.0), frame.at(1.0, 1.0), FAINT, 2.0);
    let with = |row: &&LikeRow| row.calibration_error.is_some();
    let used = rows.iter().filter(|row| row.used);
    let others = rows.iter().filter(|row| !row.used).filter(with).take(OTHERS);
    for (number, row) in used.chain(others).enumerate() {
        draw(&mut svg, &frame, number, row);
    }
    Plot {
        name: "reliability",
        caption: format!(
            "Reliability after {CALIBRATED_AT} ratings: on the diagonal, what is called 70% probable is liked in 70% of cases."
        ),
        svg: svg.finish(),
    }
}

fn draw(svg: &mut Svg, frame: &Frame, number: usize, row: &LikeRow) {
    let (colour, dashes) = series(number);
    let (colour, dashes, width) = if row.used {
        (USED, "none", 3.0)
    } else {
        (colour, dashes, 1.5)
    };
    let filled = row.reliability.iter().filter(|bin| bin.count >= COUNT_MIN);
    let points: Vec<(f64, f64)> = filled
        .map(|bin| {
            frame.at(
                bin.predicted / f64::from(bin.count),
                f64::from(bin.liked) / f64::from(bin.count),
            )
        })
        .collect();
    svg.polyline(&points, colour, width, dashes);
    points
        .iter()
        .for_each(|&point| svg.circle(point, width + 0.5, colour));
    let (x, y) = (
        frame.left + frame.width + 15.0,
        frame.top + 12.0 + 16.0 * number as f64,
    );
    svg.polyline(&[(x, y), (x + 20.0, y)], colour, width, dashes);
    svg.text((x + 25.0, y + 3.5), row.name, Anchor::Start, 10.0, INK);
}
