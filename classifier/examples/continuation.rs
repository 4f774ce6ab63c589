//! Playlist continuation on real playlists, offline.
//!
//! `cargo run --release -p classifier --example continuation -- DATA/spotify [SPLITS]`
//!
//! A fifth of each playlist with at least 20 tracks is hidden. The rest are liked, as many random other tracks are
//! disliked, and the whole catalogue without both is ranked. A hit counts by id or by artist and title; no song stands on
//! both sides of a split. The data are derived from Spotify: they judge and train nothing that is shipped.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use classifier::evaluate::{self, Metrics};
use classifier::{BaseModel, Catalogue, TasteInput, TasteState, catalogue, generate_playlist};
use domain::{PlaylistRequest, Rating, TrackId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const PLAYLIST_TRACKS_MIN: usize = 20;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("usage: continuation DATA/spotify [SPLITS]")?;
    let splits: u64 = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let folder = Path::new(&folder);
    let imported = catalogue::read_csv(File::open(folder.join("catalogue.csv.gz"))?, None, &mut |_| {})?;
    let playlists = playlists(folder, &imported.catalogue)?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} tracks ({} lines rejected), {} playlists with {PLAYLIST_TRACKS_MIN} or more tracks, {splits} splits",
        imported.accepted,
        imported.rejected.len(),
        playlists.len()
    )?;
    let mut world = World::new(imported.catalogue);
    for (number, playlist) in playlists.iter().enumerate() {
        for split in 0..splits {
            world.judge(playlist, number as u64 * 1_000 + split)?;
        }
    }
    world.print(&mut out)?;
    Ok(())
}

/// The songs of each playlist, once each, as tracks of the catalogue.
fn playlists(folder: &Path, catalogue: &Catalogue) -> Result<Vec<Vec<u32>>, Failed> {
    let file = flate2::read::GzDecoder::new(File::open(folder.join("playlist_tracks.csv.gz"))?);
    let mut members: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for record in csv::Reader::from_reader(file).deserialize() {
        let (playlist, track): (String, String) = record?;
        if let Some(index) = catalogue.index_of(&TrackId::parse(track)?) {
            members.entry(playlist).or_default().push(index);
        }
    }
    let mut playlists: Vec<Vec<u32>> = members.into_values().collect();
    for tracks in &mut playlists {
        let mut songs = HashSet::new();
        tracks.retain(|&track| songs.insert(catalogue.song(track)));
    }
    playlists.retain(|tracks| tracks.len() >= PLAYLIST_TRACKS_MIN);
    Ok(playlists)
}

struct World {
    catalogue: Catalogue,
    base: BaseModel,
    by_popularity: Vec<u32>,
    results: BTreeMap<&'static str, Vec<Metrics>>,
}

/// What is shown of a playlist, and what is hidden.
struct Split {
    liked: Vec<u32>,
    disliked: Vec<u32>,
    hidden: Vec<u32>,
    shown_songs: HashSet<u32>,
}

impl World {
    fn new(catalogue: Catalogue) -> Self {
        let mut by_popularity: Vec<u32> = (0..catalogue.len() as u32).collect();
        by_popularity.sort_by_key(|&track| std::cmp::Reverse(catalogue.popularity(track)));
        let base = BaseModel::neutral(catalogue.schema());
        Self {
            catalogue,
            base,
            by_popularity,
            results: BTreeMap::new(),
        }
    }

