//! A right that one process holds for as long as it lives and renews it.

use std::{
    sync::{Arc, LazyLock, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use redis::Script;

use super::{
    super::ViewError,
    Shared,
    commit::{eval, evalsha},
};

/// How long after its holder's death a right can be taken by another.
pub(super) const TTL: Duration = Duration::from_secs(10);
const RENEWALS_PER_TTL: u32 = 4;

/// KEYS: the right. ARGV: the holder's token, milliseconds; without these it is given back.
static KEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
         if ARGV[2] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end \
         return redis.call('DEL', KEYS[1])",
    )
});

/// A right, renewed until it is dropped. Whoever acts on it must still compare the token, as it can be lost.
#[derive(Debug)]
pub(crate) struct Lease {
    shared: Arc<Shared>,
    key: String,
    token: String,
    stop: Option<mpsc::Sender<()>>,
    renewing: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the right called `key`; `None` when another holds it.
    pub(super) fn take(shared: &Arc<Shared>, key: String, ttl: Duration) -> Result<Option<Self>, ViewError> {
        let token = uuid::Uuid::now_v7().to_string();
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(&token).arg("NX").arg("PX").arg(millis(ttl));
        let taken = shared
            .links
            .call(|connection| command.query::<Option<String>>(connection))?;
        // After an answer that was lost, the second try finds the first one's token.
        if taken.value.is_none() {
            return Ok(None);
        }
        let (stop, stopped) = mpsc::channel();
        let renewing = Renewing {
            shared: Arc::clone(shared),
            key: key.clone(),
            token: token.clone(),
            ttl,
        };
        let renewing = std::thread::Builder::new()
            .name("view lease".to_owned())
            .spawn(move || renewing.until(&stopped))
            .map_err(ViewError::unavailable)?;
        Ok(Some(Self {
            shared: Arc::clone(shared),
            key,
            token,
            stop: Some(stop),
            renewing: Some(renewing),
        }))
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(renewing) = self.renewing.take() {
            // A thread that panicked renews no more, and the right expires.
            let _ = renewing.join();
        }
        let mut command = evalsha(&KEEP, std::slice::from_ref(&self.key));
        command.arg(&self.token);
        // If nobody answers it expires by itself.
        let _ = self
            .shared
            .links
            .call(|connection| eval::<i64>(connection, &KEEP, &command));
    }
}

struct Renewing {
    shared: Arc<Shared>,
    key: String,
    token: String,
    ttl: Duration,
}

impl Renewing {
    fn until(&self, stopped: &mpsc::Receiver<()>) {
        let mut command = evalsha(&KEEP, std::slice::from_ref(&self.key));
        command.arg(&self.token).arg(millis(self.ttl));
        while stopped.recv_timeout(self.ttl / RENEWALS_PER_TTL) == Err(mpsc::RecvTimeoutError::Timeout) {
            // One that fails is made up for by the next, as long as the right has not expired.
            let _ = self
                .shared
                .links
                .call(|connection| eval::<i64>(connection, &KEEP, &command));
        }
    }
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}
