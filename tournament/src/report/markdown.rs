//! The words and tables of a report.

mod continuation;
mod like_dislike;
mod method;
mod summary;
mod table;

use super::plot::Plot;
use crate::extent::Extent;
use crate::standings::Comparison;

pub(super) fn report(comparison: &Comparison, stem: &str, plots: &[Plot]) -> String {
    let picture = |name: &str| {
        let found = plots.iter().find(|plot| plot.name == name);
        found.map_or_else(String::new, |plot| {
            format!(
                "![{}]({stem}/{})\n\n*{}*\n",
                plot.name,
                plot.file_name(),
                plot.caption
            )
        })
    };
    let mut sections = vec![
        "# Model report".to_owned(),
        command(comparison),
        summary::section(comparison),
    ];
    if let Some(likes) = &comparison.likes {
        sections.push(like_dislike::section(likes));
        sections.extend(["learning-curves", "reliability", "feature-effects"].map(picture));
    }
    if let Some(continuation) = &comparison.continuation {
        sections.push(continuation::section(continuation));
        sections.extend(["continuation", "ablations"].map(picture));
    }
    sections.push(method::section(comparison));
    let filled: Vec<&str> = sections
        .iter()
        .map(|section| section.trim_end())
        .filter(|s| !s.is_empty())
        .collect();
    filled.join("\n\n") + "\n"
}

fn command(comparison: &Comparison) -> String {
    let quick = match comparison.extent {
        Extent::Full => "",
        Extent::Quick => " --quick",
    };
    let note = match comparison.extent {
        Extent::Full => "",
        Extent::Quick => " A quick run: few draws and playlists, so the intervals are wide.",
    };
    format!(
        "Written by `segue model compare --seed {}{quick}`, Segue {}.{note} The same data and seed give this page to the byte. \
         Intervals hold 95%; a difference is to the model that is used, its p-value corrected for all comparisons of \
         its table (Holm).",
        comparison.seed, comparison.version
    )
}
