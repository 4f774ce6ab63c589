//! Folding the log again somewhere else, and comparing what comes out with the live views.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::AccountId;
use eventing::{EventLog, Keys, Position, StreamId, Version};
use parking_lot::Mutex;
use serde::Serialize;

use crate::{
    Difference, DifferenceKind, Digests, ProjectionKind, ViewError, ViewReader, ViewStore,
    compare::{Mismatch, Side, compare, was_overtaken},
    digest::{digest, digests_of},
    kept::compare_kept,
    rebuild::blocking,
    scan::{Beside, Part, Watcher, fold_log},
    scratch::Scratch,
    store::{EmbeddedSnapshot, Generation, sealed_subject},
};

/// What a replay came to.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// How many events of the log were read.
    pub events: u64,
    /// What each projection came to, in the order of their names.
    pub projections: Vec<ReplayedProjection>,
    /// Views of people whose key is destroyed already, which the live projector is about to remove. Not differences.
    pub erasures_pending: u64,
    /// How long it took.
    pub took: Duration,
}

/// What the replay of one projection came to.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayedProjection {
    /// The projection's name.
    pub projection: &'static str,
    /// The checkpoint of the live views that were compared.
    pub checkpoint: Position,
    /// The digests of the live views.
    pub live: Digests,
    /// The digests of the views that the log gives.
    pub replayed: Digests,
    /// How many rows are not alike.
    pub differences: u64,
    /// The first of them, in key order.
    pub first_difference: Option<Difference>,
}

impl Replayed {
    /// True when the live views are what the log gives.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.projections
            .iter()
            .all(|projection| projection.differences == 0)
    }

    /// The first difference of all.
    #[must_use]
    pub fn first_difference(&self) -> Option<&Difference> {
        self.projections
            .iter()
            .find_map(|projection| projection.first_difference.as_ref())
    }
}

/// Views in a folder of their own, which is deleted when this is dropped.
#[derive(Debug)]
pub struct FoldedViews(Scratch);

/// What the log gives for one projection as of a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoldedProjection {
    /// The projection's name.
    pub projection: &'static str,
    /// The digests of its views.
    pub digests: Digests,
}

impl FoldedViews {
    /// Reads the views.
    #[must_use]
    pub fn reader(&self) -> ViewReader {
        self.0.store.reader()
    }

    /// The digests of the views, in the order of the projections' names. Blocks.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn digests(&self) -> Result<Vec<FoldedProjection>, ViewError> {
        let digested = ProjectionKind::ALL.into_iter().map(|kind| {
            Ok(FoldedProjection {
                projection: kind.name(),
                digests: digest(&self.0.store, kind)?,
            })
        });
        digested.collect()
    }
}

/// Folds the log up to and including `until` into views of their own: how things stood then, but for people who were
/// forgotten since.
///
/// # Errors
/// - `Log`: the log or a person's key could not be read.
/// - `Full`, `Unavailable`: the temporary folder could not be written.
pub async fn fold_until(log: &EventLog, keys: &Keys, until: Position) -> Result<FoldedViews, ViewError> {
    fold_watched(log, keys, until, Watcher::default()).await
}

/// As [`fold_until`], watched.
///
/// # Errors
/// As [`fold_until`].
pub async fn fold_watched(
    log: &EventLog,
    keys: &Keys,
    until: Position,
    watcher: Watcher,
) -> Result<FoldedViews, ViewError> {
    let scratch = Scratch::of(&ProjectionKind::ALL)?;
    let part = Part {
        watcher,
        ..Part::until(log, keys, until)
    };
    fold_log(&scratch.store, part, scratch.generations.clone(), None).await?;
    Ok(FoldedViews(scratch))
}

/// Folds the log again and compares every view, entry and lookup with the live ones, which may move on meanwhile: they
/// are compared as of the moment when the replay began.
///
/// The log is folded exactly as far as the live views claim to be: to each view's version, and for every stream to the
/// projection's checkpoint. So a changed, missing or surplus row is found, and so is a view that is behind its claim.
///
/// From Redis the live views are copied first, each as of a moment of its own, not before the checkpoint: then the digests
/// of views that moved on meanwhile tell nothing, and a lookup is not compared when its view has changed since.
///
/// # Errors
/// - `NotBuilt`: a projection has no live views of this program's revision.
/// - `Log`: the log or a person's key could not be read.
/// - `Full`, `Unavailable`, `Corrupt`: a store could not be read or written.
pub async fn replay(store: &ViewStore, log: &EventLog, keys: &Keys) -> Result<Replayed, ViewError> {
    replay_watched(store, log, keys, Watcher::default()).await
}

