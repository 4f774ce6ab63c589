//! Colours that people who see colours differently can tell apart (Okabe & Ito 2008), and the grey of everything else.

pub(super) const INK: &str = "#222222";
pub(super) const FAINT: &str = "#dddddd";
/// The one that playlists are made with.
pub(super) const USED: &str = "#d55e00";

const SERIES: [&str; 6] = ["#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#777777"];
const DASHES: [&str; 3] = ["none", "6 3", "2 3"];

/// Colour and dashes of the series of that number: all different for 18.
pub(super) fn series(number: usize) -> (&'static str, &'static str) {
    (
        SERIES[number % SERIES.len()],
        DASHES[number / SERIES.len() % DASHES.len()],
    )
}
