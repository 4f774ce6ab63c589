//! How it was done, and what the numbers cannot say.

use crate::models::GRID_MAX;
use crate::standings::Comparison;

pub(super) fn section(comparison: &Comparison) -> String {
    let mut lines = vec![
        "## Method".to_owned(),
        format!(
            "- Every contestant sees the same splits and chooses among at most {GRID_MAX} settings on a tuning half that judges \
             nobody."
        ),
    ];
    if let Some(likes) = &comparison.likes {
        let halves = if likes.over_listeners {
            "listeners"
        } else {
            "each listener's artists"
        };
        lines.push(format!(
            "- Ratings: the halves are of {halves}. Within a half, each draw puts about half of the artists aside to be judged on and \
             learns from the others' tracks in random order, one track a song. Prequential loss predicts each of up to 200 \
             ratings, one an artist, before it is learned; after 20 ratings models learn again in steps of 5, then 25. Settings \
             are chosen by the mean area under the curve, equals by log-loss."
        ));
        lines.push(format!(
            "- Calibration error: ten bins of equal width over all draws. What of it is chance is what {} songs' labels, each drawn by \
             itself, would give to probabilities that are right: an error up to that is none, and albums that were rated as one \
             make more of it chance.",
            likes.songs
        ));
        lines.push(
            "- A prior from other people is fitted to the tuning half's listeners; with few listeners, to the known playlists, each \
             as someone who likes its tracks and dislikes as many random ones."
                .to_owned(),
        );
    }
    if comparison.continuation.is_some() {
        lines.push(
            "- Playlists: half are known, half judge. Shown songs, and as many random others that are shown as dislikes, stand in \
             no ranking. Playlists are incomplete: a song that would fit and is not in it counts as a miss, so the numbers \
             compare rankings and are no measure of satisfaction. Settings are chosen by NDCG@500 over both protocols."
                .to_owned(),
        );
        lines.push(
            "- The structural constants of Segue's generators (a dozen round numbers: how much each kind of evidence counts) were \
             chosen by comparing rankings on playlists of such a collection. When these are the same ones, that favours them."
                .to_owned(),
        );
    }
    lines.push(
        "- Intervals: percentile bootstrap, 2,000 resamples. p-values: sign-flip randomisation of paired differences, 5,000 \
         signings, so none is below 0.0002."
            .to_owned(),
    );
    lines.push("- The data compare and train nothing that is published.".to_owned());
    lines.push(data(comparison));
    lines.join("\n")
}

fn data(comparison: &Comparison) -> String {
    let ratings = comparison
        .likes
        .iter()
        .map(|likes| format!("ratings {}", likes.digest));
    let playlists = comparison
        .continuation
        .iter()
        .map(|playlists| format!("playlists {}", playlists.digest));
    format!(
        "- Data by SHA-256: {}.",
        ratings.chain(playlists).collect::<Vec<_>>().join(", ")
    )
}
