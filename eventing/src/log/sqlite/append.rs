//! One append within a running transaction: check everything, then write everything.
//!
//! Nothing is written before the last check has passed, so an append that is refused leaves no trace and the
//! others of its transaction go on.

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::heads::{Head, Heads};
use super::{LogError, reader, to_sql};
use crate::append::{Append, AppendError, Appended, ClaimChange, NewReceipt};
use crate::ids::{ExpectedVersion, Position, StreamId, Version};
use crate::log::error::not_written;
use crate::record::{RecordedEvent, line};

/// Appends, or says why not. The outer error is the database's, and spoils the transaction.
pub(super) fn append(
    connection: &Connection,
    heads: &mut Heads,
    append: &Append,
    now: i64,
) -> Result<Result<Appended, AppendError>, LogError> {
    let head = heads.stream(connection, &append.stream)?;
    if let Some(answer) = check(connection, append, head)? {
        return Ok(answer);
    }
    write(connection, heads, append, head, now).map(Ok)
}

/// The answer to an append that must not be written; `None` if it is to be.
fn check(
    connection: &Connection,
    append: &Append,
    head: Option<Head>,
) -> Result<Option<Result<Appended, AppendError>>, LogError> {
    let actual = head.map_or(Version::NONE, |head| head.version);
    let is_expected = append.expected.holds_at(actual);
    if (!is_expected || append.expected == ExpectedVersion::Any)
        && let Some(earlier) = find_earlier(connection, append)?
    {
        return Ok(Some(Ok(earlier)));
    }
    if let Some(receipt) = &append.receipt
        && let Some(earlier) = reader::receipt(connection, &receipt.key)?
    {
        return Ok(Some(Err(AppendError::ReceiptExists(Box::new(earlier)))));
    }
    if !is_expected {
        let (stream, expected) = (append.stream.clone(), append.expected);
        return Ok(Some(Err(AppendError::VersionConflict {
            stream,
            expected,
            actual,
        })));
    }
    check_claims(connection, append)
}

fn check_claims(
    connection: &Connection,
    append: &Append,
) -> Result<Option<Result<Appended, AppendError>>, LogError> {
    for change in &append.claims {
        if let ClaimChange::Take(claim) = change
            && reader::claim(connection, claim)?.is_some_and(|holder| holder != append.stream)
        {
            return Ok(Some(Err(AppendError::ClaimTaken {
                kind: claim.kind.clone(),
            })));
        }
    }
    Ok(None)
}

/// What the same append was answered, if it happened before: its first event's id tells.
pub(super) fn find_earlier(connection: &Connection, append: &Append) -> Result<Option<Appended>, LogError> {
    let Some(first) = append.events.first() else {
        return Ok(None);
    };
    let Some(found) = reader::by_id(connection, first.id)? else {
        return Ok(None);
    };
    if found.stream != append.stream {
        return Ok(None);
    }
    let after = Version(found.version.0 - 1);
    let events = reader::read_stream(connection, &append.stream, after, append.events.len())?;
    let is_same =
        events.len() == append.events.len() && events.iter().zip(&append.events).all(|(a, b)| a.id == b.id);
    Ok(is_same.then(|| appended(events)).flatten())
}

/// Whether an id of this append is another event's, or stands in it twice.
pub(super) fn reuses_an_id(connection: &Connection, append: &Append) -> bool {
    let mut ids: Vec<_> = append.events.iter().map(|event| event.id).collect();
    let is_used = |id| matches!(reader::by_id(connection, id), Ok(Some(_)));
    let is_any_used = ids.iter().copied().any(is_used);
    ids.sort_unstable();
    is_any_used || ids.windows(2).any(|pair| pair[0] == pair[1])
}

fn appended(events: Vec<RecordedEvent>) -> Option<Appended> {
    let (position, version) = events.last().map(|last| (last.position, last.version))?;
    Some(Appended {
        position,
        version,
        events,
    })
}

