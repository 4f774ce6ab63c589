//! A small catalogue.

use classifier::{
    Catalogue,
    catalogue::{CatalogueBuilder, NewTrack},
};
use domain::{CatalogueCommand, CatalogueId, Digest};
use eventing::{Metadata, Order, StreamId};

use super::{App, now};

/// Ids, names and artists of the small catalogue.
pub const TRACKS: [(&str, &str, &str); 5] = [
    ("t1", "Morning Tide", "Ada Fern"),
    ("t2", "Evening Tide", "Ada Fern"),
    ("t3", "Glass Garden", "The Tide Tables"),
    ("t4", "Über den Dächern", "Zoë Lindt"),
    ("t5/x y", "Slashed", "Nobody"),
];

pub fn small() -> Catalogue {
    build(&TRACKS, None)
}

/// Another version, under the constants that the small catalogue froze.
pub fn of(tracks: &[(&str, &str, &str)]) -> Catalogue {
    build(tracks, Some(small().schema()))
}

fn build(tracks: &[(&str, &str, &str)], frozen: Option<&domain::FeatureSchema>) -> Catalogue {
    let mut builder = CatalogueBuilder::default();
    for (nth, (id, name, artist)) in tracks.iter().enumerate() {
        let part = (nth + 1) as f32 / 10.0;
        let features = [
            part,
            1.0 - part,
            nth as f32,
            -5.0 - nth as f32,
            (nth % 2) as f32,
            part,
            part,
            part,
            part,
            part,
            100.0 + nth as f32,
            200_000.0 + nth as f32,
        ];
        let artists = [*artist];
        let track = NewTrack {
            id,
            name,
            artists: &artists,
            album: Some("An Album"),
            release_date: None,
            genre: Some("folk"),
            license: None,
            isrc: None,
            mbid: None,
            popularity: Some(50),
            features,
        };
        builder.push(&track).unwrap();
    }
    builder.finish(frozen)
}

impl App {
    /// Imports the small catalogue and waits until it is in use.
    pub async fn import(&self) {
        self.import_this(&small()).await;
    }

    pub async fn import_this(&self, catalogue: &Catalogue) {
        let blob = self.log.put_blob(catalogue.to_bytes()).await.unwrap();
        let command = CatalogueCommand::Import {
            version: catalogue.version(),
            tracks: catalogue.len() as u64,
            schema: catalogue.schema().clone(),
            blob: Digest::from_bytes(blob),
            source: None,
            at: now(),
        };
        let stream = StreamId::new(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid());
        self.executor
            .execute(Order::<domain::Catalogue>::new(stream, command, Metadata::new()))
            .await
            .unwrap();
        self.settle().await;
    }
}
