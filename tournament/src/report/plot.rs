//! A frame with axes, in which data have places.

use super::palette::{FAINT, INK};
use super::svg::{Anchor, Svg};

const SMALL: f64 = 10.0;
const TICK: f64 = 4.0;

/// A picture and its name.
pub(super) struct Plot {
    /// Without ending.
    pub(super) name: &'static str,
    /// What it shows, as a sentence for the report.
    pub(super) caption: String,
    pub(super) svg: String,
}

impl Plot {
    pub(super) fn file_name(&self) -> String {
        format!("{}.svg", self.name)
    }
}

/// A rectangle of the picture and the ranges that it shows.
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

impl Frame {
    /// Where a point of the data stands.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low);
        (
            self.left + self.width * share(x, self.x),
            self.top + self.height * (1.0 - share(y, self.y)),
        )
    }

    /// Ticks below, each with its text.
    pub(super) fn x_axis(&self, svg: &mut Svg, ticks: &[(f64, String)], title: &str) {
        let bottom = self.top + self.height;
        for (value, text) in ticks {
            let (x, _) = self.at(*value, self.y.0);
            svg.line((x, bottom), (x, bottom + TICK), INK, 1.0);
            svg.text((x, bottom + 15.0), text, Anchor::Middle, SMALL, INK);
        }
        svg.line((self.left, bottom), (self.left + self.width, bottom), INK, 1.0);
        svg.text(
            (self.left + self.width / 2.0, bottom + 31.0),
            title,
            Anchor::Middle,
            11.0,
            INK,
        );
    }

    /// Ticks at the left with faint lines across; the title stands above.
    pub(super) fn y_axis(&self, svg: &mut Svg, ticks: &[f64], digits: usize, title: &str) {
        for &value in ticks {
            let (_, y) = self.at(self.x.0, value);
            svg.line((self.left, y), (self.left + self.width, y), FAINT, 1.0);
            svg.text(
                (self.left - 5.0, y + 3.5),
                &format!("{value:.digits$}"),
                Anchor::End,
                SMALL,
                INK,
            );
        }
        svg.text((self.left, self.top - 8.0), title, Anchor::Start, 11.0, INK);
    }
}

/// Places for labels that want to stand at `wished` heights: each at least `apart` from the next, in the same order.
pub(super) fn spread(wished: &[f64], apart: f64, lowest: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wished.len()).collect();
    order.sort_by(|&a, &b| wished[a].total_cmp(&wished[b]));
    let mut places = wished.to_vec();
    let mut least = f64::NEG_INFINITY;
    for &label in &order {
        places[label] = places[label].max(least);
        least = places[label] + apart;
    }
    // What was pushed out below moves up again.
    let mut most = lowest;
    for &label in order.iter().rev() {
        places[label] = places[label].min(most);
        most = places[label] - apart;
    }
    places
}

/// At most about `count` round numbers within a range.
pub(super) fn ticks((low, high): (f64, f64), count: f64) -> Vec<f64> {
    let rough = (high - low).max(1e-9) / count;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|&step| step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = (
        (low / step - 1e-9).ceil() as i64,
        (high / step + 1e-9).floor() as i64,
    );
    (first..=last).map(|tick| tick as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_apart_and_in_order() {
        let places = spread(&[10.0, 11.0, 50.0, 49.0], 10.0, 52.0);
        assert_eq!(places, [10.0, 20.0, 52.0, 42.0]);
    }

    #[test]
    fn ticks_are_round() {
        let close =
            |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(
            close(&ticks((0.5, 0.8), 6.0), &[0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8]),
            "{:?}",
            ticks((0.5, 0.8), 6.0)
        );
        assert!(close(&ticks((0.0, 51.0), 5.0), &[0.0, 20.0, 40.0]));
    }

    #[test]
    fn corners_stand_in_the_corners() {
        let frame = Frame {
            left: 10.0,
            top: 20.0,
            width: 100.0,
            height: 50.0,
            x: (0.0, 2.0),
            y: (1.0, 3.0),
        };
        assert_eq!(frame.at(0.0, 1.0), (10.0, 70.0));
        assert_eq!(frame.at(2.0, 3.0), (110.0, 20.0));
    }
}
