//! How well each contestant tells likes from dislikes after so many ratings.

use super::super::palette::{INK, USED, series};
use super::super::plot::{Frame, Plot, spread, ticks};
use super::super::svg::{Anchor, Svg};
use crate::standings::LikeRow;

const LABEL: f64 = 12.0;

/// Counts grow a hundredfold, and the first is 0: places are even in the logarithm of one more.
fn place(ratings: usize) -> f64 {
    (ratings as f64 + 1.0).ln()
}

pub(super) fn plot(rows: &[LikeRow]) -> Plot {
    let frame = frame(rows);
    let mut svg = Svg::new(760.0, 430.0, "Area under the ROC curve by number of ratings");
    frame.y_axis(
        &mut svg,
        &ticks(frame.y, 6.0),
        2,
        "area under the ROC curve (0.5 is chance)",
    );
    let sizes = rows.first().map_or(&[][..], |row| &row.curve);
    let labels: Vec<(f64, String)> = sizes
        .iter()
        .map(|p| (place(p.ratings), p.ratings.to_string()))
        .collect();
    frame.x_axis(&mut svg, &labels, "ratings that were learned from");
    for (number, row) in rows.iter().enumerate().rev() {
        let points: Vec<(f64, f64)> = row
            .curve
            .iter()
            .map(|p| frame.at(place(p.ratings), p.auc.mean))
            .collect();
        let (colour, dashes, width) = style(number, row);
        svg.polyline(&points, colour, width, dashes);
        points.iter().for_each(|&point| svg.circle(point, width, colour));
        if let (true, Some(last)) = (row.used, row.curve.last()) {
            let x = place(last.ratings);
            svg.line(frame.at(x, last.auc.low), frame.at(x, last.auc.high), colour, 1.5);
        }
    }
    names(&mut svg, &frame, rows);
    Plot {
        name: "learning-curves",
        caption: "How well likes are told from dislikes after so many ratings. Thick: the one that is used."
            .to_owned(),
        svg: svg.finish(),
    }
}

fn style(number: usize, row: &LikeRow) -> (&'static str, &'static str, f64) {
    let (colour, dashes) = series(number);
    if row.used {
        (USED, "none", 3.0)
    } else {
        (colour, dashes, 1.5)
    }
}

fn frame(rows: &[LikeRow]) -> Frame {
    let means = || rows.iter().flat_map(|row| &row.curve).map(|point| point.auc.mean);
    let most = rows
        .iter()
        .flat_map(|row| &row.curve)
        .map(|point| point.ratings)
        .max()
        .unwrap_or(1);
    let (low, high) = (means().fold(0.5, f64::min), means().fold(0.55, f64::max));
    Frame {
        left: 45.0,
        top: 30.0,
        width: 480.0,
        height: 350.0,
        x: (0.0, place(most.max(1))),
        y: (low - 0.01, high + 0.01),
    }
}

/// The names at the curves' ends.
fn names(svg: &mut Svg, frame: &Frame, rows: &[LikeRow]) {
    let end = |row: &LikeRow| row.curve.last().map_or(0.5, |point| point.auc.mean);
    let wished: Vec<f64> = rows.iter().map(|row| frame.at(0.0, end(row)).1).collect();
    let x = frame.left + frame.width;
    for ((number, row), y) in rows
        .iter()
        .enumerate()
        .zip(spread(&wished, LABEL, frame.top + frame.height))
    {
        let (colour, dashes, width) = style(number, row);
        svg.line((x + 2.0, wished[number]), (x + 14.0, y), "#bbbbbb", 0.7);
        svg.polyline(&[(x + 14.0, y), (x + 34.0, y)], colour, width, dashes);
        svg.text((x + 38.0, y + 3.5), row.name, Anchor::Start, 10.0, INK);
    }
}
