//! Verifies the live log: the records, and everything that is kept beside them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Checker, Disagreement, Fault, Kept};
use crate::append::StorageFault;
use crate::ids::Position;
use crate::log::{EventLog, KeptHead, KeptStream, LogError, StoredCheckpoint, StreamHead, Tree};
use crate::merkle::{Hash, TILE_WIDTH, Tile};
use crate::notes::{SignedCheckpoint, VerifierKey};

/// Rows read at a time: some megabytes.
const PAGE: usize = 8_192;
/// Checkpoints and streams read at a time.
const SMALL_PAGE: usize = 4_096;

/// What a log is verified against.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// The log's public key; needed where there is any checkpoint.
    pub key: Option<VerifierKey>,
    /// Keys that signed the log before: checkpoints may be signed with one of them.
    pub older_keys: Vec<VerifierKey>,
    /// The checkpoint that is remembered beside the keys.
    pub published: Option<SignedCheckpoint>,
    /// A checkpoint from an earlier time, which the history must begin with.
    pub old_checkpoint: Option<SignedCheckpoint>,
}

/// Why a log is not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyLogError {
    /// Something is wrong with it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// There are checkpoints and no key to verify them with.
    #[error("the log has signed checkpoints, and no key to verify them with was given")]
    NoKey,
    /// It could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A log without a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLog {
    /// How many records it had when verifying began.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// How many streams they are of.
    pub streams: u64,
    /// How many of them the stored tree covers.
    pub tree_size: u64,
    /// How many stored checkpoints there are.
    pub checkpoints: u64,
    /// How many records a checkpoint vouches for: those after it nobody has signed yet.
    pub signed_size: Option<u64>,
    /// The size of the checkpoint that is remembered beside the keys.
    pub published: Option<u64>,
    /// The size of the old checkpoint that the history begins with.
    pub old_checkpoint: Option<u64>,
}

/// By whom a checkpoint may be signed.
#[derive(Debug, Clone, Copy)]
struct Signers<'a> {
    key: Option<&'a VerifierKey>,
    older: &'a [VerifierKey],
}

