//! Views in an LMDB environment that several processes may open at once: readers never wait and need no thread.

mod generations;
mod snapshot;
mod write;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use heed::{
    Database, Env, EnvFlags, EnvOpenOptions, WithoutTls,
    types::{Bytes, Str},
};

pub(crate) use self::snapshot::Snapshot;
use super::{Table, ViewError, layout, sealing::Sealing};

/// The address space the store may grow into. Sparse: the file takes only what is used.
#[cfg(target_pointer_width = "64")]
const MAP_BYTES: usize = 64 << 30;
#[cfg(not(target_pointer_width = "64"))]
const MAP_BYTES: usize = 1 << 30;
/// Read transactions at one time, over all processes.
const READERS_MAX: u32 = 2048;
const FORMAT: u64 = 1;

/// The environment, opened.
#[derive(Debug)]
pub(crate) struct Embedded {
    env: Env<WithoutTls>,
    tables: Tables,
    dir: PathBuf,
    sealing: Sealing,
}

#[derive(Clone, Copy, Debug)]
struct Tables {
    meta: Database<Str, Bytes>,
    views: Database<Bytes, Bytes>,
    entries: Database<Bytes, Bytes>,
    lookups: Database<Bytes, Bytes>,
    forgotten: Database<Bytes, Bytes>,
}

impl Embedded {
    pub(crate) fn open(dir: &Path) -> Result<Self, ViewError> {
        Self::open_sized(dir, MAP_BYTES)
    }

    pub(crate) fn open_sized(dir: &Path, map_bytes: usize) -> Result<Self, ViewError> {
        Self::open_with(dir, map_bytes, EnvFlags::NO_META_SYNC)
    }

    /// A store that need not survive this process: commits do not wait for the disk.
    pub(crate) fn open_scratch(dir: &Path) -> Result<Self, ViewError> {
        Self::open_with(dir, MAP_BYTES, EnvFlags::NO_SYNC)
    }

    fn open_with(dir: &Path, map_bytes: usize, flags: EnvFlags) -> Result<Self, ViewError> {
        fs::create_dir_all(dir).map_err(ViewError::unavailable)?;
        let env = open_env(dir, map_bytes, flags)?;
        env.clear_stale_readers()?;
        let tables = Tables::open(&env)?;
        Ok(Self {
            env,
            tables,
            dir: dir.to_owned(),
            sealing: Sealing::default(),
        })
    }

    /// Everything as of this moment. Cheap, but while it lives the store cannot use freed pages again.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, ViewError> {
        let txn = match self.env.clone().static_read_txn() {
            Err(heed::Error::Mdb(heed::MdbError::ReadersFull)) => {
                self.env.clear_stale_readers()?;
                self.env.clone().static_read_txn()?
            }
            other => other?,
        };
        Ok(Snapshot::new(txn, self.tables, self.sealing.clone()))
    }

    pub(crate) fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// What was sealed elsewhere opens here.
    pub(crate) fn sealed_as(self, sealing: &Sealing) -> Self {
        Self {
            sealing: sealing.clone(),
            ..self
        }
    }

    /// Says which log the views are folded from, and refuses those of another.
    pub(crate) fn claim(&self, log: &str) -> Result<(), ViewError> {
        let marker = self.dir.join("log");
        match fs::read_to_string(&marker) {
            Ok(found) if found == log => Ok(()),
            Ok(_) => Err(ViewError::OtherLog(self.dir.display().to_string())),
            Err(_) => write_whole(&marker, log).map_err(ViewError::unavailable),
        }
    }
}

/// A crash leaves the file as a whole or not at all.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension(uuid::Uuid::now_v7().to_string());
    fs::write(&draft, text)?;
    fs::rename(draft, path)
}

#[expect(
    unsafe_code,
    reason = "a memory map is sound only while nobody but LMDB writes its file"
)]
fn open_env(dir: &Path, map_bytes: usize, flags: EnvFlags) -> Result<Env<WithoutTls>, ViewError> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes).max_dbs(8).max_readers(READERS_MAX);
    // SAFETY: the folder is the program's own, every process opens it through LMDB with its lock file, and the two
    // flags in use say when the disk is waited for: NO_META_SYNC may lose the last commit at a power failure, never
    // the file's integrity, and NO_SYNC is for stores that nobody opens again.
    let env = unsafe { options.flags(flags).open(dir) };
    env.map_err(|error| match error {
        heed::Error::Io(cause) if cause.kind() == io::ErrorKind::OutOfMemory => ViewError::unavailable(cause),
        other => other.into(),
    })
}

impl Tables {
    fn open(env: &Env<WithoutTls>) -> Result<Self, ViewError> {
        let mut txn = env.write_txn()?;
        let tables = Self {
            meta: env.create_database(&mut txn, Some("meta"))?,
            views: env.create_database(&mut txn, Some("views"))?,
            entries: env.create_database(&mut txn, Some("entries"))?,
            lookups: env.create_database(&mut txn, Some("lookups"))?,
            forgotten: env.create_database(&mut txn, Some("forgotten"))?,
        };
        match tables.meta.get(&txn, "format")? {
            None => tables.meta.put(&mut txn, "format", &FORMAT.to_be_bytes())?,
            Some(bytes) if bytes == FORMAT.to_be_bytes() => {}
            Some(_) => return Err(layout::corrupt("its format is another program's")),
        }
        txn.commit()?;
        Ok(tables)
    }

    fn of(&self, table: Table) -> Database<Bytes, Bytes> {
        match table {
            Table::Views => self.views,
            Table::Entries => self.entries,
            Table::Lookups => self.lookups,
        }
    }
}
