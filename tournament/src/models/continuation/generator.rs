//! Segue's own playlists: the generator as listeners meet it, without the cap on artists.

use chrono::DateTime;
use classifier::companions::Likes;
use classifier::{BaseModel, Companions, Evidence, GeneratorVersion, Rated, TasteInput, generate_playlist};
use domain::listener::TrackRated;
use domain::{AccountId, PlaylistRequest, Rating};
use uuid::Uuid;

use super::{Contestant, Continuation, Shown, World};
use crate::models::Setting;

const GRID: &[Setting] = &[Setting(&[("dislikes", 1.0)]), Setting(&[("dislikes", 0.0)])];

pub(super) const V1: Contestant = Contestant {
    name: "Segue, generator 1",
    what: "a playlist of 500 by generator version 1 without a cap on artists; `dislikes` 1 rates the random tracks too",
    grid: GRID,
    parts: &[],
    ablates: None,
    build: |world, setting, _| Box::new(Generator::new(world, setting, GeneratorVersion::V1)),
};

pub(super) const V2: Contestant = Contestant {
    name: "Segue, generator 2",
    what: "the same by generator version 2, the one that makes playlists now",
    build: |world, setting, _| Box::new(Generator::new(world, setting, GeneratorVersion::V2)),
    ..V1
};

struct Generator<'a> {
    world: World<'a>,
    version: GeneratorVersion,
    base: BaseModel,
    companions: Option<Companions>,
    with_dislikes: bool,
}

impl<'a> Generator<'a> {
    fn new(world: World<'a>, setting: Setting, version: GeneratorVersion) -> Self {
        Self {
            world,
            version,
            base: BaseModel::neutral(world.catalogue.schema()),
            companions: version.reads_companions().then(|| companions(world)),
            with_dislikes: setting.get("dislikes") > 0.0,
        }
    }

    fn listener(&self, shown: Shown<'_>) -> TasteInput {
        let mut listener = TasteInput::default();
        let disliked: &[u32] = if self.with_dislikes { shown.disliked } else { &[] };
        for (tracks, rating) in [(shown.liked, Rating::Like), (disliked, Rating::Dislike)] {
            for &track in tracks {
                listener.taste.add(&self.world.catalogue.describe(track), rating);
                let rated = Rated { rating, at_ms: 0 };
                listener.ratings.insert(self.world.catalogue.id(track), rated);
            }
        }
        listener
    }
}

/// What the listeners of other people's playlists like together, each playlist being one listener's likes.
fn companions(world: World<'_>) -> Companions {
    let mut likes = Likes::default();
    for (number, songs) in world.songs().enumerate() {
        let listener = AccountId::new(Uuid::from_u128(number as u128));
        for &song in songs {
            // A song's number is that of its first track.
            let rated = TrackRated {
                track: world.catalogue.id(song),
                rating: Rating::Like,
                rated_at: DateTime::UNIX_EPOCH,
                described: world.catalogue.describe(song),
            };
            likes.apply(listener, &rated.into());
        }
    }
    Companions::count(&likes)
}

impl Continuation for Generator<'_> {
    /// The playlist's tracks in its order, everything else out; all out when there is no playlist.
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        let request = PlaylistRequest {
            limit: PlaylistRequest::LIMIT_MAX,
            max_per_artist: Some(PlaylistRequest::LIMIT_MAX),
            ..PlaylistRequest::default()
        };
        let evidence = Evidence {
            catalogue: self.world.catalogue,
            base: &self.base,
            companions: self.companions.as_ref(),
            listener: &self.listener(shown),
            listener_version: 0,
        };
        let generated = generate_playlist(self.version, &evidence, &request);
        let mut scores = vec![f32::NEG_INFINITY; self.world.catalogue.len()];
        for (place, track) in generated
            .into_iter()
            .flat_map(|generated| generated.tracks)
            .enumerate()
        {
            if let Some(index) = self.world.catalogue.index_of(&track.track) {
                scores[index as usize] = -(place as f32);
            }
        }
        scores
    }
}
