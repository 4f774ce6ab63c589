//! The report: Markdown that a person reads in five minutes, and its plots as SVG files beside it.

mod markdown;
mod palette;
mod plot;
mod plots;
mod svg;

use std::io;
use std::path::{Path, PathBuf};

use crate::standings::Comparison;

/// Why a report could not be written. Files written before stay.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written", .file.display())]
pub struct ReportError {
    file: PathBuf,
    #[source]
    source: io::Error,
}

/// A file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Relative to the report's folder.
    pub path: PathBuf,
    /// Its content.
    pub content: String,
}

/// The pages of a report called `stem`: `STEM.md`, and plots in the folder `STEM`. A pure function of the comparison.
#[must_use]
pub fn pages(comparison: &Comparison, stem: &str) -> Vec<Page> {
    let plots = plots::all(comparison);
    let mut pages = vec![Page {
        path: PathBuf::from(format!("{stem}.md")),
        content: markdown::report(comparison, stem, &plots),
    }];
    pages.extend(plots.into_iter().map(|plot| Page {
        path: Path::new(stem).join(plot.file_name()),
        content: plot.svg,
    }));
    pages
}

/// Writes the report to `out` and its plots to the folder beside it that has its name without the ending.
///
/// # Errors
/// [`ReportError`] names the file; those written before stay.
pub fn write(comparison: &Comparison, out: &Path) -> Result<(), ReportError> {
    let stem = out.file_stem().map_or_else(
        || "model-report".into(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let folder = out.parent().unwrap_or(Path::new(""));
    for (number, page) in pages(comparison, &stem).into_iter().enumerate() {
        let file = if number == 0 {
            out.to_owned()
        } else {
            folder.join(page.path)
        };
        write_page(&file, &page.content).map_err(|source| ReportError { file, source })?;
    }
    Ok(())
}

fn write_page(file: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, content)
}
