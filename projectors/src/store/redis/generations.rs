//! Generations in Redis: begun, switched to behind a fence, swept.

use std::sync::LazyLock;

use eventing::Position;
use redis::Script;

use super::{
    super::{Batch, Built, Generation, ViewError, layout},
    Lease, RedisViews,
    commit::{eval, evalsha},
    lease, meta, names,
};

/// KEYS: meta. ARGV: live field, a new generation with its revision, format, line field. Makes it live, and the first of
/// its line, unless one of this revision is, and answers the live one.
static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local live = redis.call('HGET', KEYS[1], ARGV[1]) \
         if live and string.sub(live, 5, 8) == string.sub(ARGV[2], 5, 8) then return live end \
         redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], 'format', ARGV[3], ARGV[4], string.sub(ARGV[2], 1, 4)) \
         return ARGV[2]",
    )
});

/// KEYS: meta, fence. ARGV: live field, building field, what is being built, token, checkpoint, fields of both
/// generations' checkpoints, line field.
static SWITCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("below.lua"),
        "if redis.call('GET', KEYS[2]) ~= ARGV[4] then return 'expired' end \
         if redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3] then return 'gone' end \
         local checkpoint = ARGV[5] \
         for _, field in ipairs({ARGV[6], ARGV[7]}) do \
           local stored = redis.call('HGET', KEYS[1], field) \
           if stored and is_below(checkpoint, stored) then checkpoint = stored end \
         end \
         redis.call('HSET', KEYS[1], ARGV[1], ARGV[3], ARGV[6], checkpoint) \
         redis.call('HSETNX', KEYS[1], ARGV[8], string.sub(ARGV[3], 1, 4)) \
         redis.call('HDEL', KEYS[1], ARGV[2]) \
         redis.call('DEL', KEYS[2]) \
         return 'switched'",
    ))
});

impl RedisViews {
    pub(crate) fn ensure_live(
        &self,
        projection: &'static str,
        revision: u32,
    ) -> Result<Generation, ViewError> {
        self.put_claim()?;
        let built = Built {
            generation: new_generation(),
            revision,
        };
        let mut command = evalsha(&BEGIN, &[self.shared.names.meta()]);
        command
            .arg(meta::field(meta::LIVE, projection))
            .arg(meta::encode(built))
            .arg(super::FORMAT)
            .arg(meta::field(meta::LINE, projection));
        let live = self
            .shared
            .links
            .call(|connection| eval::<Vec<u8>>(connection, &BEGIN, &command))?;
        layout::u32_at(&live.value, 0).map(Generation)
    }

    pub(crate) fn lock_rebuild(&self) -> Result<Lease, ViewError> {
        let lock = Lease::take(&self.shared, self.shared.names.rebuild_lock(), lease::TTL)?;
        let lock = lock.ok_or(ViewError::RebuildRunning)?;
        *self.rebuilding.lock() = Some(self.shared.meta()?.1);
        Ok(lock)
    }

    pub(crate) fn begin_building(
        &self,
        projection: &'static str,
        revision: u32,
    ) -> Result<Generation, ViewError> {
        self.put_claim()?;
        let generation = new_generation();
        let field = meta::field(meta::BUILDING, projection);
        let built = meta::encode(Built { generation, revision });
        let mut command = redis::cmd("HSET");
        command.arg(self.shared.names.meta()).arg(field).arg(built);
        command.arg(meta::FORMAT).arg(super::FORMAT);
        self.shared.links.call(|connection| command.exec(connection))?;
        Ok(generation)
    }

    pub(crate) fn abandon(&self, projection: &'static str) -> Result<(), ViewError> {
        let field = meta::field(meta::BUILDING, projection);
        let mut command = redis::cmd("HDEL");
        command.arg(self.shared.names.meta()).arg(field);
        self.shared
            .links
            .call(|connection| command.exec(connection))
            .map(drop)
    }

