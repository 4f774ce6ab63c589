//! A client that sends one wish after the other, and never a new one before the last was answered.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Answer, Session};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio_util::sync::CancellationToken;

use crate::wishes::{self, Fact, Granted, Ratings, Wish};

/// How often a writer sends an old key again instead of a new wish.
const AGAIN: f64 = 0.15;
/// How long it rests after it was told to come back later.
const REST: Duration = Duration::from_millis(20);

/// One client and everything it was ever told.
///
/// Several writers share a listener, but no two share a track: so each writer knows exactly which facts about its
/// tracks must stand in the log, and in which order.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) id: usize,
    pub(crate) listener: usize,
    pub(crate) ratings: Ratings,
    pub(crate) granted: Vec<Granted>,
    pub(crate) open: Option<Wish>,
    random: ChaCha8Rng,
    wished: u64,
}

/// What one attempt led to.
enum Attempt {
    Answered(Answer),
    /// The server said "later" (503, 507): nothing is promised.
    Later,
    /// No answer came: it may have happened.
    Broken,
}

impl Writer {
    pub(crate) fn new(id: usize, listener: usize, tracks: &[String], seed: u64) -> Self {
        Self {
            id,
            listener,
            ratings: tracks.iter().map(|track| (track.clone(), None)).collect(),
            granted: Vec::new(),
            open: None,
            random: ChaCha8Rng::seed_from_u64(seed ^ (id as u64 + 1)),
            wished: 0,
        }
    }

    /// Works until the connection breaks or `stop` is cancelled.
    ///
    /// # Errors
    /// At the first answer that breaks a promise.
    pub(crate) async fn work(mut self, session: Session, stop: CancellationToken) -> Result<Self> {
        while !stop.is_cancelled() {
            let goes_on = if self.open.is_none() && self.random.random_bool(AGAIN) {
                self.ask_again(&session).await?
            } else {
                self.wish(&session).await?
            };
            if !goes_on {
                break;
            }
        }
        Ok(self)
    }

    /// Sends the open wish, or a new one. `false` when the connection broke.
    pub(crate) async fn wish(&mut self, session: &Session) -> Result<bool> {
        let wish = match self.open.take() {
            Some(wish) => wish,
            None => self.new_wish(),
        };
        match attempt(session, &wish).await {
            Attempt::Answered(answer) => self.settle(wish, answer)?,
            Attempt::Later => {
                self.open = Some(wish);
                tokio::time::sleep(REST).await;
            }
            Attempt::Broken => {
                self.open = Some(wish);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends wishes until none is open.
    pub(crate) async fn settle_open(&mut self, session: &Session, limit: Duration) -> Result<()> {
        let settled = async {
            while self.open.is_some() {
                self.wish(session).await?;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(limit, settled)
            .await
            .context("a wish stays without an answer")?
    }

    /// Sends every key granted since the `from`-th again and compares the answers.
    pub(crate) async fn ask_all_again(&self, session: &Session, from: usize) -> Result<()> {
        for granted in &self.granted[from..] {
            match attempt(session, &granted.wish).await {
                Attempt::Answered(answer) => self.compare(granted, &answer)?,
                Attempt::Later | Attempt::Broken => {
                    anyhow::bail!("{} was not answered again", granted.wish.key)
                }
            }
        }
        Ok(())
    }

    /// The facts that must stand in the log in this order, and those that may follow them.
    pub(crate) fn facts(&self) -> (Vec<Fact>, Vec<Fact>) {
        let certain = self
            .granted
            .iter()
            .flat_map(|granted| granted.wish.facts.clone())
            .collect();
        let possible = self.open.iter().flat_map(|wish| wish.facts.clone()).collect();
        (certain, possible)
    }

    fn new_wish(&mut self) -> Wish {
        self.wished += 1;
        wishes::draw(&mut self.random, self.id, self.wished, &self.ratings)
    }

    fn settle(&mut self, wish: Wish, answer: Answer) -> Result<()> {
        ensure!(
            answer.status.as_u16() == wish.status,
            "{}: expected {}, got {}: {}",
            wish.key,
            wish.status,
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        ensure!(answer.position.is_some(), "{}: no Segue-Position", wish.key);
        wishes::apply(&mut self.ratings, &wish.facts);
        self.granted.push(Granted { wish, answer });
        Ok(())
    }

    async fn ask_again(&mut self, session: &Session) -> Result<bool> {
        if self.granted.is_empty() {
            return Ok(true);
        }
        let granted = &self.granted[self.random.random_range(0..self.granted.len())];
        match attempt(session, &granted.wish).await {
            Attempt::Answered(answer) => self.compare(granted, &answer)?,
            Attempt::Later => tokio::time::sleep(REST).await,
            Attempt::Broken => return Ok(false),
        }
        Ok(true)
    }

    fn compare(&self, granted: &Granted, answer: &Answer) -> Result<()> {
        ensure!(
            *answer == granted.answer,
            "{}: the first answer was {:?}, the same key now gets {answer:?}",
            granted.wish.key,
            granted.answer
        );
        Ok(())
    }
}

async fn attempt(session: &Session, wish: &Wish) -> Attempt {
    match session.send(&wish.request).await {
        Ok(answer) if matches!(answer.status.as_u16(), 503 | 507) => Attempt::Later,
        Ok(answer) => Attempt::Answered(answer),
        Err(_) => Attempt::Broken,
    }
}
