//! Views in a Redis that processes on many machines share.
//!
//! # What holds here
//! - One Lua script compares a view's version and writes value, version and position, entries, lookups and, last, the
//!   checkpoint. Redis runs it as a whole or, when it is full, not at all.
//! - Redis is not trusted to keep what it was told. Generations have random numbers, so that a writer who knows one that
//!   was lost with a flush is refused. A checkpoint is raised only from what the writer knows to be stored, by the same
//!   run of the server and in views that did not begin anew: after a restart, a failover, an older dump or a flush it is
//!   left out until the writer has looked again.
//! - A reader remembers how far it has read, and refuses to show less.
//! - Every call has a timeout, and after one has failed the next fail at once for a moment.
//!
//! The keys are those of one server, not of a cluster: the script touches many. `docs/views.md` lists them.

mod commit;
mod config;
mod copy;
mod generations;
mod lease;
mod links;
mod listen;
mod meta;
mod names;
mod seen;
mod snapshot;

use std::sync::Arc;

use redis::{ErrorKind, RedisError};
use tokio::sync::broadcast;

pub use self::config::RedisConfig;
pub(crate) use self::{lease::Lease, snapshot::Snapshot};
use self::{links::Links, listen::Listener, names::Names, seen::Seen};
use super::{StoreStatus, ViewError, layout, sealing::Sealing};
use crate::changes::Change;

const FORMAT: &[u8] = b"1";

/// The views in one Redis, under one prefix.
#[derive(Debug)]
pub(crate) struct RedisViews {
    shared: Arc<Shared>,
    /// Which log the views must be of, once that was said.
    log: parking_lot::Mutex<Option<String>>,
    seen: Seen,
    /// The run of the server in which the rebuild of this process began.
    rebuilding: parking_lot::Mutex<Option<u64>>,
    _listener: Listener,
}

/// What the listener and leases use as well.
#[derive(Debug)]
struct Shared {
    links: Links,
    names: Names,
    /// Tells this process's messages from others'.
    origin: [u8; 16],
    sealing: Sealing,
}

impl RedisViews {
    pub(crate) fn open(
        config: RedisConfig,
        changes: broadcast::Sender<Arc<[Change]>>,
    ) -> Result<Self, ViewError> {
        let address = config.address();
        let refuse = |error| refused(address.clone(), error);
        let names = Names {
            prefix: config.prefix.clone(),
        };
        let links = Links::new(config).map_err(refuse)?;
        let mut connection = links.connect().map_err(refuse)?;
        let memory: String = redis::cmd("INFO")
            .arg("memory")
            .query(&mut connection)
            .map_err(refuse)?;
        refuse_eviction(&address, &memory)?;
        let shared = Arc::new(Shared {
            links,
            names,
            origin: *uuid::Uuid::now_v7().as_bytes(),
            sealing: Sealing::default(),
        });
        shared.check_format()?;
        Ok(Self {
            _listener: Listener::start(&shared, changes),
            shared,
            log: parking_lot::Mutex::default(),
            seen: Seen::default(),
            rebuilding: parking_lot::Mutex::default(),
        })
    }

    pub(crate) fn sealing(&self) -> &Sealing {
        &self.shared.sealing
    }

    pub(crate) fn status(&self) -> StoreStatus {
        self.shared.links.status()
    }

    /// Says which log the views are folded from, and refuses those of another.
    pub(crate) fn claim(&self, log: &str) -> Result<(), ViewError> {
        *self.log.lock() = Some(log.to_owned());
        self.put_claim()?;
        self.meta().map(drop)
    }

    /// A Redis that was emptied knows nothing of the log.
    fn put_claim(&self) -> Result<(), ViewError> {
        let Some(log) = self.log.lock().clone() else {
            return Ok(());
        };
        let meta = self.shared.names.meta();
        let put = |connection: &mut redis::Connection| {
            redis::cmd("HSETNX")
                .arg(&meta)
                .arg(meta::LOG)
                .arg(&log)
                .exec(connection)
        };
        self.shared.links.call(put).map(drop)
    }

    pub(crate) fn snapshot(&self) -> Result<Snapshot, ViewError> {
        let before = self.seen.reaches();
        let (meta, run) = self.meta()?;
        Ok(Snapshot::new(Arc::clone(&self.shared), meta, run, before))
    }

    fn meta(&self) -> Result<(meta::Meta, u64), ViewError> {
        let (meta, run) = self.shared.meta()?;
        if let (Some(expected), Some(found)) = (self.log.lock().as_deref(), meta.log())
            && expected.as_bytes() != found
        {
            return Err(ViewError::OtherLog(self.shared.place()));
        }
        Ok((meta, run))
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

impl Shared {
    fn meta(&self) -> Result<(meta::Meta, u64), ViewError> {
        let key = self.names.meta();
        let answer = self
            .links
            .call(|connection| redis::cmd("HGETALL").arg(&key).query(connection))?;
        Ok((meta::Meta::new(answer.value), answer.run))
    }

    fn check_format(&self) -> Result<(), ViewError> {
        let (meta, _) = self.meta()?;
        match meta.format() {
            None | Some(FORMAT) => Ok(()),
            Some(_) => Err(layout::corrupt("its format is another program's")),
        }
    }

    /// Where the views are, for people.
    fn place(&self) -> String {
        format!(
            "{} of Redis at {}",
            self.names.prefix,
            self.links.config().address()
        )
    }
}

fn refused(address: String, error: RedisError) -> ViewError {
    let remedy = match error.kind() {
        ErrorKind::AuthenticationFailed => "set REDIS_PASSWORD to the password it wants",
        _ if error.code() == Some("NOAUTH") => "set REDIS_PASSWORD to the password it wants",
        ErrorKind::Io => "set REDIS_HOST and REDIS_PORT to where it runs, and see that it does",
        _ => "see that REDIS_HOST names a Redis of version 7 or newer that may be used",
    };
    ViewError::Connect {
        address,
        remedy,
        source: error.into(),
    }
}

/// A Redis that is full must say so. One that throws keys away instead would show people as absent.
fn refuse_eviction(address: &str, memory: &str) -> Result<(), ViewError> {
    match links::field(memory, "maxmemory_policy") {
        Some(policy) if policy.starts_with("allkeys") => Err(ViewError::Connect {
            address: address.to_owned(),
            remedy: "set its maxmemory-policy to noeviction, for it would throw views away when it is full",
            source: format!("its maxmemory-policy is {policy}").into(),
        }),
        _ => Ok(()),
    }
}