/// As [`replay`], watched.
///
/// # Errors
/// As [`replay`].
pub async fn replay_watched(
    store: &ViewStore,
    log: &EventLog,
    keys: &Keys,
    watcher: Watcher,
) -> Result<Replayed, ViewError> {
    let started = Instant::now();
    let live = store.clone();
    let beside = blocking(move || live_views(&live)).await?;
    // Taken behind the snapshot, so it holds all that the snapshot can.
    let until = log
        .head()
        .await
        .map_err(|error| ViewError::log("its head", error))?;
    let scratch = Scratch::of(&ProjectionKind::ALL)?;
    let beside = Arc::new(Mutex::new(beside));
    let part = Part {
        watcher,
        ..Part::until(log, keys, until)
    };
    let scanned = fold_log(
        &scratch.store,
        part,
        scratch.generations.clone(),
        Some(Arc::clone(&beside)),
    )
    .await?;
    let (scratch, comparison) = compare_all(store.clone(), scratch, beside, until).await?;
    drop(scratch);
    let mut replayed = Replayed {
        events: scanned.events,
        projections: comparison.projections,
        erasures_pending: 0,
        took: Duration::ZERO,
    };
    settle_erasures(log, comparison.suspects, &mut replayed).await?;
    replayed.took = started.elapsed();
    Ok(replayed)
}

/// The live views, frozen; all of them must have been built.
fn live_views(store: &ViewStore) -> Result<Beside, ViewError> {
    let snapshot = store.snapshot()?;
    for kind in ProjectionKind::ALL {
        crate::folding::live_generation(&snapshot, kind)?;
    }
    drop(snapshot);
    Beside::frozen(store, &ProjectionKind::ALL)
}

/// A stream of which the log says that it was erased and the live views do not, with all of its differing rows.
struct Suspect {
    account: AccountId,
    /// Where the live view of the account stands.
    applied: Version,
    stream: StreamId,
    rows: Vec<(ProjectionKind, Difference)>,
}

#[derive(Default)]
struct Comparison {
    projections: Vec<ReplayedProjection>,
    suspects: Vec<Suspect>,
}

async fn compare_all(
    store: ViewStore,
    scratch: Scratch,
    beside: Arc<Mutex<Beside>>,
    head: Position,
) -> Result<(Scratch, Comparison), ViewError> {
    blocking(move || {
        let beside = beside.lock();
        let mut comparison = Comparison::default();
        for (kind, fresh) in &scratch.generations {
            let Some(live) = beside.compared() else { continue };
            let sides = Sides {
                store: &store,
                beside: &beside,
                live,
                fresh: &scratch.store,
            };
            compare_one(&mut comparison, &sides, *kind, *fresh, head)?;
        }
        Ok((scratch, comparison))
    })
    .await
}

/// What is compared.
struct Sides<'a> {
    /// Where the live views lie and may move on.
    store: &'a ViewStore,
    beside: &'a Beside,
    live: &'a EmbeddedSnapshot,
    fresh: &'a ViewStore,
}

