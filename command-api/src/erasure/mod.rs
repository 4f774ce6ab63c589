//! Forgetting a person: the one place that says what that is.
//!
//! [`record`] puts the fact into the log, and with it gives the user name free. [`clear`] does the rest, and can be done again
//! at any time:
//!
//! | what held something about the person | what becomes of it |
//! |---|---|
//! | records in the log, its backups and exports, messages on the broker, the broker's dead letters | stay as they are, sealed under the person's key, which [`Keys::destroy`](eventing::Keys::destroy) ends for good |
//! | views, in LMDB or Redis | what they hold is sealed under the same key, and whoever keeps them removes them when he comes to the fact |
//! | stored answers, a name that a restored log gave back, dead letters | deleted from the log's database ([`EventLog::forget`](eventing::EventLog::forget)) |
//! | aggregates, keys, sessions and counters in memory | dropped in every process that [follows](Memory::follow) the log |
//! | what listeners like together | counted anew without the person within seconds, by whoever counts (`workers::companions`) |
//!
//! What stays, and why: the opaque ids of the person's streams with types and times of their records, since a history without
//! them could not be proved; earlier counts of what listeners like together, which name nobody (decision 0008); the id and the
//! time in the keys' memory of whom not to bring back; the client's network address in this process's throttle, until it ages out.
//!
//! A crash may come between any two steps, and an old backup of the log or of the keys may be put back: [`finish`] brings
//! both to the end at every start, before anything is served.

mod finish;
mod memory;

use chrono::{DateTime, Utc};
use domain::{Account, AccountCommand, AccountId, AccountRejection, account::Username};
use eventing::{
    ClaimChange, Deleted, ExecuteError, Forgotten, KeyError, LoadError, LogError, Metadata, Order, Position,
    SubjectId,
};
use projectors::DomainExecutor;

pub use finish::{Finished, finish};
pub use memory::Memory;

use crate::{commands::username_claim, sessions::account_stream};

/// The type of the fact.
const ERASED: &str = "account.erased";

/// Why a person is not forgotten yet. Doing it again goes on from wherever it stopped.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The log cannot be read or written.
    #[error("the event log cannot be read or written")]
    Log(#[from] LogError),
    /// The keys cannot be read or changed.
    #[error("the subject keys cannot be read or changed")]
    Key(#[from] KeyError),
    /// The account cannot be read. Nothing was changed.
    #[error("the account cannot be read")]
    Load(#[from] LoadError),
    /// The name in the account is none. Nothing was changed.
    #[error("the account's name cannot be read")]
    Name(#[from] domain::account::InvalidUsername),
    /// The fact is not in the log.
    #[error("the erasure cannot be recorded")]
    Record(#[source] Box<ExecuteError<AccountRejection>>),
    /// The fact is not in the log again.
    #[error("the erasure cannot be recorded again")]
    RecordAgain(#[from] eventing::AppendError),
}

/// The order that records the erasure of an open account and gives its name free.
///
/// # Errors
/// [`ErasureError::Name`].
pub fn order(
    executor: &DomainExecutor,
    id: AccountId,
    account: &Account,
    at: DateTime<Utc>,
    metadata: Metadata,
) -> Result<Order<Account>, ErasureError> {
    let username = Username::parse(account.username())?;
    let release = ClaimChange::Release(username_claim(executor.keys(), &username));
    let order = Order::<Account>::new(account_stream(id), AccountCommand::Erase { at }, metadata);
    Ok(Order {
        claims: vec![release],
        ..order.about(SubjectId(id.uuid()))
    })
}

/// Puts the fact into the log, unless it is there. The person is not forgotten before [`clear`].
///
/// # Errors
/// [`ErasureError`]: it is not there, or nobody knows.
pub async fn record(executor: &DomainExecutor, id: AccountId, at: DateTime<Utc>) -> Result<(), ErasureError> {
    let loaded = match executor
        .load::<Account>(&account_stream(id), Some(SubjectId(id.uuid())))
        .await
    {
        Ok(loaded) => loaded.aggregate,
        Err(LoadError::Erased) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if loaded.is_erased() {
        return Ok(());
    }
    let order = order(executor, id, &loaded, at, Metadata::new())?;
    match executor.execute(order).await {
        Ok(_) | Err(ExecuteError::Erased | ExecuteError::Rejected(AccountRejection::Erased)) => Ok(()),
        Err(error) => Err(ErasureError::Record(Box::new(error))),
    }
}

/// Ends the key of somebody whose erasure is in the log, deletes what the log's database holds about them besides their
/// records, and drops what this process remembers. Idempotent.
///
/// # Errors
/// [`ErasureError`]: some of it may be left; the next start does it again.
pub async fn clear(executor: &DomainExecutor, id: AccountId) -> Result<Deleted, ErasureError> {
    let person = forgotten(SubjectId(id.uuid()));
    eventing::failpoint!("erase.before_key");
    executor.keys().destroy(person.subject).await?;
    executor.forget(person.subject);
    eventing::failpoint!("erase.before_clear");
    let deleted = executor.log().forget(&[person]).await?;
    eventing::failpoint!("erase.after_clear");
    Ok(deleted)
}

/// Does [`clear`] again for the erasure that stands at `position`; nothing if another record stands there.
///
/// # Errors
/// As [`clear`].
pub async fn clear_recorded(executor: &DomainExecutor, position: Position) -> Result<(), ErasureError> {
    let before = Position(position.0.saturating_sub(1));
    let found = executor.log().read_after(before, 1).await?;
    let erased = found
        .first()
        .filter(|event| event.position == position && event.event_type == ERASED);
    match erased {
        Some(event) => clear(executor, AccountId::new(event.stream.uuid()))
            .await
            .map(drop),
        None => Ok(()),
    }
}

/// The stream that holds a person's name is that of their account.
fn forgotten(subject: SubjectId) -> Forgotten {
    Forgotten {
        subject,
        stream: account_stream(AccountId::new(subject.0)),
    }
}
