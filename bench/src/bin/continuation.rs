//! Playlist continuation on real playlists, over HTTP.
//!
//! For each of 100 playlists with 20 or more tracks a listener is registered, likes a seeded 80% of the playlist's songs
//! and dislikes as many random tracks, asks for 500, and what comes back is compared with the hidden 20%. A hit counts
//! by id, or by artist and title; the same song never stands on both sides of a split. Beside it, on the same splits:
//! random, popularity, and same artist then popularity.

#![expect(clippy::print_stdout, reason = "a command prints its result")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Session};
use bench::playlists::{RealData, Track};
use bench::report::machine;
use bench::server::{Program, release_binary};
use clap::Parser;
use classifier::evaluate::{Metrics, judge};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tempfile::TempDir;

/// The fewest tracks of a playlist that is used.
const TRACKS_MIN: usize = 20;
/// The length of every ranking.
const RANKED: usize = 500;
/// The share of a playlist's songs that is hidden.
const HIDDEN: f64 = 0.2;
/// Ratings a command: the most is 1,000.
const RATINGS_PER_COMMAND: usize = 500;
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Compares Segue's playlists with the hidden part of real ones.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of real data; absent, the run is skipped.
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    /// How many playlists.
    #[arg(long, default_value_t = 100)]
    playlists: usize,
    /// Decides which playlists, and what of them is hidden.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the page to this file, for example docs/continuation.md.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Some(data) = RealData::read(&arguments.data)? else {
        println!("skipped: {} has no folder spotify", arguments.data.display());
        return Ok(());
    };
    let cases = cases(&data, &arguments);
    println!("{} playlists, {} tracks", cases.len(), data.tracks.len());
    let began = Instant::now();
    let results = compare(&data, &cases).await?;
    let page = page(&arguments, &data, &cases, &results, began.elapsed());
    println!("{page}");
    if let Some(path) = arguments.write {
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A playlist, split: what the listener likes, dislikes, and what is to be found.
struct Case {
    liked: Vec<String>,
    disliked: Vec<String>,
    shown_songs: HashSet<String>,
    hidden_songs: HashSet<String>,
}

fn cases(data: &RealData, arguments: &Arguments) -> Vec<Case> {
    let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
    let tracks: HashMap<&str, &Track> = data
        .tracks
        .iter()
        .map(|track| (track.track_id.as_str(), track))
        .collect();
    let mut long: Vec<&Vec<String>> = data
        .playlists
        .values()
        .filter(|ids| ids.len() >= TRACKS_MIN)
        .collect();
    long.shuffle(&mut random);
    long.iter()
        .take(arguments.playlists)
        .map(|ids| split(&mut random, ids, &tracks, &data.tracks))
        .collect()
}

fn split(random: &mut ChaCha8Rng, ids: &[String], tracks: &HashMap<&str, &Track>, all: &[Track]) -> Case {
    let mut ids_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for track in ids.iter().filter_map(|id| tracks.get(id.as_str())) {
        ids_of
            .entry(track.song())
            .or_default()
            .push(track.track_id.clone());
    }
    let mut songs: Vec<String> = ids_of.keys().cloned().collect();
    songs.shuffle(random);
    let hidden = ((songs.len() as f64 * HIDDEN).round() as usize).max(1);
    let hidden_songs: HashSet<String> = songs[..hidden].iter().cloned().collect();
    let shown_songs: HashSet<String> = songs[hidden..].iter().cloned().collect();
    let liked: Vec<String> = songs[hidden..]
        .iter()
        .flat_map(|song| ids_of[song].clone())
        .collect();
    let disliked = draw_others(random, all, &ids_of, liked.len());
    Case {
        liked,
        disliked,
        shown_songs,
        hidden_songs,
    }
}

/// Random tracks of songs that are not in the playlist.
fn draw_others(
    random: &mut impl Rng,
    all: &[Track],
    playlist: &BTreeMap<String, Vec<String>>,
    count: usize,
) -> Vec<String> {
    let others: Vec<&Track> = all
        .iter()
        .filter(|track| !playlist.contains_key(&track.song()))
        .collect();
    others
        .sample(random, count)
        .map(|track| track.track_id.clone())
        .collect()
}

/// The rankings that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ranking {
    Segue,
    SegueCapped,
    SameArtist,
    Popularity,
    Random,
}

