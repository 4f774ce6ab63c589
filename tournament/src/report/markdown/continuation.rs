//! The tables of continued playlists.

use super::table::{against, name, number, table, with_interval};
use crate::splits::Protocol;
use crate::standings::{ContinuationRow, ContinuationStanding, ProtocolStanding};

pub(super) fn section(standing: &ContinuationStanding) -> String {
    let mut parts = vec![
        "## Continuing playlists".to_owned(),
        format!(
            "{} judged playlists over {} tracks; {} other playlists were known to the contestants that look at other people. \
             The whole catalogue is ranked; a hit counts by song, under whichever id. Genres are not used: they were \
             derived from the playlists.",
            standing.judged, standing.tracks, standing.known
        ),
    ];
    parts.extend(standing.protocols.iter().map(protocol));
    parts.push(settings(standing));
    parts.join("\n\n")
}

fn protocol(standing: &ProtocolStanding) -> String {
    let shown = match standing.protocol {
        Protocol::Most => "four fifths shown",
        Protocol::Few => "five songs shown",
    };
    let header = [
        shown,
        "R-precision",
        "NDCG@500",
        "clicks",
        "difference in NDCG",
        "p",
        "top artist's share of 50",
        "coverage",
        "artist Gini",
    ];
    let cells = |row: &ContinuationRow| {
        let [difference, p] = against(row.against);
        vec![
            name(row.name, row.used),
            number(row.r_precision.mean),
            with_interval(row.ndcg),
            format!("{:.1}", row.clicks.mean),
            difference,
            p,
            number(row.artist_share),
            number(row.coverage),
            number(row.artist_gini),
        ]
    };
    table(&header, &standing.rows.iter().map(cells).collect::<Vec<_>>())
}

fn settings(standing: &ContinuationStanding) -> String {
    let rows = standing
        .protocols
        .first()
        .map_or(&[][..], |standing| &standing.rows);
    let chosen = rows.iter().filter(|row| !row.setting.is_empty());
    let lines: Vec<String> = chosen
        .map(|row| format!("{}: {}", row.name, row.setting))
        .collect();
    format!("Settings chosen: {}.", lines.join("; "))
}
