//! `segue audit tiles`: the log's tree and records as static files, as C2SP `tlog-tiles` has them.

use std::path::Path;

use anyhow::Context;
use domain::{AccessCall, Asked};
use eventing::merkle::{Hash, TILE_WIDTH, TileId, TilePath};
use eventing::{Position, RecordedEvent};
use serde::Serialize;

use super::{checkpoint, replace};
use crate::Outcome;
use crate::access;
use crate::cli::TilesArguments;
use crate::output::{Bar, Output, remark};
use crate::settings::Settings;
use crate::stack::Stack;

#[derive(Serialize)]
struct Written {
    records: u64,
    tiles: u64,
    bundles: u64,
    /// Bundles that hold a record longer than the format allows.
    bundles_left_out: u64,
}

pub(super) async fn run(
    stack: &Stack,
    settings: &Settings,
    output: Output,
    arguments: &TilesArguments,
) -> anyhow::Result<Outcome> {
    let checkpoint = checkpoint::seal(stack, settings).await?;
    let size = checkpoint.checkpoint().size();
    let asked = Asked {
        until: Some(size),
        ..Asked::all()
    };
    access::record(stack, AccessCall::HistoryExport, asked).await?;
    let out = &arguments.out;
    let mut written = Written {
        records: size,
        tiles: 0,
        bundles: 0,
        bundles_left_out: 0,
    };
    let work = async {
        write_tree(stack, size, out, &mut written).await?;
        write_entries(stack, size, out, &mut written).await?;
        // What a checkpoint promises is there before it is.
        std::fs::create_dir_all(out)?;
        replace::write(&out.join("checkpoint"), checkpoint.to_string().as_bytes())
    };
    tokio::select! {
        done = work => done?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted: run it again to write what is missing"),
    }
    output.print(&written, |written| {
        format!(
            "{} tiles and {} bundles of {} records in {}",
            written.tiles,
            written.bundles,
            written.records,
            out.display()
        )
    })?;
    Ok(Outcome::Done)
}

/// Each tile of a tree of `size` records, with how many hashes it has there.
fn tiles_of(size: u64) -> impl Iterator<Item = (TileId, usize)> {
    let levels = (0_u8..8).take_while(move |level| size >> (8 * u32::from(*level)) > 0);
    levels.flat_map(move |level| {
        let at_level = size >> (8 * u32::from(level));
        (0..at_level.div_ceil(TILE_WIDTH as u64)).map(move |n| {
            let id = TileId { level, n };
            (id, id.width_at(size))
        })
    })
}

async fn write_tree(stack: &Stack, size: u64, out: &Path, written: &mut Written) -> anyhow::Result<()> {
    let tree = stack.log.tree();
    for (id, width) in tiles_of(size) {
        let path = out.join("tile").join(TilePath { id, width }.to_string());
        written.tiles += 1;
        if is_there(&path) {
            continue;
        }
        let hashes = tree.tile(id).await?;
        let hashes = hashes
            .get(..width)
            .context("a tile is shorter than the tree is")?;
        write(&path, &Hash::write_all(hashes))?;
    }
    Ok(())
}

/// A tile or bundle never changes once it is there under its name, since a partial one has its width in it.
fn is_there(path: &Path) -> bool {
    path.is_file()
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    replace::write(path, bytes)
}

async fn write_entries(stack: &Stack, size: u64, out: &Path, written: &mut Written) -> anyhow::Result<()> {
    let mut bar = Bar::of("records written");
    let mut left_out = Vec::new();
    for (id, width) in tiles_of(size).filter(|(id, _)| id.level == 0) {
        let number = TilePath { id, width }.to_string();
        let number = number.strip_prefix("0/").context("a tile of level 0")?;
        let path = out.join("tile/entries").join(number);
        let first = id.n * TILE_WIDTH as u64;
        bar.at(first + width as u64, size);
        if is_there(&path) {
            written.bundles += 1;
            continue;
        }
        let records = stack.log.read_after(Position(first), width).await?;
        anyhow::ensure!(records.len() == width, "the log ends before its checkpoint does");
        match bundle(&records) {
            Ok(bytes) => {
                write(&path, &bytes)?;
                written.bundles += 1;
            }
            Err(too_long) => left_out.push(too_long),
        }
    }
    written.bundles_left_out = left_out.len() as u64;
    if let Some(first) = left_out.first() {
        remark(&format!(
            "{} bundles of records were left out, the first for the record at position {first}: the format has no room for one \
             of more than {} bytes. The tree is whole.",
            left_out.len(),
            u16::MAX
        ));
    }
    Ok(())
}

/// Records with their lengths before them, or the position of one that is too long.
fn bundle(records: &[RecordedEvent]) -> Result<Vec<u8>, Position> {
    let mut bytes = Vec::new();
    for event in records {
        let len = u16::try_from(event.record.len()).map_err(|_| event.position)?;
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(&event.record);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tiles_of_the_specifications_example_are_listed() {
        let tiles: Vec<_> = tiles_of(70_000).collect();
        let of = |level: u8, width: usize| {
            let found = tiles.iter().filter(|(id, w)| id.level == level && *w == width);
            found.count()
        };
        assert_eq!((of(0, 256), of(0, 112)), (273, 1));
        assert_eq!((of(1, 256), of(1, 17)), (1, 1));
        assert_eq!((of(2, 1), tiles.len()), (1, 277));
        assert_eq!(tiles_of(0).count(), 0);
        let of_256: Vec<_> = tiles_of(256).map(|(id, width)| (id.level, width)).collect();
        assert_eq!(of_256, [(0, 256), (1, 1)]);
    }
}
