//! Reading views from Redis, and remembering what was read.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, hash_map},
    sync::Arc,
};

use eventing::{Position, StreamId, SubjectId};
use redis::{Cmd, Connection, FromRedisValue, Pipeline, RedisResult};

use super::{
    super::{
        Built, Direction, Generation, LookupKey, StoredView, ViewError, Wanted, layout,
        sealing::Sealing,
        snapshot::{Origin, Row, Standing, stream_id},
    },
    Shared,
    meta::{self, Meta},
    names::{self, ROW},
    seen::Reaches,
};

/// Commands sent at a time.
const PIPELINE: usize = 1_000;

/// The views as they are read. What was read once stays so.
pub(crate) struct Snapshot {
    shared: Arc<Shared>,
    meta: Meta,
    run: u64,
    before: Reaches,
    held: RefCell<HashMap<(Generation, StreamId), Held>>,
    forgotten: RefCell<HashMap<SubjectId, bool>>,
    /// A view was another when more of it was read.
    has_moved: Cell<bool>,
    /// Something was not there, or not all of it, as in a generation that was dropped.
    has_missed: Cell<bool>,
}

/// What is remembered of a view.
#[derive(Default)]
struct Held {
    row: Option<Vec<u8>>,
    entries: BTreeMap<String, Option<Vec<u8>>>,
    /// What is not in `entries` is not in the view.
    is_whole: bool,
}

type Value = Option<Vec<u8>>;

impl Snapshot {
    pub(super) fn new(shared: Arc<Shared>, meta: Meta, run: u64, before: Reaches) -> Self {
        Self {
            shared,
            meta,
            run,
            before,
            held: RefCell::default(),
            forgotten: RefCell::default(),
            has_moved: Cell::new(false),
            has_missed: Cell::new(false),
        }
    }

    pub(crate) fn sealing(&self) -> &Sealing {
        &self.shared.sealing
    }

    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    /// What this process had read before this was asked for.
    pub(crate) fn before(&self) -> &Reaches {
        &self.before
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(crate) fn live(&self, projection: &str) -> Result<Option<Built>, ViewError> {
        self.meta.built(meta::LIVE, projection)
    }

    pub(crate) fn building(&self, projection: &str) -> Result<Option<Built>, ViewError> {
        self.meta.built(meta::BUILDING, projection)
    }

    /// Where the live views of a projection come from.
    pub(crate) fn origin(&self, projection: &str) -> Result<Origin, ViewError> {
        Ok(Origin {
            run: self.run,
            line: self.meta.line(projection)?,
        })
    }

    pub(crate) fn checkpoint(&self, generation: Generation) -> Result<Position, ViewError> {
        self.meta.checkpoint(generation)
    }

    /// Whether what was read may not belong together.
    pub(crate) fn has_moved(&self) -> Result<bool, ViewError> {
        if self.has_moved.get() || !self.has_missed.get() {
            return Ok(self.has_moved.get());
        }
        let (now, run) = self.shared.meta()?;
        Ok(run != self.run || now.generations()? != self.meta.generations()?)
    }

    pub(crate) fn is_forgotten(&self, subject: &SubjectId) -> Result<bool, ViewError> {
        if let Some(known) = self.forgotten.borrow().get(subject) {
            return Ok(*known);
        }
        let mut command = redis::cmd("SISMEMBER");
        command
            .arg(self.shared.names.forgotten())
            .arg(subject.as_uuid().as_bytes());
        let found = self.query(&command)?;
        self.forgotten.borrow_mut().insert(*subject, found);
        Ok(found)
    }

    pub(crate) fn view(
        &self,
        generation: Generation,
        stream: &StreamId,
    ) -> Result<Option<StoredView<'_>>, ViewError> {
        let key = (generation, stream.clone());
        if let Some(held) = self.held.borrow().get(&key) {
            return held.row.as_deref().map(owned_view).transpose();
        }
        let row = self.query::<Value>(&self.field_of(generation, stream, ROW))?;
        let view = row.as_deref().map(owned_view).transpose();
        self.hold(generation, stream, row, []);
        view
    }

