//! What the disk and SQLite can do without us: the peer that benchmarks run beside the log.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::append::StorageFault;

/// About what a record of a rating takes.
const ROW_BYTES: usize = 700;

/// Rows a second that plain SQLite commits durably (WAL, `synchronous=FULL`), `rows` a transaction, one transaction
/// after the other on one connection, in a database in `folder` that is deleted at the end. Blocks for `duration`.
///
/// # Errors
/// [`StorageFault`] if the database cannot be written.
pub fn plain_sqlite_rows_per_second(
    folder: &Path,
    rows: usize,
    duration: Duration,
) -> Result<f64, StorageFault> {
    let path = folder.join("plain.db");
    let rate = insert(&path, rows, duration).map_err(StorageFault::new);
    for suffix in ["", "-wal", "-shm"] {
        // What is left over lies in a temporary folder.
        let _ = std::fs::remove_file(folder.join(format!("plain.db{suffix}")));
    }
    rate
}

fn insert(path: &Path, rows: usize, duration: Duration) -> rusqlite::Result<f64> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full;
         create table rows (position integer primary key, stream text not null, version integer not null,
                            record blob not null, unique (stream, version));",
    )?;
    let record = vec![b'x'; ROW_BYTES];
    let began = Instant::now();
    let mut count = 0_i64;
    while began.elapsed() < duration {
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("insert into rows (stream, version, record) values (?, ?, ?)")?;
            for _ in 0..rows {
                insert.execute((format!("listener-{}", count % 64), count, &record))?;
                count += 1;
            }
        }
        transaction.commit()?;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn the_peer_commits_rows_and_leaves_nothing_behind() {
        let folder = TempDir::new();
        let rate = plain_sqlite_rows_per_second(folder.path(), 64, Duration::from_millis(20));
        assert!(rate.is_ok_and(|rate| rate > 0.0));
        assert_eq!(
            std::fs::read_dir(folder.path()).map(Iterator::count).ok(),
            Some(0)
        );
    }
}
