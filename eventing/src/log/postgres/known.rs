//! What the database holds of all that a batch touches, read in one round trip under the log's lock.

use std::collections::{HashMap, HashSet};

use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::reader;
use super::statements::Statements;
use super::{LOG_LOCK, from_sql, to_sql};
use crate::append::{Append, Appended, Claim, ClaimChange, Receipt, ReceiptKey};
use crate::ids::{EventId, Position, StreamId, Version};
use crate::log::LogError;

/// A stream's number, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) no: i64,
    pub(super) version: Version,
    pub(super) position: Position,
}

/// What stands in the database, as the running transaction sees it.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) position: Position,
    /// When the last record was recorded, in microseconds.
    pub(super) recorded_at: i64,
    /// The mark of the head.
    pub(super) mark: Option<Uuid>,
    pub(super) streams: HashMap<StreamId, Head>,
    /// The ids of the batch that are some event's already.
    pub(super) used: HashSet<EventId>,
    /// What an append was answered that happened before, by its first event's id.
    pub(super) earlier: HashMap<EventId, Appended>,
    pub(super) receipts: HashMap<ReceiptKey, Receipt>,
    pub(super) claims: HashMap<Claim, StreamId>,
}

impl Known {
    /// Begins a transaction, waits for the log's lock, and reads what stands under it.
    pub(super) async fn read(
        client: &Client,
        statements: &Statements,
        batch: &[&Append],
    ) -> Result<Self, LogError> {
        let streams: Vec<&str> = batch.iter().map(|append| append.stream.as_str()).collect();
        let events = batch.iter().flat_map(|append| &append.events);
        let ids: Vec<Uuid> = events.map(|event| event.id.0).collect();
        let receipts = batch.iter().filter_map(|append| append.receipt.as_ref());
        let receipts: Vec<&[u8]> = receipts.map(|receipt| &receipt.key.0[..]).collect();
        let claims: Vec<&Claim> = batch
            .iter()
            .flat_map(|append| &append.claims)
            .map(claim_of)
            .collect();
        let kinds: Vec<&str> = claims.iter().map(|claim| claim.kind.as_ref()).collect();
        let digests: Vec<&[u8]> = claims.iter().map(|claim| &claim.digest[..]).collect();
        // Sent one behind the other without waiting: the server carries them out in this order, each on what is committed
        // when it begins, and so all but the first under the lock.
        let begin = begin();
        let ((), head, streams, used, receipts, claims) = futures::try_join!(
            client.batch_execute(&begin),
            client.query_one(&statements.head, &[]),
            async { client.query(&statements.streams, &[&streams]).await },
            async { client.query(&statements.used_ids, &[&ids]).await },
            async {
                // Most batches have none, and then there is nothing to ask.
                match receipts.is_empty() {
                    true => Ok(Vec::new()),
                    false => client.query(&statements.receipts, &[&receipts]).await,
                }
            },
            async {
                match claims.is_empty() {
                    true => Ok(Vec::new()),
                    false => client.query(&statements.claims, &[&kinds, &digests]).await,
                }
            },
        )?;
        let mut known = Self {
            position: Position(from_sql(head.try_get(0)?)?),
            recorded_at: head.try_get(1)?,
            mark: head.try_get(2)?,
            ..Self::default()
        };
        known.take_in(&streams, &used, &receipts, &claims)?;
        known.read_earlier(client, batch).await?;
        Ok(known)
    }

    fn take_in(
        &mut self,
        streams: &[Row],
        used: &[Row],
        receipts: &[Row],
        claims: &[Row],
    ) -> Result<(), LogError> {
        for row in streams {
            let head = Head {
                no: row.try_get(1)?,
                version: Version(from_sql(row.try_get(2)?)?),
                position: Position(from_sql(row.try_get(3)?)?),
            };
            self.streams.insert(reader::stream_id(row.try_get(0)?)?, head);
        }
        for row in used {
            self.used.insert(EventId(row.try_get(0)?));
        }
        for row in receipts {
            let key: &[u8] = row.try_get(0)?;
            let key = ReceiptKey(reader::fixed(key, "a receipt's key")?);
            self.receipts.insert(key, reader::receipt_of(row, 1)?);
        }
        for row in claims {
            let digest: &[u8] = row.try_get(1)?;
            let claim = Claim::new(row.try_get::<_, String>(0)?, reader::fixed(digest, "a claim")?);
            self.claims.insert(claim, reader::stream_id(row.try_get(2)?)?);
        }
        Ok(())
    }

    /// Only after a crash or a lost answer are there any, so each may cost a round trip.
    async fn read_earlier(&mut self, client: &Client, batch: &[&Append]) -> Result<(), LogError> {
        for append in batch {
            let first = append.events.first().map(|event| event.id);
            if let Some(first) = first.filter(|first| self.used.contains(first))
                && let Some(appended) = find_earlier(client, append).await?
            {
                self.earlier.insert(first, appended);
            }
        }
        Ok(())
    }
}

/// Begins a transaction and waits for the log's lock.
pub(super) fn begin() -> String {
    format!("BEGIN; SELECT pg_advisory_xact_lock({LOG_LOCK})")
}

pub(super) fn claim_of(change: &ClaimChange) -> &Claim {
    match change {
        ClaimChange::Take(claim) | ClaimChange::Release(claim) => claim,
    }
}

/// What the same append was answered, if it happened before: its first event's id tells.
pub(super) async fn find_earlier(client: &Client, append: &Append) -> Result<Option<Appended>, LogError> {
    let Some(first) = append.events.first() else {
        return Ok(None);
    };
    let sql = "SELECT e.record, e.leaf_hash FROM segue.events e, segue.events f, segue.streams s
               WHERE f.id = $1 AND s.no = f.stream AND s.name = $2 AND e.stream = f.stream AND e.version >= f.version
               ORDER BY e.version LIMIT $3";
    let limit = to_sql(append.events.len() as u64);
    let rows = client
        .query(sql, &[&first.id.0, &append.stream.as_str(), &limit])
        .await?;
    let events = reader::events_of(&rows)?;
    let is_same =
        events.len() == append.events.len() && events.iter().zip(&append.events).all(|(a, b)| a.id == b.id);
    let last = events.last().map(|last| (last.position, last.version));
    Ok(last.filter(|_| is_same).map(|(position, version)| Appended {
        position,
        version,
        events,
    }))
}