fn write(
    connection: &Connection,
    heads: &mut Heads,
    append: &Append,
    head: Option<Head>,
    now: i64,
) -> Result<Appended, LogError> {
    heads.recorded_at = now.max(heads.recorded_at);
    let recorded_at = DateTime::from_timestamp_micros(heads.recorded_at)
        .ok_or_else(|| LogError::Corrupt("the time of the last record".to_owned()))?;
    let (head, events) = write_events(connection, heads, append, head, recorded_at)?;
    for change in &append.claims {
        write_claim(connection, &append.stream, change)?;
    }
    let (position, version) = head.map_or((Position::START, Version::NONE), |head| {
        (head.position, head.version)
    });
    if let Some(receipt) = &append.receipt {
        write_receipt(connection, receipt, position, recorded_at)?;
    }
    Ok(Appended {
        position,
        version,
        events,
    })
}

fn write_events(
    connection: &Connection,
    heads: &mut Heads,
    append: &Append,
    head: Option<Head>,
    recorded_at: DateTime<Utc>,
) -> Result<(Option<Head>, Vec<RecordedEvent>), LogError> {
    if append.events.is_empty() {
        return Ok((head, Vec::new()));
    }
    let mut head = match head {
        Some(head) => head,
        None => heads.add_stream(connection, &append.stream)?,
    };
    let mut events = Vec::with_capacity(append.events.len());
    for event in &append.events {
        (head.position, head.version) = (heads.position.next(), head.version.next());
        let place = line::Place {
            position: head.position,
            stream: &append.stream,
            version: head.version,
            recorded_at,
        };
        let recorded = line::record(event, &append.metadata, place);
        let type_number = heads.type_number(connection, &event.event_type)?;
        insert_event(connection, &recorded, head.row, type_number)?;
        heads.position = head.position;
        events.push(recorded);
    }
    heads.move_stream(connection, &append.stream, head)?;
    Ok((Some(head), events))
}

fn insert_event(
    connection: &Connection,
    event: &RecordedEvent,
    stream: i64,
    kind: i64,
) -> Result<(), LogError> {
    connection
        .prepare_cached(
            "INSERT INTO events (position, stream, version, type, id, leaf_hash, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            to_sql(event.position.0),
            stream,
            to_sql(event.version.0),
            kind,
            &event.id.0.as_bytes()[..],
            &event.leaf_hash[..],
            &event.record[..],
        ))?;
    Ok(())
}

fn write_claim(connection: &Connection, stream: &StreamId, change: &ClaimChange) -> Result<(), LogError> {
    let (sql, claim) = match change {
        ClaimChange::Take(claim) => ("INSERT OR IGNORE INTO claims VALUES (?1, ?2, ?3)", claim),
        ClaimChange::Release(claim) => (
            "DELETE FROM claims WHERE kind = ?1 AND digest = ?2 AND stream = ?3",
            claim,
        ),
    };
    connection
        .prepare_cached(sql)?
        .execute((&claim.kind, &claim.digest[..], stream.as_str()))?;
    Ok(())
}

fn write_receipt(
    connection: &Connection,
    receipt: &NewReceipt,
    position: Position,
    recorded_at: DateTime<Utc>,
) -> Result<(), LogError> {
    connection
        .prepare_cached("INSERT INTO receipts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute((
            &receipt.key.0[..],
            &receipt.fingerprint[..],
            &receipt.answer[..],
            receipt.subject.as_ref().map(|subject| &subject.0.as_bytes()[..]),
            to_sql(position.0),
            recorded_at.timestamp_micros(),
        ))?;
    Ok(())
}

/// What an append comes to whose commit was not answered. A later commit has succeeded since, so the database
/// tells the truth: either it holds this append or it never will.
pub(super) fn settle(connection: &Connection, append: &Append) -> Result<Appended, AppendError> {
    let lost = || AppendError::Unavailable(crate::StorageFault::new("the commit failed"));
    let found = find_earlier(connection, append).map_err(|error| not_written(&error))?;
    if let Some(appended) = found {
        return Ok(appended);
    }
    let Some(receipt) = &append.receipt else {
        return Err(lost());
    };
    match reader::receipt(connection, &receipt.key) {
        Ok(Some(receipt)) => Err(AppendError::ReceiptExists(Box::new(receipt))),
        Ok(None) => Err(lost()),
        Err(error) => Err(not_written(&error)),
    }
}