    pub(crate) fn entry(
        &self,
        generation: Generation,
        stream: &StreamId,
        entry: &str,
    ) -> Result<Option<Cow<'_, [u8]>>, ViewError> {
        let key = (generation, stream.clone());
        if let Some(held) = self.held.borrow().get(&key)
            && let Some(value) = held.entry(entry)
        {
            return Ok(value.map(Cow::Owned));
        }
        let mut command = redis::cmd("HMGET");
        command
            .arg(self.shared.names.view(generation, stream))
            .arg(ROW)
            .arg(entry);
        let (row, value) = self.query::<(Value, Value)>(&command)?;
        self.has_missed.set(self.has_missed.get() || value.is_none());
        self.hold(generation, stream, row, [(entry.to_owned(), value.clone())]);
        Ok(value.map(Cow::Owned))
    }

    /// Up to `limit` entries whose keys begin with `prefix`, in key order, from behind `after` on. Reads the names of all
    /// of the view's entries, and the values of those.
    pub(crate) fn entries(
        &self,
        generation: Generation,
        stream: &StreamId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row<'_>>, ViewError> {
        let is_whole = |held: &Held| held.is_whole;
        let key = (generation, stream.clone());
        if limit == usize::MAX && !self.held.borrow().get(&key).is_some_and(is_whole) {
            self.prefetch_whole(generation, stream)?;
        }
        let is_wanted = |name: &str| name.starts_with(prefix) && after.is_none_or(|after| name > after);
        if let Some(held) = self.held.borrow().get(&key).filter(|held| held.is_whole) {
            let wanted = held.entries.iter().filter(|(name, _)| is_wanted(name));
            return Ok(wanted
                .filter_map(|(name, value)| row_of(name, value.as_ref()?))
                .take(limit)
                .collect());
        }
        let mut names = self.names_of(generation, stream)?;
        names.retain(|name| is_wanted(name));
        names.sort_unstable();
        names.truncate(limit);
        self.fetch(&[Wanted {
            generation,
            stream: stream.clone(),
            subject: None,
            entries: names.clone(),
        }])?;
        let held = self.held.borrow();
        let value = |name: &String| held.get(&key)?.entries.get(name)?.as_ref();
        Ok(names
            .iter()
            .filter_map(|name| row_of(name, value(name)?))
            .collect())
    }

    fn names_of(&self, generation: Generation, stream: &StreamId) -> Result<Vec<String>, ViewError> {
        let mut pipeline = redis::pipe();
        pipeline
            .atomic()
            .add_command(self.field_of(generation, stream, ROW))
            .cmd("HKEYS")
            .arg(self.shared.names.view(generation, stream));
        let (row, mut names) = self.pipeline::<(Value, Vec<String>)>(&pipeline)?;
        names.retain(|name| name != ROW);
        self.hold(generation, stream, row, []);
        Ok(names)
    }

    pub(crate) fn lookup(
        &self,
        generation: Generation,
        lookup: &LookupKey,
    ) -> Result<Option<Cow<'_, [u8]>>, ViewError> {
        let (low, high) = names::exactly(lookup);
        let mut command = redis::cmd("ZRANGEBYLEX");
        command
            .arg(
                self.shared
                    .names
                    .partition(generation, lookup.index, &lookup.partition),
            )
            .arg(low)
            .arg(high)
            .arg(&["LIMIT", "0", "1"]);
        let found = self.query::<Vec<Vec<u8>>>(&command)?;
        self.has_missed.set(self.has_missed.get() || found.is_empty());
        let value = found.first().and_then(|member| names::of_member(member));
        Ok(value.map(|(_, value)| Cow::Owned(value.to_vec())))
    }

    /// Up to `limit` lookups of one partition, in `direction`, from behind `after` on.
    pub(crate) fn lookups(
        &self,
        generation: Generation,
        (index, partition): (&'static str, &str),
        after: Option<&str>,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row<'_>>, ViewError> {
        let key = self.shared.names.partition(generation, index, partition);
        let limit = i64::try_from(limit).unwrap_or(-1);
        let mut command = match direction {
            Direction::Ascending => redis::cmd("ZRANGEBYLEX"),
            Direction::Descending => redis::cmd("ZREVRANGEBYLEX"),
        };
        command.arg(key);
        match (direction, after) {
            (Direction::Ascending, None) => command.arg("-").arg("+"),
            (Direction::Ascending, Some(after)) => command.arg(bound(after, 1)).arg("+"),
            (Direction::Descending, None) => command.arg("+").arg("-"),
            (Direction::Descending, Some(after)) => command.arg(bound(after, 0)).arg("-"),
        };
        command.arg("LIMIT").arg(0).arg(limit);
        let members = self.query::<Vec<Vec<u8>>>(&command)?;
        self.has_missed.set(self.has_missed.get() || members.is_empty());
        members.iter().map(|member| row_of_member(member)).collect()
    }

    pub(crate) fn standings(&self, generation: Generation) -> Result<Vec<Standing>, ViewError> {
        let mut standings = Vec::new();
        self.scan_views(generation, |streams| {
            let commands = streams
                .iter()
                .map(|stream| self.field_of(generation, stream, ROW));
            let rows: Vec<Value> = self.pipeline(&pipeline_of(commands))?;
            for (stream, row) in streams.iter().zip(rows) {
                let Some(row) = row else { continue };
                let view = layout::decode_view(&row)?;
                standings.push(Standing {
                    stream: stream.clone(),
                    version: view.version,
                    is_removed: view.head.is_none(),
                });
            }
            Ok(())
        })?;
        standings.sort_unstable_by(|a, b| a.stream.cmp(&b.stream));
        // A scan may show a key twice.
        standings.dedup_by(|a, b| a.stream == b.stream);
        Ok(standings)
    }

    pub(crate) fn count(&self, generation: Generation) -> Result<u64, ViewError> {
        let mut streams = std::collections::HashSet::new();
        self.scan_views(generation, |page| {
            streams.extend(page);
            Ok(())
        })?;
        Ok(streams.len() as u64)
    }

    /// Hands the streams of all views of a generation to `each`, in pages. One may come twice; one that is made
    /// meanwhile may not come.
    pub(super) fn scan_views(
        &self,
        generation: Generation,
        mut each: impl FnMut(Vec<StreamId>) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let prefix = self.shared.names.views(generation);
        self.shared.scan(&names::pattern(&prefix), |keys| {
            let streams = keys.iter().map(|key| stream_id(&key[prefix.len()..]));
            each(streams.collect::<Result<_, _>>()?)
        })
    }

    /// Reads and remembers views and entries in a few round trips, but for those it remembers already.
    pub(crate) fn prefetch(&self, wanted: &[Wanted]) -> Result<(), ViewError> {
        let missing: Vec<_> = wanted
            .iter()
            .filter_map(|wanted| self.missing_of(wanted))
            .collect();
        self.fetch_forgotten(wanted)?;
        missing.chunks(PIPELINE).try_for_each(|part| self.fetch(part))
    }

    fn missing_of(&self, wanted: &Wanted) -> Option<Wanted> {
        let held = self.held.borrow();
        let Some(held) = held.get(&(wanted.generation, wanted.stream.clone())) else {
            return Some(wanted.clone());
        };
        let mut missing = wanted.clone();
        missing.entries.retain(|entry| held.entry(entry).is_none());
        (!missing.entries.is_empty()).then_some(missing)
    }

    fn fetch(&self, wanted: &[Wanted]) -> Result<(), ViewError> {
        let command = |wanted: &Wanted| {
            let mut command = redis::cmd("HMGET");
            let key = self.shared.names.view(wanted.generation, &wanted.stream);
            command.arg(key).arg(ROW).arg(&wanted.entries);
            command
        };
        let found: Vec<Vec<Value>> = self.pipeline(&pipeline_of(wanted.iter().map(command)))?;
        for (wanted, values) in wanted.iter().zip(found) {
            let mut values = values.into_iter();
            let row = values.next().flatten();
            let entries = wanted.entries.iter().cloned().zip(values);
            self.hold(wanted.generation, &wanted.stream, row, entries);
        }
        Ok(())
    }

    fn fetch_forgotten(&self, wanted: &[Wanted]) -> Result<(), ViewError> {
        let mut known = self.forgotten.borrow_mut();
        let mut subjects: Vec<_> = wanted.iter().filter_map(|wanted| wanted.subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects.retain(|subject| !known.contains_key(subject));
        if subjects.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("SMISMEMBER");
        command.arg(self.shared.names.forgotten());
        for subject in &subjects {
            command.arg(subject.as_uuid().as_bytes());
        }
        let found: Vec<bool> = self.query(&command)?;
        known.extend(subjects.into_iter().zip(found));
        Ok(())
    }

    /// Reads and remembers a view with all of its entries, as of one moment.
    pub(crate) fn prefetch_whole(&self, generation: Generation, stream: &StreamId) -> Result<(), ViewError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.shared.names.view(generation, stream));
        let mut fields = self.query::<HashMap<String, Vec<u8>>>(&command)?;
        let row = fields.remove(ROW);
        let entries = fields.into_iter().map(|(name, value)| (name, Some(value)));
        self.hold(generation, stream, row, entries);
        if let Some(held) = self.held.borrow_mut().get_mut(&(generation, stream.clone())) {
            held.is_whole = true;
        }
        Ok(())
    }

    /// Remembers what was read of a view. What is remembered of it already stays, and if it is another now, that is
    /// remembered too.
    fn hold(
        &self,
        generation: Generation,
        stream: &StreamId,
        row: Value,
        entries: impl IntoIterator<Item = (String, Value)>,
    ) {
        self.has_missed.set(self.has_missed.get() || row.is_none());
        let mut held = self.held.borrow_mut();
        let held = match held.entry((generation, stream.clone())) {
            hash_map::Entry::Vacant(empty) => empty.insert(Held {
                row,
                ..Held::default()
            }),
            hash_map::Entry::Occupied(held) => {
                let held = held.into_mut();
                self.has_moved.set(self.has_moved.get() || held.row != row);
                held
            }
        };
        for (name, value) in entries {
            held.entries.entry(name).or_insert(value);
        }
    }

    fn field_of(&self, generation: Generation, stream: &StreamId, field: &str) -> Cmd {
        let mut command = redis::cmd("HGET");
        command.arg(self.shared.names.view(generation, stream)).arg(field);
        command
    }

    fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, ViewError> {
        self.call(|connection| command.query(connection))
    }

    fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, ViewError> {
        self.call(|connection| pipeline.query(connection))
    }

    fn call<T>(&self, work: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, ViewError> {
        let answer = self.shared.links.call(work)?;
        self.has_moved.set(self.has_moved.get() || answer.run != self.run);
        Ok(answer.value)
    }
}

