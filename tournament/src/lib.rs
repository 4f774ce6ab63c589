//! Compares taste models and playlist rankings on the same splits, and writes the report.
//!
//! Two contests: telling what a listener likes from what they dislike, and continuing playlists over a whole catalogue.
//! Every contestant sees the same splits, chooses among at most [`models::GRID_MAX`] settings on data that judge nobody,
//! and is judged once. The same data, seed and extent give the same bytes of a report, on however many cores.
//!
//! | module | its one job |
//! |---|---|
//! | [`data`] | reading ratings and playlists |
//! | [`splits`] | what is seen and what is judged; artists and songs never on both sides |
//! | [`models`] | the contestants: a file each, and a line in a registry |
//! | `like_dislike`, `continuation` | the two contests |
//! | `contest`, `state` | tuning and judging on all cores; going on after an interruption |
//! | [`metrics`], [`stats`] | probabilities and concentration; intervals, paired differences, Holm |
//! | [`standings`], [`report`] | tables; Markdown and plots |
//!
//! Unlike the generator this may use the platform's logarithm and exponential: nothing here reaches a playlist.
//!
//! Deliberately not here: anything that is published. The data may forbid it, so nothing fitted here leaves this package.

mod contest;
mod continuation;
pub mod data;
mod discipline;
mod extent;
mod like_dislike;
mod linear;
pub mod metrics;
pub mod models;
pub mod random;
pub mod report;
pub mod splits;
pub mod standings;
mod state;
pub mod stats;
#[cfg(test)]
mod testing;

use std::path::Path;
use std::sync::Mutex;

use contest::{Held, Progress};
use continuation::Continuing;
use data::{Collection, Ratings};
pub use extent::Extent;
use like_dislike::LikeDislike;
use standings::{Comparison, ContinuationStanding, LikeStanding};
pub use state::StateError;
use state::{Header, State};

/// What is compared on; one of the two may be absent, and its contest is then.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// For telling likes from dislikes.
    pub ratings: Option<&'a Ratings>,
    /// For continuing playlists, and for priors where there are few listeners.
    pub collection: Option<&'a Collection>,
}

/// Holds both contests. Results are kept in `state_file` as they come, and those that it has already are not computed
/// again; `tell` hears how many cells of how many are done, from any thread.
///
/// # Errors
/// [`StateError`]: no comparison; what the file holds is sound, and another call goes on from there.
///
/// # Panics
/// When a contestant does.
pub fn compare(
    inputs: Inputs<'_>,
    extent: Extent,
    seed: u64,
    state_file: &Path,
    tell: &(dyn Fn(u64, u64) + Sync),
) -> Result<Comparison, StateError> {
    let digest_of = |collection: &Collection| collection.digest;
    let header = Header::new(
        seed,
        extent,
        inputs.ratings.map(|ratings| ratings.digest),
        inputs.collection.map(digest_of),
    );
    compare_from(inputs, extent, seed, State::open(state_file, &header)?, tell)
}

fn compare_from(
    inputs: Inputs<'_>,
    extent: Extent,
    seed: u64,
    state: State,
    tell: &(dyn Fn(u64, u64) + Sync),
) -> Result<Comparison, StateError> {
    let state = Mutex::new(state);
    let likes = inputs.ratings.map(|ratings| {
        (
            ratings,
            LikeDislike::new(ratings, inputs.collection, extent, seed),
        )
    });
    let continuing = inputs
        .collection
        .map(|collection| (collection, Continuing::new(collection, extent, seed)));
    let total = likes
        .iter()
        .map(|(_, contest)| contest::cells(contest))
        .sum::<u64>()
        + continuing
            .iter()
            .map(|(_, contest)| contest::cells(contest))
            .sum::<u64>();
    let progress = Progress::new(total, tell);
    let likes = likes
        .map(|(ratings, contest)| {
            let held: Held = contest::hold(&contest, &state, &progress)?;
            Ok(LikeStanding::of(&contest, ratings, &held, seed))
        })
        .transpose()?;
    let continuation = continuing
        .map(|(collection, contest)| {
            let held: Held = contest::hold(&contest, &state, &progress)?;
            Ok(ContinuationStanding::of(&contest, collection, &held, seed))
        })
        .transpose()?;
    Ok(Comparison {
        version: env!("CARGO_PKG_VERSION"),
        seed,
        extent,
        likes,
        continuation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Page, pages};

    const SEED: u64 = 5;

    fn run(state: State, seed: u64) -> Vec<Page> {
        let ratings = testing::ratings(1, 160);
        let collection = testing::collection(8);
        let inputs = Inputs {
            ratings: Some(&ratings),
            collection: Some(&collection),
        };
        let comparison = compare_from(inputs, Extent::Quick, seed, state, &|_, _| {}).unwrap();
        pages(&comparison, "report")
    }

    fn header() -> Header {
        Header::new(SEED, Extent::Quick, None, None)
    }

    /// The state of a run that was interrupted: every third result, and half a line.
    fn interrupted(whole: &str) -> String {
        let mut lines = whole.lines();
        let mut kept = lines
            .next()
            .map_or_else(String::new, |header| format!("{header}\n"));
        lines
            .clone()
            .step_by(3)
            .for_each(|line| kept.push_str(&format!("{line}\n")));
        let half = lines.nth(1).map_or("", |line| &line[..line.len() / 2]);
        kept + half
    }

    #[test]
    fn a_run_that_goes_on_gives_the_report_of_one_that_was_not_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.jsonl");
        let whole = run(State::open(&file, &header()).unwrap(), SEED);
        let written = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, interrupted(&written)).unwrap();
        assert_eq!(run(State::open(&file, &header()).unwrap(), SEED), whole);
        let again = std::fs::read_to_string(&file).unwrap();
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(
            sorted(&again),
            sorted(&written),
            "nothing is computed twice or otherwise"
        );
        let is_told = |what: &str| assert!(whole[0].content.contains(what), "{what} in {}", whole[0].content);
        for what in [
            "**Segue's learner** (used)",
            "**Segue, generator 2** (used)",
            "## Method",
            "five songs shown",
        ] {
            is_told(what);
        }
        let pictures: Vec<String> = whole[1..]
            .iter()
            .map(|page| page.path.display().to_string())
            .collect();
        for picture in [
            "learning-curves",
            "reliability",
            "feature-effects",
            "continuation",
            "ablations",
        ] {
            let path = format!("report/{picture}.svg");
            assert!(pictures.contains(&path), "{pictures:?}");
            is_told(&format!("({path})"));
        }
        let is_sound = |page: &Page| {
            let wrong = ["NaN", "\"inf", " inf", ",inf"];
            wrong.iter().all(|text| !page.content.contains(text))
        };
        assert!(whole.iter().all(is_sound));
    }

    #[test]
    fn cores_change_nothing_and_the_seed_does() {
        let ratings = testing::ratings(9, 60);
        let on = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let inputs = Inputs {
                ratings: Some(&ratings),
                collection: None,
            };
            let compared =
                pool.install(|| compare_from(inputs, Extent::Quick, seed, State::in_memory(), &|_, _| {}));
            pages(&compared.unwrap(), "report")
        };
        let one = on(1, SEED);
        assert_eq!(one, on(3, SEED));
        assert_ne!(one, on(3, SEED + 1));
        assert!(one[0].content.contains("Intervals are over listeners"));
    }
}
