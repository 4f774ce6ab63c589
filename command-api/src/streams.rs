//! Room for streams of events: so many in a process, and so many of one account, so that nobody takes it all.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use domain::AccountId;
use parking_lot::Mutex;

use crate::{
    problem::{Problem, ProblemType},
    state::ApiState,
};

/// The streams of a process, counted. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Inner>);

struct Inner {
    max: usize,
    of_account_max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    of: HashMap<AccountId, usize>,
}

/// Room for one stream; given back when it is dropped.
pub(crate) struct Room {
    streams: Streams,
    account: AccountId,
}

impl Streams {
    pub(crate) fn new(max: usize, of_account_max: usize) -> Self {
        Self(Arc::new(Inner {
            max,
            of_account_max,
            open: Mutex::default(),
        }))
    }

    fn take(&self, account: AccountId) -> Option<Room> {
        let mut open = self.0.open.lock();
        let of_account = open.of.get(&account).copied().unwrap_or(0);
        if open.all >= self.0.max || of_account >= self.0.of_account_max {
            return None;
        }
        open.all += 1;
        open.of.insert(account, of_account + 1);
        Some(Room {
            streams: self.clone(),
            account,
        })
    }
}

impl Room {
    /// Takes room for a stream of `account`, before anything is done for it.
    ///
    /// # Errors
    /// `not-ready` when the process is about to stop; `overloaded` when there are as many streams as it takes, or as many of
    /// this account.
    pub(crate) fn take(api: &ApiState, account: AccountId) -> Result<Self, Problem> {
        let later = |kind| Problem::new(kind).retry_after(Duration::from_secs(1));
        if api.is_draining() {
            return Err(later(ProblemType::NotReady));
        }
        api.streams()
            .take(account)
            .ok_or_else(|| later(ProblemType::Overloaded))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut open = self.streams.0.open.lock();
        open.all -= 1;
        if let Entry::Occupied(mut of_account) = open.of.entry(self.account) {
            *of_account.get_mut() -= 1;
            if *of_account.get() == 0 {
                of_account.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_the_room_and_what_is_left_is_free_again() {
        let [ada, ben, eve] = [1, 2, 3].map(|id| AccountId::new(uuid::Uuid::from_u128(id)));
        let streams = Streams::new(3, 2);
        let first = streams.take(ada);
        let second = streams.take(ada);
        assert!(first.is_some() && second.is_some());
        assert!(streams.take(ada).is_none(), "one account has its share");
        let third = streams.take(ben);
        assert!(
            third.is_some() && streams.take(eve).is_none(),
            "the process has its share"
        );
        drop((first, second));
        let again = [streams.take(ada), streams.take(eve)];
        assert!(again.iter().all(Option::is_some));
        drop((again, third));
        let open = streams.0.open.lock();
        assert_eq!((open.all, open.of.len()), (0, 0));
    }
}
