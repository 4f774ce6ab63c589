//! `segue model companions`: what listeners like together, as it is current, or the companions of one artist.

use anyhow::Context;
use classifier::Companions;
use classifier::companions::Table;
use domain::{CompanionsId, companions};
use eventing::StreamId;
use serde::Serialize;

use crate::output::{Output, table};
use crate::stack::Stack;

/// The current companions.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    published: companions::Published,
    bytes: usize,
    artists: Size,
    tracks: Size,
}

#[derive(Serialize)]
struct Size {
    count: usize,
    pairs: usize,
}

/// One artist's companions, the strongest first.
#[derive(Serialize)]
struct OfArtist {
    artist: String,
    /// How many listeners like the artist.
    liked_by: u32,
    companions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    artist: String,
    liked_by: u32,
    /// How many listeners like both.
    both: u32,
    /// `both / sqrt(a * b)` of the numbers of listeners that like each.
    cosine: f64,
}

pub(super) async fn run(stack: &Stack, output: Output, artist: Option<&str>) -> anyhow::Result<()> {
    let stream = StreamId::new(CompanionsId::CATEGORY, CompanionsId::MAIN.uuid());
    let loaded = stack.executor.load::<domain::Companions>(&stream, None).await?;
    let published = loaded
        .aggregate
        .current()
        .context("no companions are published yet")?;
    let blob = stack.log.blob(published.blob.as_bytes()).await?;
    let bytes = blob.with_context(|| format!("the content of companions {} is missing", published.digest))?;
    let companions = Companions::from_bytes(&bytes)?;
    anyhow::ensure!(
        companions.digest() == published.digest,
        "companions {} are not what their name says",
        published.digest
    );
    match artist {
        Some(artist) => output.print(&of_artist(companions.artists(), artist)?, OfArtist::text),
        None => {
            let shown = Shown {
                published: published.clone(),
                bytes: bytes.len(),
                artists: Size::of(companions.artists()),
                tracks: Size::of(companions.tracks()),
            };
            output.print(&shown, Shown::text)
        }
    }
}

fn of_artist(artists: &Table, artist: &str) -> anyhow::Result<OfArtist> {
    let index = artists
        .index_of(artist)
        .with_context(|| format!("nothing is known of an artist {artist:?}"))?;
    let liked_by = artists.liked_by(index);
    let row = |companion: &classifier::companions::Companion| {
        let other = artists.liked_by(companion.index);
        Row {
            artist: artists.name(companion.index).to_owned(),
            liked_by: other,
            both: companion.both,
            cosine: f64::from(companion.both) / (f64::from(liked_by) * f64::from(other)).sqrt(),
        }
    };
    Ok(OfArtist {
        artist: artist.to_owned(),
        liked_by,
        companions: artists.companions(index).iter().map(row).collect(),
    })
}

impl Size {
    fn of(table: &Table) -> Self {
        Self {
            count: table.len(),
            pairs: table.pairs(),
        }
    }
}

impl Shown {
    fn text(&self) -> String {
        let Self {
            published,
            bytes,
            artists,
            tracks,
        } = self;
        format!(
            "companions {}\nas of position {}, published at {}\n{} listeners, {} likes, {bytes} bytes\n{} artists with {} companions\n{} tracks with {} companions",
            published.digest,
            published.as_of,
            published.published_at.to_rfc3339(),
            published.listeners,
            published.likes,
            artists.count,
            artists.pairs,
            tracks.count,
            tracks.pairs,
        )
    }
}

impl OfArtist {
    fn text(&self) -> String {
        let cells = |row: &Row| {
            vec![
                row.artist.clone(),
                row.liked_by.to_string(),
                row.both.to_string(),
                format!("{:.3}", row.cosine),
            ]
        };
        let rows: Vec<Vec<String>> = self.companions.iter().map(cells).collect();
        format!(
            "{}, liked by {} listeners\n{}",
            self.artist,
            self.liked_by,
            table(&["artist", "liked by", "both", "cosine"], &rows)
        )
    }
}