impl Shared {
    /// Hands the keys that match `pattern` to `each`, in pages.
    pub(super) fn scan(
        &self,
        pattern: &str,
        mut each: impl FnMut(Vec<Vec<u8>>) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let mut cursor = 0_u64;
        loop {
            let mut command = redis::cmd("SCAN");
            command
                .arg(cursor)
                .arg("MATCH")
                .arg(pattern)
                .arg("COUNT")
                .arg(PIPELINE);
            let page = self.links.call(|connection| command.query(connection))?;
            let (next, keys): (u64, Vec<Vec<u8>>) = page.value;
            if !keys.is_empty() {
                each(keys)?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

impl Held {
    /// The entry as far as it is known.
    fn entry(&self, name: &str) -> Option<Value> {
        match self.entries.get(name) {
            Some(value) => Some(value.clone()),
            None => (self.is_whole || self.row.is_none()).then_some(None),
        }
    }
}

pub(super) fn pipeline_of(commands: impl Iterator<Item = Cmd>) -> Pipeline {
    let mut pipeline = redis::pipe();
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline
}

fn owned_view(row: &[u8]) -> Result<StoredView<'static>, ViewError> {
    let view = layout::decode_view(row)?;
    Ok(StoredView {
        version: view.version,
        position: view.position,
        head: view.head.map(|head| Cow::Owned(head.into_owned())),
        subject: None,
        lookups: Vec::new(),
        is_lost: false,
    })
}

fn row_of<'a>(name: &str, value: &[u8]) -> Option<Row<'a>> {
    Some((Cow::Owned(name.as_bytes().to_vec()), Cow::Owned(value.to_vec())))
}

fn row_of_member<'a>(member: &[u8]) -> Result<Row<'a>, ViewError> {
    let (key, value) = names::of_member(member).ok_or_else(|| layout::corrupt("a lookup has no value"))?;
    Ok((Cow::Owned(key.to_vec()), Cow::Owned(value.to_vec())))
}

/// The bound behind which, or before which, the members with this key lie.
fn bound(key: &str, end: u8) -> Vec<u8> {
    [b"(", key.as_bytes(), &[end]].concat()
}