impl Ranking {
    const ALL: [Self; 5] = [
        Self::Segue,
        Self::SegueCapped,
        Self::SameArtist,
        Self::Popularity,
        Self::Random,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Segue => "Segue, no artist cap",
            Self::SegueCapped => "Segue, 3 tracks an artist (the default)",
            Self::SameArtist => "same artist, then popularity",
            Self::Popularity => "popularity",
            Self::Random => "random",
        }
    }
}

async fn compare(data: &RealData, cases: &[Case]) -> Result<Vec<(Ranking, Metrics)>> {
    let folder = TempDir::with_prefix("segue-continuation-")?;
    let program =
        Program::new(release_binary()?, folder.path().join("data")).with_env("SEGUE_THROTTLE", "off");
    let file = data.catalogue_file.to_str().context("the path is not UTF-8")?;
    program.tool(&["catalogue", "import", file], "").await?;
    let server = program.serve(Duration::from_secs(60)).await?;
    println!("target: http://{}", server.address());
    let client = Client::new(server.address())?;
    let mut judged: HashMap<Ranking, Vec<Metrics>> = HashMap::new();
    for (n, case) in cases.iter().enumerate() {
        let [segue, capped] = ask(&client, n, case).await?;
        let lists = [
            (Ranking::Segue, segue),
            (Ranking::SegueCapped, capped),
            (Ranking::SameArtist, same_artist(data, case)),
            (Ranking::Popularity, popularity(data)),
            (Ranking::Random, shuffled(data, n)),
        ];
        for (ranking, list) in lists {
            judged.entry(ranking).or_default().push(score(data, case, &list));
        }
    }
    server.stop().await?;
    Ok(Ranking::ALL
        .iter()
        .map(|ranking| (*ranking, Metrics::mean(&judged[ranking])))
        .collect())
}

/// Tells Segue about the shown part, and hands back the playlists without and with the artist cap.
async fn ask(client: &Client, n: usize, case: &Case) -> Result<[Vec<String>; 2]> {
    let listener = client.listener(&format!("listener-{n}")).await?;
    let likes = case.liked.iter().map(|id| (id.as_str(), "like"));
    let ratings: Vec<(&str, &str)> = likes
        .chain(case.disliked.iter().map(|id| (id.as_str(), "dislike")))
        .collect();
    for some in ratings.chunks(RATINGS_PER_COMMAND) {
        listener.rate(some).await?;
    }
    Ok([
        playlist(&listener, Some(RANKED)).await?,
        playlist(&listener, None).await?,
    ])
}

async fn playlist(listener: &Session, max_per_artist: Option<usize>) -> Result<Vec<String>> {
    let mut body = json!({ "limit": RANKED });
    if let Some(max) = max_per_artist {
        body["max_per_artist"] = max.into();
    }
    let path = listener.request_playlist(&body).await?;
    let playlist = listener.ready_playlist(&path, READY_LIMIT).await?;
    let items = playlist["items"].as_array().context("no items")?;
    let ids: Vec<String> = items
        .iter()
        .filter_map(|item| item["track"]["id"].as_str().map(str::to_owned))
        .collect();
    ensure!(
        ids.len() == items.len() && !ids.is_empty(),
        "a playlist without tracks"
    );
    Ok(ids)
}