/// Verifies `log` up to where it stood when this began; it may move on meanwhile. `progress` is told now and then how many
/// records were checked.
///
/// # Errors
/// [`VerifyLogError`], with the first fault by position, or the first one beside the records.
pub async fn verify_log(
    log: &EventLog,
    demands: &Demands,
    progress: impl FnMut(u64) + Send,
) -> Result<VerifiedLog, VerifyLogError> {
    let head = log
        .kept_head()
        .await
        .map_err(|error| damaged(error, "the log's head"))?;
    let tree = log.tree();
    let signed = Signed::read(&tree, demands).await?;
    // What cannot be decoded is told after the records, which it is made of.
    let edge = match tree.edge().await {
        Ok(edge) => Some((edge.size(), edge.root())),
        Err(LogError::Corrupt(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let sizes = signed.roots.keys().copied();
    let wanted = sizes.chain(edge.map(|(size, _)| size)).chain([head.position.0]);
    let tree_size = edge.map_or(0, |(size, _)| size.min(head.position.0));
    let pass = Pass {
        log,
        tree: &tree,
        tree_size,
        head,
        checker: Checker::new(wanted).with_correlations_to(Position(tree_size)),
    };
    let checker = pass.run(progress).await?;
    checker.judge(|position| signed.covering(position))?;
    signed.check(&checker)?;
    check_edge(&checker, head.position, edge)?;
    check_head(&checker, head)?;
    check_streams(log, &checker, head.position).await?;
    check_correlations(log, &checker).await?;
    Ok(VerifiedLog {
        size: checker.size(),
        root: checker
            .root_at(head.position.0)
            .unwrap_or_else(crate::merkle::empty_root),
        streams: checker.streams().len() as u64,
        tree_size,
        checkpoints: signed.stored,
        signed_size: signed.roots.keys().last().copied(),
        published: demands.published.as_ref().map(|note| note.checkpoint().size()),
        old_checkpoint: demands
            .old_checkpoint
            .as_ref()
            .map(|note| note.checkpoint().size()),
    })
}

/// What cannot be read as what it should be is a fault of its table; else the log did not answer.
fn damaged(error: LogError, what: &str) -> VerifyLogError {
    match error {
        LogError::Corrupt(_) => Fault::Table {
            what: what.to_owned(),
        }
        .into(),
        error => error.into(),
    }
}

/// Every root that was signed, and the first thing that is wrong with a signature.
#[derive(Debug, Default)]
struct Signed {
    /// The roots by size, and whether it is the old checkpoint's.
    roots: BTreeMap<u64, Vec<(Hash, bool)>>,
    stored: u64,
    fault: Option<Fault>,
}

impl Signed {
    async fn read(tree: &Tree, demands: &Demands) -> Result<Self, VerifyLogError> {
        let mut signed = Self::default();
        let signers = Signers {
            key: demands.key.as_ref(),
            older: &demands.older_keys,
        };
        let mut after = 0;
        loop {
            let page = tree.checkpoints_after(after, SMALL_PAGE).await;
            let page = page.map_err(|error| damaged(error, "the signed checkpoints"))?;
            for stored in &page {
                after = stored.size;
                signed.stored += 1;
                signed.add_stored(stored, signers)?;
            }
            if page.len() < SMALL_PAGE {
                break;
            }
        }
        if let Some(published) = &demands.published {
            signed.add(published, signers, false)?;
        }
        if let Some(old) = &demands.old_checkpoint {
            signed.add(old, signers, true)?;
        }
        Ok(signed)
    }

    fn add_stored(&mut self, stored: &StoredCheckpoint, signers: Signers<'_>) -> Result<(), VerifyLogError> {
        match SignedCheckpoint::parse(stored.note.as_bytes()) {
            Ok(note) => {
                self.add(&note, signers, false)?;
                let said = note.checkpoint();
                if said.size() != stored.size || said.root() != stored.root.0 {
                    let what = format!("the stored checkpoint of {} records", stored.size);
                    self.fault.get_or_insert(Fault::Table { what });
                }
                Ok(())
            }
            Err(error) => {
                self.fault.get_or_insert(Fault::NoCheckpoint(error));
                Ok(())
            }
        }
    }

    fn add(
        &mut self,
        note: &SignedCheckpoint,
        signers: Signers<'_>,
        is_old: bool,
    ) -> Result<(), VerifyLogError> {
        let key = signers.key.ok_or(VerifyLogError::NoKey)?;
        let (size, root) = (note.checkpoint().size(), Hash(note.checkpoint().root()));
        match note.verify_with_older(key, signers.older) {
            Ok(()) => self.roots.entry(size).or_default().push((root, is_old)),
            Err(cause) => {
                self.fault.get_or_insert(Fault::untrusted(size, cause, is_old));
            }
        }
        Ok(())
    }

    /// The smallest signed checkpoint that covers `position`.
    fn covering(&self, position: Position) -> Option<(u64, Hash)> {
        let (size, roots) = self.roots.range(position.0..).next()?;
        roots.first().map(|(root, _)| (*size, *root))
    }

    /// Compares all that was signed with what the records come to.
    fn check(&self, checker: &Checker) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        for (&size, roots) in &self.roots {
            let Some(found) = checker.root_at(size) else {
                return Err(Fault::Shorter {
                    size: checker.size(),
                    checkpoint: size,
                });
            };
            match roots.iter().find(|(root, _)| *root != found) {
                None => {}
                Some((_, true)) => return Err(Fault::OldRoot { size }),
                Some((_, false)) => return Err(Fault::Root { size }),
            }
        }
        Ok(())
    }
}

/// One walk over the records.
struct Pass<'a> {
    log: &'a EventLog,
    tree: &'a Tree,
    tree_size: u64,
    head: KeptHead,
    checker: Checker,
}

impl Pass<'_> {
    async fn run(mut self, mut progress: impl FnMut(u64)) -> Result<Checker, VerifyLogError> {
        let head = self.head.position.0;
        let mut after = Position::START;
        let mut next = self.log.kept_after(after, PAGE).await?;
        while self.checker.size() < head {
            let left = usize::try_from(head - self.checker.size()).unwrap_or(usize::MAX);
            let mut page = std::mem::take(&mut next);
            page.truncate(left);
            let Some(last) = page.last() else {
                return Err(self.ends_early().into());
            };
            // A place that cannot be read is found when its row is looked at.
            let said = last.columns.as_ref().and_then(|columns| columns.position);
            after = said.unwrap_or(Position(after.0 + page.len() as u64));
            // The next rows are read while these are hashed.
            let reading = self.log.kept_after(after, PAGE);
            let (checked, read) = tokio::join!(check(self.checker, page), reading);
            let (checker, tiles, result) = checked?;
            self.checker = checker;
            next = read?;
            self.compare(tiles).await?;
            if let Err(fault) = result {
                let position = fault.position().unwrap_or(Position::START);
                return Err(self.checker.fail_at(position, fault).into());
            }
            progress(self.checker.size());
        }
        Ok(self.checker)
    }

    fn ends_early(&self) -> Fault {
        let position = Position(self.checker.size() + 1);
        let size = self.head.position.0;
        self.checker
            .fail_at(position, Fault::Truncated { position, size })
    }

    /// Compares tiles with those that are stored.
    async fn compare(&mut self, tiles: Vec<Tile>) -> Result<(), LogError> {
        for tile in tiles {
            if tile.id.width_at(self.tree_size) < TILE_WIDTH {
                continue;
            }
            let stored = match self.tree.tile(tile.id).await {
                Ok(stored) => stored,
                Err(LogError::Corrupt(_)) => Vec::new(),
                Err(error) => return Err(error),
            };
            let differs = tile
                .hashes
                .iter()
                .enumerate()
                .find(|(at, hash)| stored.get(*at) != Some(hash));
            if let Some((at, _)) = differs {
                let index = tile.id.n * TILE_WIDTH as u64 + at as u64;
                self.checker.disagree(Disagreement::Tile {
                    level: tile.id.level,
                    n: tile.id.n,
                    position: Position((index << (8 * u32::from(tile.id.level))) + 1),
                });
            }
        }
        Ok(())
    }
}

