//! Copying generations out of Redis, into an embedded store that is read in key order.

use redis::Cmd;

use super::{
    super::{Generation, Table, ViewError, embedded::Embedded, layout},
    RedisViews, Snapshot,
    names::{self, ROW},
    snapshot::pipeline_of,
};

/// Keys whose values are fetched at a time. One may hold half a megabyte.
const AT_A_TIME: usize = 16;

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

impl RedisViews {
    /// Copies generations as they are now, and what `snapshot` knows of all.
    pub(crate) fn copy_to(
        &self,
        scratch: &Embedded,
        snapshot: &Snapshot,
        generations: &[Generation],
    ) -> Result<(), ViewError> {
        scratch.fill_meta(snapshot.meta().fields())?;
        for generation in generations {
            self.copy_views(scratch, *generation)?;
            self.copy_lookups(scratch, *generation)?;
        }
        Ok(())
    }

    /// Each view comes with its entries in one answer, so they are of one moment.
    fn copy_views(&self, scratch: &Embedded, generation: Generation) -> Result<(), ViewError> {
        let prefix = self.shared.names.views(generation);
        self.scan_parts(&prefix, |keys| {
            let (mut views, mut entries) = (Rows::new(), Rows::new());
            for (key, fields) in keys.iter().zip(self.hashes(keys)?) {
                let stream = &key[prefix.len()..];
                for (field, value) in fields {
                    if field == ROW.as_bytes() {
                        views.push((stream.to_vec(), value));
                    } else {
                        entries.push(([stream, &[0], &field].concat(), value));
                    }
                }
            }
            scratch.fill(Table::Views, generation, views)?;
            scratch.fill(Table::Entries, generation, entries)
        })
    }

    /// Hands the keys that begin with `prefix` to `each`, a few at a time.
    fn scan_parts(
        &self,
        prefix: &str,
        mut each: impl FnMut(&[Vec<u8>]) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        self.shared.scan(&names::pattern(prefix), |keys| {
            keys.chunks(AT_A_TIME).try_for_each(&mut each)
        })
    }

    fn hashes(&self, keys: &[Vec<u8>]) -> Result<Vec<Rows>, ViewError> {
        let command = |key: &Vec<u8>| command("HGETALL", key);
        let pipeline = pipeline_of(keys.iter().map(command));
        Ok(self
            .shared
            .links
            .call(|connection| pipeline.query(connection))?
            .value)
    }

    fn copy_lookups(&self, scratch: &Embedded, generation: Generation) -> Result<(), ViewError> {
        let prefix = self.shared.names.lookups(generation);
        self.scan_parts(&prefix, |keys| {
            let command = |key: &Vec<u8>| {
                let mut command = command("ZRANGEBYLEX", key);
                command.arg("-").arg("+");
                command
            };
            let pipeline = pipeline_of(keys.iter().map(command));
            let sets = self
                .shared
                .links
                .call(|connection| pipeline.query::<Vec<Vec<Vec<u8>>>>(connection))?;
            let mut rows = Rows::new();
            for (key, members) in keys.iter().zip(sets.value) {
                let partition = partition_of(&key[prefix.len()..])?;
                for member in members {
                    rows.push(row_of(&partition, &member)?);
                }
            }
            scratch.fill(Table::Lookups, generation, rows)
        })
    }
}

fn command(name: &str, key: &[u8]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key);
    command
}

/// `index:partition` as the embedded store writes it. No index has a colon in it.
fn partition_of(name: &[u8]) -> Result<Vec<u8>, ViewError> {
    let at = name.iter().position(|byte| *byte == b':');
    let at = at.ok_or_else(|| layout::corrupt("a lookup's key has no partition"))?;
    Ok([&name[..at], &[0], &name[at + 1..], &[0]].concat())
}

fn row_of(partition: &[u8], member: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ViewError> {
    let (key, value) = names::of_member(member).ok_or_else(|| layout::corrupt("a lookup has no value"))?;
    Ok(([partition, key].concat(), value.to_vec()))
}
