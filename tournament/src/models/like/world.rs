//! What every contestant may look at: the tracks, and other people.

use classifier::schema::FIXED_POINT;
use domain::Described;

use crate::data::Ratings;

/// Another person's likes (true) and dislikes.
pub type Person = Vec<(Described, bool)>;

/// The tracks, other people, and a seed.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The tracks. Whoever looks at the listeners here cheats.
    pub ratings: &'a Ratings,
    /// Other people, of whom [`World::people`] leaves out the one that is judged.
    pub population: &'a [Person],
    /// The one of `population` that is judged, if it is among them.
    pub except: Option<usize>,
    /// The seed of what is drawn.
    pub seed: u64,
}

impl<'a> World<'a> {
    /// The other people.
    pub fn people(self) -> impl Iterator<Item = &'a Person> {
        let others = self.population.iter().enumerate();
        others
            .filter(move |(number, _)| Some(*number) != self.except)
            .map(|(_, person)| person)
    }

    /// The standardised features of a track.
    #[must_use]
    pub fn z(self, track: u32) -> Vec<f64> {
        self.ratings.catalogue.z(track).map(f64::from).collect()
    }

    /// `1, z, (z^2 - 1) / sqrt 2` of a track: of each feature its level and its distance from the middle.
    #[must_use]
    pub fn quadratic(self, track: u32) -> Vec<f64> {
        quadratic(&self.z(track))
    }
}

/// `1, z, (z^2 - 1) / sqrt 2`, which are uncorrelated and of variance 1 for a normal `z`.
pub(crate) fn quadratic(z: &[f64]) -> Vec<f64> {
    let squares = z.iter().map(|z| (z * z - 1.0) * std::f64::consts::FRAC_1_SQRT_2);
    std::iter::once(1.0)
        .chain(z.iter().copied())
        .chain(squares)
        .collect()
}

/// The standardised features of a described track.
pub(crate) fn described(track: &Described) -> Vec<f64> {
    track.z.iter().map(|&z| f64::from(z) / FIXED_POINT).collect()
}
