//! How much each kind of evidence counts, and how much of it is needed.
//!
//! Terms are log-likelihood ratios or nearly so: how much likelier a track with this property is among what the listener
//! likes than in the catalogue. These structural constants were chosen by comparing rankings of real playlists' hidden
//! tracks, tuned on one half of the playlists and reported on the other (`docs/model-report.md`); no table of tracks,
//! artists or listeners stands behind them.

use crate::learner::SLOPE;

/// What the listener likes of an artist, and the likes of pseudo-evidence behind it.
pub(super) const ARTIST: f64 = 2.0;
pub(super) const ARTIST_PRIOR: f64 = 50.0;
/// How many songs of a liked artist are still to be found, and how many an unknown one has.
pub(super) const REMAINING: f64 = 1.0;
pub(super) const LARGE_ARTIST: f64 = 0.5;
/// Nearness, in time and fame, to a liked song of the same artist.
pub(super) const NEAR: f64 = 4.0;
/// What listeners who like the same also like: artists of whom nothing is liked yet, and songs; the scale of a strength
/// within its logarithm, and the listeners in common that count for nothing.
pub(super) const COMPANIONS: f64 = 1.5;
pub(super) const SONG_COMPANIONS: f64 = 0.5;
pub(super) const COMPANIONS_SCALE: f64 = 10.0;
pub(super) const COMPANIONS_SHRINKAGE: f64 = 3.0;
/// Each liked song of an album.
pub(super) const ALBUM: f64 = 0.3;
/// The sound's likelihood ratio, and the squared deviations of pseudo-evidence behind each of its weights.
pub(super) const SOUND: f64 = 2.0;
pub(super) const SOUND_PRIOR: f64 = 20.0;
/// When the music came out.
pub(super) const WEEKS: f64 = 0.4;
pub(super) const SPAN: f64 = 2.0;
/// How well known it is, and the likes of pseudo-evidence behind that.
pub(super) const POPULARITY: f64 = 0.7;
pub(super) const POPULARITY_PRIOR: f64 = 5.0;
/// Time and fame together.
pub(super) const ERA: f64 = 0.5;
/// The catalogue's share among the likes of a week or a cell, and the least share.
pub(super) const CELL_PRIOR: f64 = 0.1;
pub(super) const SHARE_MIN: f64 = 1e-7;
/// Between the most and the least popular track, for a listener of whom nothing is known; vanishes as likes come in.
pub(super) const COLD_POPULARITY: f64 = 0.75;
/// Pseudo-ratings behind a genre's log-odds.
pub(super) const GENRE_PRIOR: f64 = 1.0;
/// Log-odds per unit of what the learner regresses (likes are 1, dislikes -1).
pub(crate) const LEARNER: f64 = SLOPE;
/// Per feature and squared deviation from the seeds' mean.
pub(super) const SEED_TRACKS: f64 = 0.25;
/// For a track by a seed artist, or by an artist of a seed track.
pub(super) const SEED_ARTIST: f64 = 6.0;
/// For a track of a seed genre.
pub(super) const SEED_GENRE: f64 = 6.0;
/// Per squared deviation from a target.
pub(super) const TARGET: f64 = 2.0;
/// How far a draw for an artist of whom nothing is known spreads, in log-odds, at full exploration.
pub(super) const ARTIST_SPREAD: f64 = 1.0;
