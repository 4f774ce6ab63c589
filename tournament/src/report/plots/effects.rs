//! What each feature does to a like: a small picture each.

use super::super::palette::{FAINT, INK, USED};
use super::super::plot::{Frame, Plot, ticks};
use super::super::svg::{Anchor, Svg};
use crate::standings::Effect;

const COLUMNS: usize = 4;
const CELL: (f64, f64) = (180.0, 135.0);

pub(super) fn plot(effects: &[Effect]) -> Plot {
    let rows = effects.len().div_ceil(COLUMNS);
    let (width, height) = (COLUMNS as f64 * CELL.0 + 20.0, rows as f64 * CELL.1 + 30.0);
    let mut svg = Svg::new(width, height, "Effect of each feature on the log-odds of a like");
    let reach = reach(effects);
    for (number, effect) in effects.iter().enumerate() {
        let (column, row) = (number % COLUMNS, number / COLUMNS);
        let frame = Frame {
            left: column as f64 * CELL.0 + 40.0,
            top: row as f64 * CELL.1 + 30.0,
            width: CELL.0 - 50.0,
            height: CELL.1 - 55.0,
            x: (-2.5, 2.5),
            y: (-reach, reach),
        };
        draw(&mut svg, &frame, effect);
    }
    svg.text(
        (width / 2.0, height - 8.0),
        "deviations from the catalogue's mean; upwards: more log-odds of a like",
        Anchor::Middle,
        11.0,
        INK,
    );
    Plot {
        name: "feature-effects",
        caption: "What each feature does. Line: as the naive Bayes model learned it, each feature by itself; dots: as \
                  it was rated, in six classes of equally many ratings."
            .to_owned(),
        svg: svg.finish(),
    }
}

/// The largest effect that is shown in full.
fn reach(effects: &[Effect]) -> f64 {
    let all = effects
        .iter()
        .flat_map(|effect| effect.learned.iter().chain(&effect.observed));
    all.map(|(_, y)| y.abs()).fold(0.2, f64::max).min(2.0)
}

fn draw(svg: &mut Svg, frame: &Frame, effect: &Effect) {
    frame.y_axis(svg, &ticks(frame.y, 4.0), 1, &effect.feature);
    svg.line(frame.at(-2.5, 0.0), frame.at(2.5, 0.0), INK, 0.7);
    svg.line(frame.at(0.0, frame.y.0), frame.at(0.0, frame.y.1), FAINT, 1.0);
    let held = |&(x, y): &(f64, f64)| frame.at(x.clamp(-2.5, 2.5), y.clamp(frame.y.0, frame.y.1));
    let line: Vec<(f64, f64)> = effect.learned.iter().map(held).collect();
    svg.polyline(&line, USED, 2.0, "none");
    effect
        .observed
        .iter()
        .map(held)
        .for_each(|point| svg.circle(point, 2.5, INK));
}
