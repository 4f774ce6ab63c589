//! What must hold for any bytes that a decoder is given. The test suite runs these on damaged artifacts, the targets in
//! `fuzz/` on whatever a fuzzer finds.
//!
//! Each function panics when something does not hold.

use domain::Digest;

use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::model::ListenerModel;
use crate::taste::TasteState;

/// The ends of a standardised value: a feature's clip lies within.
const Z_MAX: f64 = 16.0;
/// Tracks that a search answers at most.
const PAGE: usize = 10;

/// Bytes are refused, or are the one form of a base model that gives finite scores.
pub fn any_bytes_as_base_model(bytes: &[u8]) {
    let Ok(model) = BaseModel::from_bytes(bytes) else {
        return;
    };
    assert_eq!(model.to_bytes(), bytes, "content has one form");
    assert_eq!(model.fingerprint(), Digest::of(bytes), "and one name");
    let learned = ListenerModel::learn(&model, &TasteState::default());
    let is_finite = |z: f64| {
        learned
            .quadratics()
            .iter()
            .all(|quadratic| quadratic.at(z).is_finite())
    };
    assert!(
        learned.prior_log_odds.is_finite() && [-Z_MAX, 0.0, Z_MAX].into_iter().all(is_finite),
        "scores are numbers: {model:?}"
    );
}

/// Bytes are refused, or are a catalogue of which everything can be asked.
pub fn any_bytes_as_catalogue(bytes: &[u8]) {
    let Ok(catalogue) = Catalogue::from_bytes(bytes) else {
        return;
    };
    assert_eq!(catalogue.version(), Digest::of(bytes));
    let length = u32::try_from(catalogue.len()).expect("indices are 32 bits");
    for index in 0..length {
        assert_eq!(catalogue.index_of(&catalogue.id(index)), Some(index));
        assert_eq!(
            catalogue.describe(index).z.len(),
            catalogue.schema().features.len()
        );
        assert!(catalogue.song(index) < length);
        let track = catalogue.track(index);
        for artist in catalogue.artists_of(index) {
            assert!(track.artists.contains(&catalogue.artist_name(*artist)));
        }
        let page = catalogue.search(Some(track.name), index, PAGE);
        assert!(page.tracks.len() <= PAGE);
    }
    let read =
        Catalogue::from_bytes(&catalogue.to_bytes()).expect("what was read is written so that it is read");
    assert_eq!(read.len(), catalogue.len());
}
