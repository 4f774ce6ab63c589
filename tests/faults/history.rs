//! The log as an auditor reads it over HTTP, and as its stored bytes say, compared with what the writers were told.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use bench::client::{Request, Session};
use eventing::{EventLog, Position, RecordedEvent};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::wishes::Fact;
use crate::writer::Writer;

/// Records a page: the most the server gives.
const PAGE: usize = 1_000;

/// Everything read so far. The log only grows, so each check reads on from the last.
#[derive(Debug, Default)]
pub(crate) struct History {
    events: Vec<Told>,
}

/// One event as the server tells it to an auditor.
#[derive(Debug)]
struct Told {
    id: String,
    kind: String,
    stream: String,
    version: u64,
    data: Value,
}

impl History {
    pub(crate) fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// Reads on to the head of the log.
    ///
    /// # Errors
    /// When a position is missing or comes twice.
    pub(crate) async fn read_on(&mut self, auditor: &Session) -> Result<()> {
        loop {
            // With what the reading itself adds to the log, so that no position is missing.
            let path = format!("/v1/events?after={}&limit={PAGE}&own=true", self.head());
            let page = auditor.send(&Request::get(path)).await?.expect(200)?.json()?;
            let items = page["items"].as_array().context("no items")?;
            for item in items {
                self.take(item)?;
            }
            if page["next_cursor"].is_null() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, item: &Value) -> Result<()> {
        let expected = self.head() + 1;
        let position = number(&item["position"]);
        ensure!(
            position == Some(expected),
            "expected position {expected}, got {item}"
        );
        let text = |name: &str| {
            item[name]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("no {name}: {item}"))
        };
        self.events.push(Told {
            id: text("id")?,
            kind: text("type")?,
            stream: text("stream")?,
            version: number(&item["version"]).with_context(|| format!("no version: {item}"))?,
            data: item["data"].clone(),
        });
        Ok(())
    }

    /// Compares the stored bytes with what was told: positions, ids, streams, gapless versions, leaf hashes.
    ///
    /// # Errors
    /// At the first difference.
    pub(crate) async fn check_stored(&self, log: &EventLog) -> Result<()> {
        let mut versions = HashMap::new();
        let mut stored = log.read_after(Position(0), PAGE).await?;
        for (n, told) in self.events.iter().enumerate() {
            if n > 0 && n % PAGE == 0 {
                stored = log.read_after(Position(n as u64), PAGE).await?;
            }
            let record = stored
                .get(n % PAGE)
                .context("the stored log is shorter than what was told")?;
            told.check_stored(record, n as u64 + 1, &mut versions)
                .with_context(|| format!("at position {}", n + 1))?;
        }
        Ok(())
    }

    /// Checks that every granted wish stands in the log exactly once, in order and at the position it was told, and
    /// that nothing else does but what is still open.
    ///
    /// # Errors
    /// At the first difference.
    pub(crate) fn check_writers(&self, writers: &[Writer]) -> Result<()> {
        let mut found: Vec<Vec<Fact>> = vec![Vec::new(); writers.len()];
        let owner = owners(writers);
        for event in &self.events {
            let Some(fact) = event.fact()? else { continue };
            let writer = fact_owner(&fact, &owner).with_context(|| format!("nobody wished for {fact:?}"))?;
            found[writer].push(fact);
        }
        for (writer, found) in writers.iter().zip(found) {
            let (certain, possible) = writer.facts();
            let with_open = [certain.clone(), possible].concat();
            if found != certain && found != with_open {
                bail!("writer {}: {}", writer.id, first_difference(&found, &certain));
            }
            self.check_positions(writer)?;
        }
        Ok(())
    }

    fn check_positions(&self, writer: &Writer) -> Result<()> {
        for granted in &writer.granted {
            let position = granted.answer.position.context("no position")?;
            let event = usize::try_from(position - 1)
                .ok()
                .and_then(|n| self.events.get(n));
            let event = event
                .with_context(|| format!("{}: position {position} is not in the log", granted.wish.key))?;
            let fact = event.fact()?;
            ensure!(
                fact.as_ref() == granted.wish.facts.last(),
                "{}: at position {position} stands {fact:?}",
                granted.wish.key
            );
        }
        Ok(())
    }

