//! Memory for evaluations: used again while passwords are checked, and given back to the system when none is.

use std::sync::{Arc, Weak};
use std::time::Duration;

use argon2::Block;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

/// How long after the last evaluation memory is kept: a process that signs in nobody holds none of it.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(10);
/// Room that a buffer reserves. glibc serves what is above 32 MiB from the system and gives it back when it is freed; what is
/// smaller it keeps, once it has seen such a size, and the process would stay as large as it ever was. Room that
/// nothing was written to takes no memory.
const RESERVED_BLOCKS: usize = (33 << 20) / size_of::<Block>();

/// Buffers that nobody uses now.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Free>);

#[derive(Default)]
struct Free {
    buffers: Vec<Vec<Block>>,
    last_used: Option<Instant>,
    /// Whether somebody waits to release them.
    is_watched: bool,
}

impl std::fmt::Debug for Free {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is in them comes from passwords.
        f.debug_struct("Free")
            .field("buffers", &self.buffers.len())
            .finish()
    }
}

impl Buffers {
    /// A buffer of at least so many blocks.
    pub(super) fn take(&self, blocks: usize) -> Vec<Block> {
        let kept = self.0.lock().buffers.pop();
        let mut buffer = kept.unwrap_or_else(|| Vec::with_capacity(blocks.max(RESERVED_BLOCKS)));
        buffer.resize(blocks.max(buffer.len()), Block::default());
        buffer
    }

    /// Keeps a buffer for the next one, until [`KEPT_FOR`] after the last was given back: then all of them are released. Must
    /// be called on a thread of the runtime, also one that may wait.
    pub(super) fn give_back(self: &Arc<Self>, buffer: Vec<Block>) {
        let mut free = self.0.lock();
        free.buffers.push(buffer);
        free.last_used = Some(Instant::now());
        if !std::mem::replace(&mut free.is_watched, true) {
            tokio::spawn(release_when_idle(Arc::downgrade(self)));
        }
    }

    /// Answers how long it is until they may be released; nothing when they are.
    fn release_if_idle(&self) -> Duration {
        let mut free = self.0.lock();
        let idle = free.last_used.map_or(KEPT_FOR, |last_used| last_used.elapsed());
        let rest = KEPT_FOR.saturating_sub(idle);
        if rest.is_zero() {
            *free = Free::default();
        }
        rest
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.0.lock().buffers.len()
    }
}

async fn release_when_idle(buffers: Weak<Buffers>) {
    let mut rest = KEPT_FOR;
    while !rest.is_zero() {
        sleep(rest).await;
        let Some(buffers) = buffers.upgrade() else { return };
        rest = buffers.release_if_idle();
    }
}