fn same_artist(data: &RealData, case: &Case) -> Vec<String> {
    let liked: HashSet<&str> = case.liked.iter().map(String::as_str).collect();
    let mut likes: HashMap<&str, u32> = HashMap::new();
    for track in data
        .tracks
        .iter()
        .filter(|track| liked.contains(track.track_id.as_str()))
    {
        *likes.entry(&track.artist).or_default() += 1;
    }
    ranked_by(data, |track| {
        (
            likes.get(track.artist.as_str()).copied().unwrap_or(0),
            track.popularity,
        )
    })
}

fn popularity(data: &RealData) -> Vec<String> {
    ranked_by(data, |track| track.popularity)
}

fn ranked_by<K: Ord>(data: &RealData, key: impl Fn(&Track) -> K) -> Vec<String> {
    let mut tracks: Vec<&Track> = data.tracks.iter().collect();
    tracks.sort_by(|a, b| key(b).cmp(&key(a)).then_with(|| a.track_id.cmp(&b.track_id)));
    tracks.into_iter().map(|track| track.track_id.clone()).collect()
}

fn shuffled(data: &RealData, n: usize) -> Vec<String> {
    let mut ids: Vec<String> = data.tracks.iter().map(|track| track.track_id.clone()).collect();
    ids.shuffle(&mut ChaCha8Rng::seed_from_u64(n as u64));
    ids
}

/// Judges a ranking by its first 500 songs that were not shown; a song that comes again under another id is skipped.
fn score(data: &RealData, case: &Case, list: &[String]) -> Metrics {
    let songs: HashMap<&str, String> = data
        .tracks
        .iter()
        .map(|track| (track.track_id.as_str(), track.song()))
        .collect();
    let mut seen: HashSet<&str> = HashSet::new();
    let unseen = list
        .iter()
        .filter_map(|id| songs.get(id.as_str()))
        .filter(|song| !case.shown_songs.contains(*song) && seen.insert(song));
    let hits: Vec<bool> = unseen
        .take(RANKED)
        .map(|song| case.hidden_songs.contains(song))
        .collect();
    judge(&hits, case.hidden_songs.len())
}

fn page(
    arguments: &Arguments,
    data: &RealData,
    cases: &[Case],
    results: &[(Ranking, Metrics)],
    took: Duration,
) -> String {
    let mut page = String::from("# Playlist continuation on real playlists\n\n");
    let _ = writeln!(
        page,
        "Written by `cargo run --release -p bench --bin continuation -- --write docs/continuation.md` on {}, on {}; it took {:.0} s.\n",
        chrono::Utc::now().format("%Y-%m-%d"),
        machine(),
        took.as_secs_f64()
    );
    let _ = writeln!(
        page,
        "{} playlists of {TRACKS_MIN} or more tracks over a catalogue of {} tracks (seed {}). For each, over HTTP: register, like 80% of \
         its songs, dislike as many random tracks, ask for a playlist of {RANKED}, and look for the hidden 20%. A hit counts by \
         id, or by artist and title. Shown songs are taken out of every ranking, and a song counts once. Means over all playlists; \
         clicks are refreshes of ten tracks before the first hit, 51 when there is none.\n",
        cases.len(),
        data.tracks.len(),
        arguments.seed
    );
    let _ = writeln!(
        page,
        "| ranking | R-precision | NDCG@{RANKED} | clicks |\n|---|---|---|---|"
    );
    for (ranking, scores) in results {
        let Metrics {
            r_precision,
            ndcg,
            clicks,
        } = scores;
        let _ = writeln!(
            page,
            "| {} | {r_precision:.3} | {ndcg:.3} | {clicks:.1} |",
            ranking.title()
        );
    }
    let _ = writeln!(
        page,
        "\nSegue has no base model here. It knows of each playlist what its listener said in this run, and what the listeners \
         before like together, as soon as companions are published. The structural constants of its generator were chosen on \
         playlists of the same collection, these perhaps among them; `docs/model-report.md` has halves. The catalogue's genres \
         are not used, for they were derived from the playlists."
    );
    page
}