    /// Puts up a fence that every commit to the live generation waits behind, lets `finish` say what is still to be
    /// written, and switches if the fence has held. A rebuild that dies leaves the fence to expire.
    pub(crate) fn switch(
        &self,
        projection: &'static str,
        checkpoint: Position,
        finish: impl FnOnce(&super::super::Snapshot) -> Result<Batch, ViewError>,
    ) -> Result<(), ViewError> {
        let fence = Lease::take(&self.shared, self.shared.names.fence(projection), lease::TTL)?;
        // Left by a rebuild that died; it expires by itself.
        let fence = fence.ok_or(ViewError::Switching)?;
        let snapshot = super::super::Snapshot::Redis(self.snapshot()?);
        let built = snapshot.building(projection)?.ok_or_else(being_built_is_gone)?;
        let live = snapshot.live(projection)?;
        let batch = finish(&snapshot)?;
        if self.commit(&batch)?.leave_a_gap() {
            return Err(layout::changed_by_another());
        }
        let mut command = evalsha(&SWITCH, &[self.shared.names.meta(), fence.key().to_owned()]);
        command
            .arg(meta::field(meta::LIVE, projection))
            .arg(meta::field(meta::BUILDING, projection))
            .arg(meta::encode(built))
            .arg(fence.token())
            .arg(&checkpoint.0.to_be_bytes())
            .arg(meta::checkpoint_field(built.generation))
            .arg(meta::checkpoint_field(
                live.map_or(built.generation, |live| live.generation),
            ))
            .arg(meta::field(meta::LINE, projection));
        let began_in = *self.rebuilding.lock();
        let switched = self.shared.links.call_in_run(|connection, run| {
            if began_in != Some(run) {
                return Ok("restarted".to_owned());
            }
            eval::<String>(connection, &SWITCH, &command)
        })?;
        match switched.value.as_str() {
            "switched" => Ok(()),
            "gone" => Err(being_built_is_gone()),
            "restarted" => Err(ViewError::unavailable(
                "Redis was restarted and may have lost new views: rebuild again",
            )),
            _ => Err(ViewError::unavailable(
                "the switch took longer than writers wait: rebuild again",
            )),
        }
    }

    /// Deletes every generation that is neither live nor being built. Redis frees them in the background.
    pub(crate) fn sweep(&self) -> Result<(), ViewError> {
        let pattern = names::pattern(&self.shared.names.prefix);
        self.shared.scan(&pattern, |keys| self.sweep_keys(keys))?;
        self.sweep_checkpoints()
    }

    /// Deletes those of `keys` that are of a generation that was dropped. A key is only written when its generation is
    /// known, so the generations must be read after the keys were: one that is not there then never comes back.
    fn sweep_keys(&self, mut keys: Vec<Vec<u8>>) -> Result<(), ViewError> {
        let names = &self.shared.names;
        keys.retain(|key| names.generation_of(key).is_some());
        if keys.is_empty() {
            return Ok(());
        }
        let kept = self.shared.meta()?.0.generations()?;
        keys.retain(|key| names.generation_of(key).is_some_and(|of| !kept.contains(&of)));
        if keys.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("UNLINK");
        command.arg(&keys);
        self.shared
            .links
            .call(|connection| command.exec(connection))
            .map(drop)
    }

    /// A checkpoint is only written when its generation is known, and both are read in one moment.
    fn sweep_checkpoints(&self) -> Result<(), ViewError> {
        let (meta, _) = self.shared.meta()?;
        let kept = meta.generations()?.into_iter().map(meta::checkpoint_field);
        let kept: Vec<_> = kept.collect();
        let fields = meta.fields().map(|(field, _)| field);
        let old: Vec<_> = fields
            .filter(|field| field.starts_with("checkpoint/") && !kept.iter().any(|kept| kept == field))
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("HDEL");
        command.arg(self.shared.names.meta()).arg(&old);
        self.shared
            .links
            .call(|connection| command.exec(connection))
            .map(drop)
    }
}

/// A number that no lost generation had, as likely as not one in four thousand millions.
fn new_generation() -> Generation {
    Generation(rand::random_range(1..=u32::MAX))
}

fn being_built_is_gone() -> ViewError {
    layout::corrupt("the generation being built is gone")
}