type Checked = (Checker, Vec<Tile>, Result<(), Fault>);

/// Checks rows where waiting is allowed.
async fn check(mut checker: Checker, page: Vec<Kept>) -> Result<Checked, LogError> {
    let work = move || {
        let mut tiles = Vec::new();
        let result = checker.take(&page, |tile| tiles.push(tile));
        (checker, tiles, result)
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|died| LogError::Unavailable(StorageFault::new(died)))
}

/// The right edge of the stored tree is what the records come to, and is not ahead of them.
fn check_edge(checker: &Checker, head: Position, edge: Option<(u64, Hash)>) -> Result<(), Fault> {
    // A tree that grew meanwhile is ahead of what was checked.
    let is_sound = edge.is_some_and(|(size, root)| size > head.0 || checker.root_at(size) == Some(root));
    if is_sound {
        return Ok(());
    }
    let what = "the right edge of the stored tree".to_owned();
    Err(Fault::Table { what })
}

fn check_head(checker: &Checker, head: KeptHead) -> Result<(), Fault> {
    let micros = checker
        .last_time()
        .as_ref()
        .map_or(0, DateTime::<Utc>::timestamp_micros);
    let is_sound =
        head.rows == head.position.0 && head.last_row == head.position && head.recorded_at >= micros;
    if is_sound {
        return Ok(());
    }
    let what = "the log's head".to_owned();
    Err(Fault::Table { what })
}

/// Each stream's row says where its records say that it stands, and each stream has one.
async fn check_streams(log: &EventLog, checker: &Checker, head: Position) -> Result<(), VerifyLogError> {
    let mut found = 0;
    let mut after = String::new();
    loop {
        let page = log.kept_streams(&after, SMALL_PAGE).await?;
        for kept in &page {
            after.clone_from(&kept.name);
            let known = kept
                .stream
                .as_ref()
                .and_then(|stream| checker.streams().get(stream));
            if !stands(kept, known, head) {
                let what = format!("the row of the stream {}", kept.name);
                return Err(Fault::Table { what }.into());
            }
            found += usize::from(known.is_some());
        }
        if page.len() < SMALL_PAGE {
            break;
        }
    }
    if found < checker.streams().len() {
        let what = "the table of streams".to_owned();
        return Err(Fault::Table { what }.into());
    }
    Ok(())
}

/// The index of chains of causes has each record that the tree covered as this began, once, and none that is not there.
async fn check_correlations(log: &EventLog, checker: &Checker) -> Result<(), VerifyLogError> {
    let what = "the index of correlation ids";
    let expected = checker.correlations();
    let mut found = expected.emptied();
    let (mut after, mut last) = (None, Position::START);
    loop {
        let page = log.kept_correlations(after, PAGE).await;
        let page = page.map_err(|error| damaged(error, what))?;
        for &run in &page {
            found.add_run(run);
            last = last.max(run.last);
            // Long runs that overlap would take for ever.
            if found.exceeds(expected) {
                let what = what.to_owned();
                return Err(Fault::Table { what }.into());
            }
        }
        after = page.last().map(|run| (run.correlation, run.last));
        if page.len() < PAGE {
            break;
        }
    }
    // Rows that the tree wrote meanwhile are not beyond where it is now.
    let tree_size = match log.tree().size().await {
        Ok(size) => size,
        Err(error) => return Err(damaged(error, "the right edge of the stored tree")),
    };
    if found == *expected && last.0 <= tree_size {
        return Ok(());
    }
    let what = what.to_owned();
    Err(Fault::Table { what }.into())
}

/// Whether a stream's row is right: it may have moved on, and then beyond `head` only.
fn stands(kept: &KeptStream, known: Option<&StreamHead>, head: Position) -> bool {
    match (kept.head, known) {
        (Some(said), Some(known)) if said.position > head => said.version > known.version,
        (Some(said), Some(known)) => said == *known,
        // A stream that began meanwhile, or a name without a record.
        (Some(said), None) => said.position > head || said.version.0 == 0,
        (None, _) => false,
    }
}
