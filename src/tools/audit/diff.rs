//! `segue audit diff`: what changed between two points of the log.

use std::collections::BTreeSet;

use anyhow::ensure;
use domain::{AccessCall, Asked, access::StreamName};
use eventing::{Position, StreamId};
use projectors::{AsOfError, At, Count, LogDiff, Moment, ProjectionDiff, StateAt, StreamDiff, ViewChange};
use serde::Serialize;
use serde_json::Value;

use crate::Outcome;
use crate::access;
use crate::output::{Output, table, watching};
use crate::stack::Stack;
use crate::tools::audit::as_of::history;
use crate::tools::audit::moment;
use crate::tools::audit::told::scalar;

/// Streams that are listed for a person, of each projection; JSON has more.
const LISTED_MAX: usize = 20;

/// Between which points, and of what.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DiffArguments {
    /// What is recorded after this position or RFC 3339 time counts.
    from: At,
    /// What is recorded up to this position or RFC 3339 time counts.
    to: At,
    /// Shows one stream's state before and after, and the fields that changed.
    #[arg(long)]
    stream: Option<StreamId>,
}

/// A stream before and after.
#[derive(Serialize)]
struct StreamStates {
    from: Position,
    to: Position,
    stream: StreamId,
    /// Absent when the stream did not exist yet.
    before: Option<StateAt>,
    after: Option<StateAt>,
    fields: Vec<FieldChange>,
}

/// A field that changed; absent where it was not there.
#[derive(Debug, PartialEq, Serialize)]
struct FieldChange {
    field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

pub(crate) async fn run(stack: &Stack, output: Output, arguments: &DiffArguments) -> anyhow::Result<Outcome> {
    let from = moment(stack, "FROM", arguments.from).await?;
    let to = moment(stack, "TO", arguments.to).await?;
    ensure!(
        from.position <= to.position,
        "FROM is position {}, which comes after TO, position {}",
        from.position,
        to.position
    );
    let stream = arguments.stream.as_ref();
    let asked = Asked {
        stream: stream
            .map(|stream| StreamName::parse(stream.as_str()))
            .transpose()?,
        ..Asked::between(from.position.get(), to.position.get())
    };
    match stream {
        Some(stream) => {
            let states = states(stack, stream, from, to).await?;
            access::record(stack, AccessCall::HistoryDiff, asked).await?;
            output.print(&states, StreamStates::text)?;
        }
        None => {
            let read = Count::default();
            let total = to.position.get() - from.position.get();
            let diffing = projectors::log_diff(&stack.log, from.position, to.position, &read);
            let diff = watching("events read", Some(total), &read, diffing).await?;
            access::record(stack, AccessCall::HistoryDiff, asked).await?;
            output.print(&diff, diff_text)?;
        }
    }
    Ok(Outcome::Done)
}

async fn states(stack: &Stack, stream: &StreamId, from: Moment, to: Moment) -> anyhow::Result<StreamStates> {
    let history = history(stack);
    let after = existing(history.state(stream, to).await)?;
    let before = existing(history.state(stream, from).await)?;
    let value = |state: &Option<StateAt>| match state {
        Some(state) => serde_json::to_value(&state.state),
        None => Ok(Value::Null),
    };
    let fields = changes(&value(&before)?, &value(&after)?);
    Ok(StreamStates {
        from: from.position,
        to: to.position,
        stream: stream.clone(),
        before,
        after,
        fields,
    })
}

/// The state, if there was one yet.
fn existing(state: Result<StateAt, AsOfError>) -> anyhow::Result<Option<StateAt>> {
    match state {
        Ok(state) => Ok(Some(state)),
        Err(AsOfError::NotYet { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The fields that differ, in their order; a list counts as one field.
fn changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", Some(before), Some(after), &mut changes);
    changes
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let fields = |value: Option<&Value>| match value {
        Some(Value::Object(fields)) => Some(fields.clone()),
        None | Some(Value::Null) => Some(serde_json::Map::new()),
        _ => None,
    };
    match (fields(before), fields(after)) {
        (Some(old), Some(new)) if !(old.is_empty() && new.is_empty()) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                compare(&path, old.get(name), new.get(name), changes);
            }
        }
        _ => changes.push(FieldChange {
            field: path.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

impl StreamStates {
    fn text(&self) -> String {
        let stands = |state: &Option<StateAt>| {
            state.as_ref().map_or_else(
                || "not there".to_owned(),
                |state| format!("version {}", state.version),
            )
        };
        let heading = format!(
            "{}: {} at position {}, {} at position {}",
            self.stream,
            stands(&self.before),
            self.from,
            stands(&self.after),
            self.to
        );
        if self.fields.is_empty() {
            return format!("{heading}\nno field changed");
        }
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(String::new, scalar);
        let row =
            |change: &FieldChange| vec![change.field.clone(), shown(&change.before), shown(&change.after)];
        let rows: Vec<_> = self.fields.iter().map(row).collect();
        format!("{heading}\n{}", table(&["field", "before", "after"], &rows))
    }
}

fn diff_text(diff: &LogDiff) -> String {
    let mut parts = vec![format!(
        "{} events behind position {} up to {}",
        diff.events, diff.from, diff.to
    )];
    let row = |(name, count): (&String, &u64)| vec![name.clone(), count.to_string()];
    let types: Vec<_> = diff.by_type.iter().map(row).collect();
    if !types.is_empty() {
        parts.push(table(&["type", "events"], &types));
    }
    parts.extend(diff.projections.iter().map(projection_text));
    parts.join("\n\n")
}

fn projection_text(diff: &ProjectionDiff) -> String {
    let heading = format!(
        "{}: {} added, {} changed, {} removed",
        diff.projection, diff.added, diff.changed, diff.removed
    );
    let row = |stream: &StreamDiff| {
        vec![
            stream.stream.to_string(),
            change(stream.change).to_owned(),
            format!("{} -> {}", stream.from_version, stream.to_version),
        ]
    };
    let rows: Vec<_> = diff.streams.iter().take(LISTED_MAX).map(row).collect();
    let more = diff.streams.len().saturating_sub(LISTED_MAX) as u64 + diff.unlisted;
    let listed = table(&["stream", "change", "version"], &rows);
    match more {
        0 => format!("{heading}\n{listed}"),
        more => format!("{heading}\n{listed}\nand {more} more"),
    }
}

fn change(change: ViewChange) -> &'static str {
    match change {
        ViewChange::Added => "added",
        ViewChange::Changed => "changed",
        ViewChange::Removed => "removed",
        ViewChange::AddedAndRemoved => "added and removed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changed_fields_are_named_by_their_path() {
        let before = json!({"role": "listener", "pool": {"initial": 3, "left": 2}, "tracks": [1, 2]});
        let after =
            json!({"role": "auditor", "pool": {"initial": 3, "left": 1}, "tracks": [1, 2], "new": true});
        let changed = changes(&before, &after);
        let fields: Vec<_> = changed.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["new", "pool.left", "role"]);
        assert_eq!(
            (&changed[2].before, &changed[2].after),
            (&Some(json!("listener")), &Some(json!("auditor")))
        );
        assert_eq!(changes(&before, &before), []);
        assert_eq!(changes(&Value::Null, &after).len(), 5);
    }
}
