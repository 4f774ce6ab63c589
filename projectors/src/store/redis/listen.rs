//! Hearing what other processes store, so that waiters need not ask time and again.

use std::{
    str::FromStr as _,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use eventing::{Position, StreamId, Version};
use redis::{RedisError, RedisResult};
use tokio::sync::broadcast;

use super::{super::StoreStatus, Shared};
use crate::{ProjectionKind, changes::Change};

/// How often the listener looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(200);
/// How often a silent server is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(1);
/// How long after a failure it connects again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
const NUMBERS_BYTES: usize = 16;

/// A thread that listens for as long as this lives. What is missed while it connects, waiters find by asking.
#[derive(Debug)]
pub(super) struct Listener {
    _wanted: Arc<()>,
}

impl Listener {
    pub(super) fn start(shared: &Arc<Shared>, changes: broadcast::Sender<Arc<[Change]>>) -> Self {
        let wanted = Arc::new(());
        let listening = Listening {
            shared: Arc::clone(shared),
            changes,
            wanted: Arc::downgrade(&wanted),
        };
        let started = std::thread::Builder::new()
            .name("view changes".to_owned())
            .spawn(move || listening.run());
        if let Err(error) = started {
            tracing::warn!(%error, "changes of views by other processes are not heard; waiters ask instead");
        }
        Self { _wanted: wanted }
    }
}

struct Listening {
    shared: Arc<Shared>,
    changes: broadcast::Sender<Arc<[Change]>>,
    wanted: Weak<()>,
}

impl Listening {
    /// Trouble of this connection need not be the server's, as when it forbids the channel or cuts a slow listener off.
    /// So it is said once, and only a call of the common kind tells the status.
    fn run(&self) {
        let mut is_told = false;
        while self.is_wanted() {
            let Err(error) = self.listen(&mut is_told) else {
                return;
            };
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(
                    %error,
                    "changes of views by other processes are not heard for now; waiters ask instead"
                );
            }
            self.shared.links.probe();
            std::thread::sleep(AGAIN_AFTER);
        }
    }

    fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    fn listen(&self, is_told: &mut bool) -> RedisResult<()> {
        let mut connection = self.shared.links.connect()?;
        let mut messages = connection.as_pubsub();
        messages.subscribe(self.shared.names.changes())?;
        if std::mem::take(is_told) {
            tracing::info!("changes of views by other processes are heard again");
        }
        let mut heard = Instant::now();
        while self.is_wanted() {
            if self.shared.links.status() != StoreStatus::Connected {
                self.shared.links.probe();
            }
            messages.set_read_timeout(Some(TICK))?;
            match messages.get_message() {
                Ok(message) => {
                    heard = Instant::now();
                    self.hear(message.get_payload_bytes());
                }
                Err(error) if !is_silence(&error) => return Err(error),
                Err(_) if heard.elapsed() >= PING_EVERY => {
                    messages.set_read_timeout(Some(self.shared.links.config().timeout))?;
                    messages.ping::<redis::Value>()?;
                    heard = Instant::now();
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn hear(&self, message: &[u8]) {
        let Some((origin, news)) = message.split_at_checked(self.shared.origin.len()) else {
            return;
        };
        if origin != self.shared.origin {
            let changes = changes_in(news);
            if !changes.is_empty() {
                // No receiver means that nobody waits.
                let _ = self.changes.send(changes.into());
            }
        }
    }
}

fn is_silence(error: &RedisError) -> bool {
    error.is_timeout()
}

/// What the script says was stored: `projection stream `, then version and position in eight bytes each; a checkpoint
/// comes without a stream. What cannot be read ends the list, for this only saves waiting.
fn changes_in(mut news: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    while let Some((change, rest)) = next_change(news) {
        changes.extend(change);
        news = rest;
    }
    changes
}

fn next_change(news: &[u8]) -> Option<(Option<Change>, &[u8])> {
    let (projection, rest) = word(news)?;
    let (stream, rest) = word(rest)?;
    let (numbers, rest) = rest.split_at_checked(NUMBERS_BYTES)?;
    let (version, position) = numbers.split_at(NUMBERS_BYTES / 2);
    let version = Version(u64::from_be_bytes(version.try_into().ok()?));
    let position = Position(u64::from_be_bytes(position.try_into().ok()?));
    let Ok(kind) = ProjectionKind::from_str(projection) else {
        return Some((None, rest));
    };
    let projection = kind.name();
    let change = match StreamId::parse(stream) {
        Ok(stream) => Change::View {
            projection,
            stream,
            version,
            position,
        },
        Err(_) => Change::Checkpoint { projection, position },
    };
    Some((Some(change), rest))
}

fn word(text: &[u8]) -> Option<(&str, &[u8])> {
    let at = text.iter().position(|byte| *byte == b' ')?;
    Some((std::str::from_utf8(&text[..at]).ok()?, &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_and_checkpoints_are_told_apart() {
        let stream = StreamId::new("listener", uuid::Uuid::nil());
        let numbers = [7_u64.to_be_bytes(), 9_u64.to_be_bytes()].concat();
        let view = [format!("taste-models {stream} ").as_bytes(), &numbers].concat();
        let checkpoint = [b"accounts  ".as_slice(), &[0; 8], &3_u64.to_be_bytes()].concat();
        let expected = [
            Change::View {
                projection: "taste-models",
                stream,
                version: Version(7),
                position: Position(9),
            },
            Change::Checkpoint {
                projection: "accounts",
                position: Position(3),
            },
        ];
        assert_eq!(changes_in(&[view, checkpoint].concat()), expected);
    }
}
