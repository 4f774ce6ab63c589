//! Storing a batch: one script, in a few calls when the batch is large.

use std::sync::LazyLock;

use eventing::Position;
use redis::{Cmd, Connection, ErrorKind, FromRedisValue, RedisResult, Script, ServerErrorKind};

use super::{
    super::{Batch, Raise, Refusal, ViewError, ViewWrite, layout, write::Outcomes},
    RedisViews, Shared,
};

static COMMIT: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("below.lua"), include_str!("commit.lua"))));

/// Views written in one call, and their bytes: Redis serves nobody else meanwhile, so it should take a millisecond or
/// two.
const WRITES_MAX: usize = 500;
const BYTES_MAX: usize = 1 << 20;
/// A view that others change as often as this while one batch is made does not come to rest.
const TRIES_MAX: u32 = 100;

impl RedisViews {
    /// Stores the batch. A large one is stored in several calls, with its checkpoints in the last.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<Outcomes, ViewError> {
        eventing::failpoint!("view.before_commit");
        let mut outcomes = Outcomes(Vec::with_capacity(batch.writes.len()));
        let mut parts = parts_of(&batch.writes).into_iter().peekable();
        let mut forgotten = batch.forgotten.as_slice();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none() && !outcomes.leave_a_gap();
            let raises = if is_last {
                batch.checkpoints.as_slice()
            } else {
                &[]
            };
            let found = self.shared.commit(forgotten, part, raises)?;
            outcomes.0.extend(found);
            forgotten = &[];
        }
        eventing::failpoint!("view.after_commit");
        Ok(outcomes)
    }

    /// Makes and stores a batch again until nothing that it was made from has changed meanwhile. Whom it forgets is
    /// marked first, and the batch made once more: from the mark on nothing about them can come up.
    pub(crate) fn exclusively<T>(
        &self,
        mut make: impl FnMut(&super::super::Snapshot) -> Result<(Batch, T), ViewError>,
    ) -> Result<(Batch, Outcomes, T), ViewError> {
        let mut marked = Vec::new();
        for _ in 0..TRIES_MAX {
            let snapshot = super::super::Snapshot::Redis(self.snapshot()?);
            let (batch, made) = make(&snapshot)?;
            if batch.forgotten.iter().any(|subject| !marked.contains(subject)) {
                self.shared.commit(&batch.forgotten, &[], &[])?;
                marked.extend_from_slice(&batch.forgotten);
                continue;
            }
            let outcomes = self.commit(&batch)?;
            if !outcomes.leave_a_gap() {
                return Ok((batch, outcomes, made));
            }
        }
        Err(ViewError::unavailable(
            "a view was changed by others time and again",
        ))
    }
}

impl Shared {
    fn commit(
        &self,
        forgotten: &[eventing::SubjectId],
        writes: &[ViewWrite],
        raises: &[Raise],
    ) -> Result<Vec<Result<(), Refusal>>, ViewError> {
        let command = |run: u64| {
            let mut arguments = Arguments::new(self);
            arguments.number(forgotten.len());
            for subject in forgotten {
                arguments.bytes(subject.as_uuid().as_bytes());
            }
            arguments.number(writes.len());
            writes.iter().for_each(|write| arguments.write(write));
            let raises: Vec<_> = raises.iter().filter(|raise| raise.run == run).collect();
            arguments.number(raises.len());
            raises.into_iter().for_each(|raise| arguments.raise(raise));
            arguments.command
        };
        let answer = self
            .links
            .call_in_run(|connection, run| eval::<String>(connection, &COMMIT, &command(run)))?;
        answer.value.bytes().map(outcome_of).collect()
    }
}

fn outcome_of(digit: u8) -> Result<Result<(), Refusal>, ViewError> {
    match digit {
        b'0' => Ok(Ok(())),
        b'1' => Ok(Err(Refusal::OtherVersion)),
        b'2' => Ok(Err(Refusal::Forgotten)),
        b'3' => Ok(Err(Refusal::OtherGeneration)),
        _ => Err(layout::corrupt("the script answered what it cannot")),
    }
}

/// Runs a script, and tells the server what it says when it does not know it.
pub(super) fn eval<T: FromRedisValue>(
    connection: &mut Connection,
    script: &Script,
    command: &Cmd,
) -> RedisResult<T> {
    match command.query(connection) {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            script.load(connection)?;
            command.query(connection)
        }
        other => other,
    }
}

/// A call of a script with these keys; its arguments follow.
pub(super) fn evalsha(script: &Script, keys: &[String]) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}

struct Arguments {
    command: Cmd,
}

impl Arguments {
    fn new(shared: &Shared) -> Self {
        let keys = [shared.names.meta(), shared.names.forgotten()];
        let mut command = evalsha(&COMMIT, &keys);
        command.arg(&shared.names.prefix).arg(&shared.origin);
        Self { command }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.command.arg(bytes);
    }

    fn number(&mut self, number: usize) {
        self.command.arg(number);
    }

    fn position(&mut self, position: Position) {
        self.bytes(&position.0.to_be_bytes());
    }

    /// Whether there is a value, and it.
    fn value(&mut self, value: Option<&[u8]>) {
        self.bytes(if value.is_some() { b"1" } else { b"0" });
        self.bytes(value.unwrap_or_default());
    }

    fn write(&mut self, write: &ViewWrite) {
        self.command
            .arg(write.projection)
            .arg(write.generation.0)
            .arg(write.stream.as_str());
        let subject = write.subject.map(|subject| subject.as_uuid().into_bytes());
        self.bytes(subject.as_ref().map_or(&[], |subject| subject.as_slice()));
        self.bytes(&write.from.0.to_be_bytes());
        self.bytes(&layout::encode_view(
            write.to,
            write.position,
            write.head.as_deref(),
        ));
        self.number(write.entries.len());
        for (name, value) in &write.entries {
            self.bytes(name.as_bytes());
            self.value(value.as_deref());
        }
        self.number(write.lookups.len());
        for (lookup, value) in &write.lookups {
            self.command
                .arg(format!("{}:{}", lookup.index, lookup.partition))
                .arg(&lookup.key);
            self.value(value.as_deref());
        }
    }

    fn raise(&mut self, raise: &Raise) {
        self.command.arg(raise.projection).arg(raise.generation.0);
        self.position(raise.to);
        self.position(raise.known);
    }
}

/// The writes in parts of a bounded size, at least one.
fn parts_of(writes: &[ViewWrite]) -> Vec<&[ViewWrite]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, write) in writes.iter().enumerate() {
        let size = bytes_of(write);
        if at > start && (at - start >= WRITES_MAX || bytes + size > BYTES_MAX) {
            parts.push(&writes[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    parts.push(&writes[start..]);
    parts
}

fn bytes_of(write: &ViewWrite) -> usize {
    let head = write.head.as_ref().map_or(0, Vec::len);
    let entries = write.entries.iter();
    let entries = entries.map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len));
    head + entries.sum::<usize>()
}
