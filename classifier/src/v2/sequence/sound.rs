//! What matters of a track at a transition.

use crate::catalogue::Catalogue;
use crate::numbers;

/// What one transition costs, by what changes in it. Each change counts by its square: small ones pass unheard, and one that
/// jars is worse than several small ones of the same sum. A cost of 1 is a transition that most listeners notice.
///
/// Adjacent tracks of people's playlists differ at most 16% less than random pairs do (Schweiger et al., ISMIR 2021), so a
/// transition is a matter of taste and not a rule: all of these are finite.
///
/// Tempo, per octave squared: double time is the same beat, so the largest distance is half an octave and costs 2; 1 is a
/// change by a third of an octave (100 to 128 BPM).
const TEMPO_COST: f64 = 8.0;
/// Energy, which is 0 to 1, squared: a change by a third costs 1.
const ENERGY_COST: f64 = 9.0;
/// Loudness, per dB squared. It goes along with energy, and players level it, so it weighs less: 10 dB cost a half.
const LOUDNESS_COST: f64 = 0.005;
/// A pair of keys that do not fit. Keys are measured with many errors and few listeners mind: the least of the four.
const KEY_COST: f64 = 0.1;

/// A feature that the catalogue lacks, or does not know of a track, costs nothing.
pub(super) struct Sound {
    pub(super) energy: f64,
    loudness_db: f64,
    /// The binary logarithm of the tempo, without its whole part.
    beat: Option<f64>,
    key: Option<Camelot>,
}

impl Sound {
    pub(super) fn of(catalogue: &Catalogue, track: u32) -> Self {
        let raw = |name: &str| catalogue.raw_named(name, track).map(f64::from);
        Self {
            energy: raw("energy").unwrap_or(0.0),
            loudness_db: raw("loudness").unwrap_or(0.0),
            beat: raw("tempo").and_then(beat),
            key: raw("key")
                .zip(raw("mode"))
                .and_then(|(key, mode)| Camelot::of(key, mode)),
        }
    }

    /// What the transition between two tracks costs, in either direction: at least 0.
    pub(super) fn step(&self, other: &Self) -> f64 {
        let tempo = match (self.beat, other.beat) {
            (Some(a), Some(b)) => beats_apart(a, b),
            _ => 0.0,
        };
        let key = match (self.key, other.key) {
            (Some(a), Some(b)) if !a.fits(b) => KEY_COST,
            _ => 0.0,
        };
        let square = |change: f64| change * change;
        TEMPO_COST * square(tempo)
            + ENERGY_COST * square(self.energy - other.energy)
            + LOUDNESS_COST * square(self.loudness_db - other.loudness_db)
            + key
    }
}

/// The place of a tempo in its octave, 0 to 1; none for a tempo of 0, which stands for unknown.
fn beat(tempo_bpm: f64) -> Option<f64> {
    let octaves = numbers::ln(tempo_bpm) / std::f64::consts::LN_2;
    (tempo_bpm > 0.0).then(|| octaves - octaves.floor())
}

/// How far two places in the octave are apart, the short way round: at most half an octave.
fn beats_apart(a: f64, b: f64) -> f64 {
    let apart = (a - b).abs();
    apart.min(1.0 - apart)
}

/// A key as disc jockeys write it: a place on the wheel of fifths (0 to 11), on which relative keys share a number, and
/// whether it is major.
#[derive(Clone, Copy)]
struct Camelot {
    hour: u8,
    is_major: bool,
}

impl Camelot {
    /// Of a pitch class (0 is C) and a mode (1 is major); none for the pitch class -1, which stands for unknown.
    fn of(key: f64, mode: f64) -> Option<Self> {
        let is_major = mode >= 0.5;
        let major = if is_major { key } else { key + 3.0 };
        (0.0..12.0).contains(&key).then(|| Self {
            hour: (major as u32 * 7 % 12) as u8,
            is_major,
        })
    }

    /// The same key, its relative, or a neighbour on the wheel in the same mode.
    fn fits(self, other: Self) -> bool {
        let apart = self.hour.abs_diff(other.hour);
        apart == 0 || (self.is_major == other.is_major && (apart == 1 || apart == 11))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: f64, mode: f64) -> Camelot {
        Camelot::of(key, mode).unwrap()
    }

    #[test]
    fn keys_fit_as_on_the_camelot_wheel() {
        let (c_major, a_minor, g_major, f_major) =
            (key(0.0, 1.0), key(9.0, 0.0), key(7.0, 1.0), key(5.0, 1.0));
        for fitting in [c_major, a_minor, g_major, f_major] {
            assert!(c_major.fits(fitting) && fitting.fits(c_major));
        }
        let (c_sharp, e_minor) = (key(1.0, 1.0), key(4.0, 0.0));
        assert!(!c_major.fits(c_sharp) && !c_major.fits(e_minor) && !f_major.fits(g_major));
        assert!(Camelot::of(-1.0, 1.0).is_none());
    }

    #[test]
    fn half_and_double_time_are_the_same_beat() {
        let apart = |a, b| beats_apart(beat(a).unwrap(), beat(b).unwrap());
        assert!(apart(70.0, 140.0) < 1e-12 && apart(60.0, 120.5) < 0.01);
        // The short way round the octave: 126 is nearer to 130 than to 2 * 130.
        assert!((apart(126.0, 130.0) - 0.045).abs() < 0.001);
        assert!((apart(127.0, 129.0) - apart(129.0, 127.0)).abs() < 1e-12);
        assert!((apart(100.0, 141.421_356) - 0.5).abs() < 1e-6);
        assert_eq!(beat(0.0), None);
    }

    #[test]
    fn every_change_costs_and_none_costs_nothing() {
        let sound = |energy, loudness_db, tempo, pitch| Sound {
            energy,
            loudness_db,
            beat: beat(tempo),
            key: Camelot::of(pitch, 1.0),
        };
        let plain = sound(0.5, -8.0, 120.0, 0.0);
        assert_eq!(plain.step(&plain), 0.0);
        for changed in [
            sound(0.6, -8.0, 120.0, 0.0),
            sound(0.5, -9.0, 120.0, 0.0),
            sound(0.5, -8.0, 121.0, 0.0),
            sound(0.5, -8.0, 120.0, 1.0),
        ] {
            assert!(plain.step(&changed) > 0.0);
            assert_eq!(plain.step(&changed), changed.step(&plain));
        }
        assert_eq!(plain.step(&sound(0.5, -8.0, 0.0, -1.0)), 0.0);
    }
}