    fn judge(&mut self, playlist: &[u32], seed: u64) -> Result<(), Failed> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let split = Split::draw(&self.catalogue, playlist, &mut rng);
        let mut random: Vec<u32> = (0..self.catalogue.len() as u32).collect();
        shuffle(&mut random, &mut rng);
        let rankings = [
            ("generate_playlist", self.generated(&split, true)?),
            (
                "generate_playlist, audio only, no popularity",
                self.generated(&split, false)?,
            ),
            ("same artist, then popularity", self.by_artist(&split)),
            ("popularity", self.without_shown(&self.by_popularity, &split)),
            ("random", self.without_shown(&random, &split)),
        ];
        for (name, ranking) in rankings {
            let metrics = evaluate::judge_tracks(&self.catalogue, &ranking, &split.hidden);
            self.results.entry(name).or_default().push(metrics);
        }
        Ok(())
    }

    fn generated(&self, split: &Split, with_others: bool) -> Result<Vec<u32>, Failed> {
        let mut input = TasteInput {
            taste: TasteState::default(),
            ..TasteInput::default()
        };
        for (tracks, rating) in [(&split.liked, Rating::Like), (&split.disliked, Rating::Dislike)] {
            for &track in tracks {
                input.taste.add(&self.catalogue.describe(track), rating);
                input.ratings.insert(self.catalogue.id(track), rating);
            }
        }
        if !with_others {
            return Ok(self.by_audio(&input.taste, split));
        }
        let request = PlaylistRequest {
            limit: PlaylistRequest::LIMIT_MAX,
            max_per_artist: Some(PlaylistRequest::LIMIT_MAX),
            ..PlaylistRequest::default()
        };
        let generated = generate_playlist(&self.catalogue, &self.base, &input, &request, 0)?;
        Ok(generated
            .tracks
            .iter()
            .filter_map(|track| self.catalogue.index_of(&track.track))
            .collect())
    }

    /// The features' part of the score alone.
    fn by_audio(&self, taste: &TasteState, split: &Split) -> Vec<u32> {
        let terms = classifier::model::ListenerModel::learn(&self.base, taste).quadratics();
        let mut scores = vec![0.0; self.catalogue.len()];
        classifier::score::score_columns(self.catalogue.columns(), &terms, &mut scores);
        for (track, score) in scores.iter_mut().enumerate() {
            if split.shown_songs.contains(&self.catalogue.song(track as u32)) {
                *score = f32::NEG_INFINITY;
            }
        }
        classifier::topk::top_k(&scores, evaluate::DEPTH)
    }

    fn by_artist(&self, split: &Split) -> Vec<u32> {
        let mut likes: BTreeMap<u32, u32> = BTreeMap::new();
        for &track in &split.liked {
            self.catalogue
                .artists_of(track)
                .iter()
                .for_each(|&artist| *likes.entry(artist).or_default() += 1);
        }
        let mut ranking = self.without_shown(&self.by_popularity, split);
        let likes_of = |track: u32| -> u32 {
            self.catalogue
                .artists_of(track)
                .iter()
                .filter_map(|artist| likes.get(artist))
                .sum()
        };
        ranking.sort_by_key(|&track| std::cmp::Reverse(likes_of(track)));
        ranking
    }

    fn without_shown(&self, ranking: &[u32], split: &Split) -> Vec<u32> {
        let is_hidden_side = |track: &&u32| !split.shown_songs.contains(&self.catalogue.song(**track));
        ranking.iter().filter(is_hidden_side).copied().collect()
    }

    fn print(&self, out: &mut impl io::Write) -> io::Result<()> {
        writeln!(
            out,
            "{:46} {:>11} {:>9} {:>7}",
            "ranking", "R-precision", "NDCG@500", "clicks"
        )?;
        for (name, metrics) in &self.results {
            let Metrics {
                r_precision,
                ndcg,
                clicks,
            } = Metrics::mean(metrics);
            writeln!(out, "{name:46} {r_precision:11.4} {ndcg:9.4} {clicks:7.2}")?;
        }
        Ok(())
    }
}

impl Split {
    fn draw(catalogue: &Catalogue, playlist: &[u32], rng: &mut ChaCha8Rng) -> Self {
        let mut tracks = playlist.to_vec();
        shuffle(&mut tracks, rng);
        let hidden = tracks.split_off(tracks.len() - tracks.len() / 5);
        let mut songs: HashSet<u32> = playlist.iter().map(|&track| catalogue.song(track)).collect();
        let mut disliked = Vec::new();
        while disliked.len() < tracks.len() {
            let track = (rng.next_u64() % catalogue.len() as u64) as u32;
            if songs.insert(catalogue.song(track)) {
                disliked.push(track);
            }
        }
        let shown_songs = tracks
            .iter()
            .chain(&disliked)
            .map(|&track| catalogue.song(track))
            .collect();
        Self {
            liked: tracks,
            disliked,
            hidden,
            shown_songs,
        }
    }
}

fn shuffle(tracks: &mut [u32], rng: &mut ChaCha8Rng) {
    for last in (1..tracks.len()).rev() {
        tracks.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
    }
}