    /// Checks that each requested playlist was generated exactly once.
    ///
    /// # Errors
    /// At one that was not: it failed, was generated twice, or is not yet.
    pub(crate) fn check_playlists(&self) -> Result<()> {
        let mut generated: HashMap<&str, (u64, u32)> = HashMap::new();
        let playlists = (1_u64..)
            .zip(&self.events)
            .filter(|(_, event)| event.stream.starts_with("playlist-"));
        for (position, event) in playlists {
            ensure!(
                event.kind != "playlist.failed",
                "{} failed: {}",
                event.stream,
                event.data
            );
            let (_, times) = generated.entry(&event.stream).or_insert((position, 0));
            *times += u32::from(event.kind == "playlist.generated");
        }
        match generated.iter().find(|(_, (_, times))| *times != 1) {
            Some((stream, (position, times))) => {
                bail!("{stream}, asked for at position {position}, was generated {times} times")
            }
            None => Ok(()),
        }
    }

    /// How many events of this type there are.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| event.kind == kind).count()
    }
}

impl Told {
    fn check_stored(
        &self,
        stored: &RecordedEvent,
        position: u64,
        versions: &mut HashMap<String, u64>,
    ) -> Result<()> {
        let version = versions.entry(self.stream.clone()).or_default();
        *version += 1;
        ensure!(
            stored.position.get() == position,
            "{} stands there",
            stored.position
        );
        ensure!(stored.id.to_string() == self.id, "another id is stored than told");
        ensure!(
            stored.stream.to_string() == self.stream,
            "another stream is stored than told"
        );
        ensure!(
            stored.version.get() == *version && self.version == *version,
            "version {version} was due"
        );
        ensure!(
            stored.leaf_hash == leaf_hash(&stored.record),
            "the leaf hash is not that of the bytes"
        );
        Ok(())
    }

    fn fact(&self) -> Result<Option<Fact>> {
        let text = |name: &str| {
            let value = self.data[name].as_str().map(str::to_owned);
            value.with_context(|| format!("no {name} in {}: {}", self.kind, self.data))
        };
        Ok(match self.kind.as_str() {
            "listener.track_rated" => Some(Fact::Rated {
                track: text("track")?,
                rating: text("rating")?,
            }),
            "listener.rating_retracted" => Some(Fact::Retracted {
                track: text("track")?,
            }),
            "listener.track_played" => {
                let duration_ms = self.data["duration_played_ms"].as_u64().context("no duration")?;
                Some(Fact::Played {
                    track: text("track")?,
                    duration_ms,
                })
            }
            "playlist.requested" => Some(Fact::Requested { name: text("name")? }),
            _ => None,
        })
    }
}

/// Track to the writer that alone touches it.
fn owners(writers: &[Writer]) -> HashMap<&str, usize> {
    writers
        .iter()
        .flat_map(|writer| writer.ratings.keys().map(|track| (track.as_str(), writer.id)))
        .collect()
}

fn fact_owner(fact: &Fact, owners: &HashMap<&str, usize>) -> Option<usize> {
    match fact {
        Fact::Rated { track, .. } | Fact::Retracted { track } | Fact::Played { track, .. } => {
            owners.get(track.as_str()).copied()
        }
        Fact::Requested { name } => name.strip_prefix("writer-")?.split('-').next()?.parse().ok(),
    }
}

fn first_difference(found: &[Fact], certain: &[Fact]) -> String {
    let at = found
        .iter()
        .zip(certain)
        .take_while(|(found, certain)| found == certain)
        .count();
    format!(
        "its {}. acknowledged fact of {} is {:?}, but the log has {:?} ({} facts)",
        at + 1,
        certain.len(),
        certain.get(at),
        found.get(at),
        found.len()
    )
}

fn leaf_hash(record: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update([0])
        .chain_update(record)
        .finalize()
        .into()
}

/// CloudEvents allows integers as numbers or as strings.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