fn compare_one(
    comparison: &mut Comparison,
    sides: &Sides<'_>,
    kind: ProjectionKind,
    fresh: Generation,
    head: Position,
) -> Result<(), ViewError> {
    let Some((generation, checkpoint)) = sides.beside.live.get(&kind) else {
        return Ok(());
    };
    let frozen = sides.fresh.frozen(&[fresh])?;
    let live = Side {
        snapshot: sides.live,
        generation: *generation,
    };
    let (digested, replayed, frozen) = digests_of((live.snapshot, live.generation), (frozen, fresh))?;
    let fresh = Side {
        snapshot: &frozen.snapshot,
        generation: fresh,
    };
    let mut result = ReplayedProjection {
        projection: kind.name(),
        checkpoint: *checkpoint,
        live: digested,
        replayed,
        differences: 0,
        first_difference: None,
    };
    if *checkpoint > head {
        result.count(beyond_the_log(kind));
    }
    compare_kept(sides.store, live, kind, |difference| result.count(difference))?;
    if digested == replayed {
        comparison.projections.push(result);
        return Ok(());
    }
    compare(live, fresh, |mismatch| {
        if was_overtaken(sides.store, live, &mismatch)? {
            return Ok(());
        }
        if let Some(suspect) = comparison.suspect(sides, &mismatch)? {
            suspect.rows.push((kind, mismatch.difference(kind)));
        } else {
            result.count(mismatch.difference(kind));
        }
        Ok(())
    })?;
    comparison.projections.push(result);
    Ok(())
}

impl ReplayedProjection {
    fn count(&mut self, difference: Difference) {
        self.differences += 1;
        self.first_difference.get_or_insert(difference);
    }
}

fn beyond_the_log(kind: ProjectionKind) -> Difference {
    let what = "checkpoint, which lies beyond the log,".to_owned();
    Difference {
        projection: kind.name(),
        stream: None,
        kind: DifferenceKind::Changed,
        what,
    }
}

impl Comparison {
    /// The suspect that a row belongs to; a view that the log says is erased makes its stream one.
    fn suspect(
        &mut self,
        sides: &Sides<'_>,
        mismatch: &Mismatch<'_>,
    ) -> Result<Option<&mut Suspect>, ViewError> {
        let Some(stream) = mismatch.stream() else {
            return Ok(None);
        };
        if let Some(at) = self.suspects.iter().position(|suspect| suspect.stream == stream) {
            return Ok(self.suspects.get_mut(at));
        }
        let Some((Some(live), Some(fresh))) = mismatch.views() else {
            return Ok(None);
        };
        let (Some(head), None) = (live.head, fresh.head) else {
            return Ok(None);
        };
        let Some(account) = account_of(&stream, &head).filter(|_| live.version == fresh.version) else {
            return Ok(None);
        };
        let applied = match sides.beside.live.get(&ProjectionKind::Accounts) {
            Some((generation, _)) => {
                let view = sides
                    .live
                    .view(*generation, &StreamId::new(AccountId::CATEGORY, account.uuid()))?;
                view.map_or(Version::NONE, |view| view.version)
            }
            None => Version::NONE,
        };
        self.suspects.push(Suspect {
            account,
            applied,
            stream,
            rows: Vec::new(),
        });
        Ok(self.suspects.last_mut())
    }
}

/// Whose view it is.
fn account_of(stream: &StreamId, head: &[u8]) -> Option<AccountId> {
    #[derive(serde::Deserialize)]
    struct Owned {
        owner: AccountId,
    }
    match stream.category() {
        AccountId::CATEGORY | AccountId::LISTENER_CATEGORY => Some(AccountId::new(stream.uuid())),
        _ => match sealed_subject(head) {
            Some(owner) => Some(AccountId::new(owner.as_uuid())),
            None => serde_json::from_slice::<Owned>(head)
                .ok()
                .map(|owned| owned.owner),
        },
    }
}

/// A suspect is innocent when the live views have not come to the end of the account's stream, where its erasure lies.
async fn settle_erasures(
    log: &EventLog,
    suspects: Vec<Suspect>,
    replayed: &mut Replayed,
) -> Result<(), ViewError> {
    let mut pending = BTreeSet::new();
    for suspect in suspects {
        let account = StreamId::new(AccountId::CATEGORY, suspect.account.uuid());
        let head = log
            .stream_head(&account)
            .await
            .map_err(|error| ViewError::log("a stream's head", error))?;
        if head.is_some_and(|head| head.version > suspect.applied) {
            pending.insert(suspect.stream);
            continue;
        }
        for (kind, difference) in suspect.rows {
            let projection = replayed
                .projections
                .iter_mut()
                .find(|one| one.projection == kind.name());
            projection
                .into_iter()
                .for_each(|projection| projection.count(difference.clone()));
        }
    }
    replayed.erasures_pending = pending.len() as u64;
    Ok(())
}
