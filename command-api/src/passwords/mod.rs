//! Passwords: which ones are taken, how they are hashed, and how one is checked without telling anything else.
//!
//! Knows nothing of HTTP: the command line uses it as well.
//!
//! # What holds
//! - A check is exactly one Argon2id evaluation, whatever it is given: see [`Passwords::verify`].
//! - Evaluations run off the async threads, at most [`PasswordPolicy::concurrency`] at once, in buffers that are used again
//!   and go back to the system when no password was checked for a while.
//! - At most [`PasswordPolicy::waiting_max`] callers wait; the next one is refused at once.
//! - Passwords are brought to NFKC before anything else, so that two keyboards that spell one text in two ways agree.
//!   Beyond this nothing is folded, cut or trimmed.

mod buffers;
mod policy;

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use buffers::Buffers;
use policy::normalise;
pub use policy::{PasswordPolicy, StrongPassword, WeakPassword};

const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// Why a password could be neither hashed nor checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many callers wait already. Nothing was evaluated; try again in a while.
    #[error("too many password checks are waiting")]
    Overloaded,
    /// The configured parameters are impossible.
    #[error("the Argon2 parameters are not possible: {0}")]
    Parameters(argon2::Error),
    /// The evaluation failed.
    #[error("Argon2 failed: {0}")]
    Evaluation(argon2::Error),
    /// The operating system gave no randomness for the salt.
    #[error("no randomness for a salt: {0}")]
    Randomness(getrandom::Error),
    /// The blocking thread was lost.
    #[error("the hashing thread was lost")]
    Lost,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The password is right.
    Right {
        /// It was hashed under other parameters than today's and should be hashed again.
        outdated: bool,
    },
    /// The password is wrong, or there was nothing to compare it with.
    Wrong,
}

/// Hashes and checks passwords. Cheap to clone.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    policy: PasswordPolicy,
    params: Params,
    /// Compared with when there is no account: same parameters, same cost, matches nothing.
    decoy: Stored,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    buffers: Arc<Buffers>,
    checks: AtomicU64,
    hashes: AtomicU64,
    refusals: AtomicU64,
}

/// A parsed PHC string.
struct Stored {
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Passwords {
    /// Prepares hashing under `policy`.
    ///
    /// # Errors
    /// [`PasswordError::Parameters`] when Argon2 cannot work with them, [`PasswordError::Randomness`].
    pub fn new(policy: PasswordPolicy) -> Result<Self, PasswordError> {
        let params = policy.params()?;
        let decoy = Stored {
            params: params.clone(),
            salt: salt()?.to_vec(),
            output: vec![0; OUTPUT_BYTES],
        };
        let slots = Arc::new(Semaphore::new(policy.concurrency.max(1)));
        Ok(Self(Arc::new(Inner {
            policy,
            params,
            decoy,
            slots,
            waiting: AtomicUsize::new(0),
            buffers: Arc::default(),
            checks: AtomicU64::new(0),
            hashes: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
        })))
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &PasswordPolicy {
        &self.0.policy
    }

    /// How many checks were evaluated since the start.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.0.checks.load(Ordering::Relaxed)
    }

    /// How many passwords were hashed since the start.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.0.hashes.load(Ordering::Relaxed)
    }

    /// How many callers were refused because too many waited, since the start.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.0.refusals.load(Ordering::Relaxed)
    }

    /// How many callers wait for their turn now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// How many evaluations run now.
    #[must_use]
    pub fn running(&self) -> usize {
        let slots = self.0.policy.concurrency.max(1);
        slots.saturating_sub(self.0.slots.available_permits())
    }

    /// Hashes a password into a PHC string.
    ///
    /// # Errors
    /// Nothing holds after any [`PasswordError`]; after `Overloaded` nothing was even begun.
    pub async fn hash(&self, password: &StrongPassword) -> Result<String, PasswordError> {
        let salt = salt()?;
        let output = self
            .evaluate(
                password.0.clone(),
                self.0.params.clone(),
                salt.to_vec(),
                &self.0.hashes,
            )
            .await?;
        Ok(phc(&self.0.params, &salt, &output))
    }

    /// Hashes again, under today's parameters, a password that was just checked.
    ///
    /// # Errors
    /// As [`hash`](Self::hash).
    pub async fn rehash(&self, password: &str) -> Result<String, PasswordError> {
        let normal = normalise(password).unwrap_or_default();
        self.hash(&StrongPassword(normal)).await
    }

    /// Compares `password` with a stored PHC string, in exactly one evaluation on every path: right, wrong, empty,
    /// over-long, no account (`stored` absent), or a stored text that cannot be read.
    ///
    /// # Errors
    /// After [`PasswordError::Overloaded`] nothing was evaluated. Other errors are faults of the machine.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verified, PasswordError> {
        let normal = normalise(password).filter(|normal| normal.chars().count() <= self.0.policy.chars_max);
        let parsed = stored.and_then(Stored::parse);
        let comparable = normal.is_some() && parsed.is_some();
        let expected = parsed.as_ref().unwrap_or(&self.0.decoy);
        let normal = normal.unwrap_or_default();
        let output = self
            .evaluate(
                normal,
                expected.params.clone(),
                expected.salt.clone(),
                &self.0.checks,
            )
            .await?;
        let equal = bool::from(output.as_slice().ct_eq(&expected.output));
        Ok(match equal && comparable {
            true => Verified::Right {
                outdated: !same_cost(&expected.params, &self.0.params),
            },
            false => Verified::Wrong,
        })
    }

    async fn evaluate(
        &self,
        password: Zeroizing<String>,
        params: Params,
        salt: Vec<u8>,
        counter: &AtomicU64,
    ) -> Result<Zeroizing<Vec<u8>>, PasswordError> {
        let place = self.0.take_place()?;
        let slot = self
            .0
            .slots
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| PasswordError::Lost)?;
        drop(place);
        counter.fetch_add(1, Ordering::Relaxed);
        let inner = self.0.clone();
        tokio::task::spawn_blocking(move || {
            let _slot = slot;
            inner.run(&password, params, &salt)
        })
        .await
        .map_err(|_| PasswordError::Lost)?
    }
}

impl Inner {
    /// A place in the queue, given back when dropped (also when the caller goes away while waiting).
    fn take_place(&self) -> Result<Place<'_>, PasswordError> {
        let taken = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(&self.waiting);
        if taken >= self.policy.waiting_max + self.policy.concurrency {
            self.refusals.fetch_add(1, Ordering::Relaxed);
            Err(PasswordError::Overloaded)
        } else {
            Ok(place)
        }
    }

    fn run(&self, password: &str, params: Params, salt: &[u8]) -> Result<Zeroizing<Vec<u8>>, PasswordError> {
        let blocks = params.block_count();
        let mut output = Zeroizing::new(vec![0; params.output_len().unwrap_or(OUTPUT_BYTES)]);
        let mut buffer = self.buffers.take(blocks);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let result = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            &mut output,
            &mut buffer[..blocks],
        );
        self.buffers.give_back(buffer);
        result.map(|()| output).map_err(PasswordError::Evaluation)
    }
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stored {
    fn parse(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        if hash.algorithm.as_str() != "argon2id" || hash.version != Some(Version::V0x13.into()) {
            return None;
        }
        let params = Params::try_from(&hash).ok()?;
        Some(Self {
            params,
            salt: hash.salt?.to_vec(),
            output: hash.hash?.as_bytes().to_vec(),
        })
    }
}

fn same_cost(one: &Params, other: &Params) -> bool {
    (one.m_cost(), one.t_cost(), one.p_cost()) == (other.m_cost(), other.t_cost(), other.p_cost())
}

fn salt() -> Result<[u8; SALT_BYTES], PasswordError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(PasswordError::Randomness)?;
    Ok(salt)
}

fn phc(params: &Params, salt: &[u8], output: &[u8]) -> String {
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${output}")
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;

    const GOOD: &str = "violet harbour tuning fork";

    fn passwords() -> Passwords {
        Passwords::new(PasswordPolicy::cheap()).unwrap()
    }

    async fn hashed(passwords: &Passwords, password: &str) -> String {
        passwords
            .hash(&passwords.policy().judge(password, "ada").unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_hash_is_one_that_argon2_itself_accepts() {
        let text = hashed(&passwords(), GOOD).await;
        let hash = PasswordHash::new(&text).unwrap();
        assert!(Argon2::default().verify_password(GOOD.as_bytes(), &hash).is_ok());
        assert!(Argon2::default().verify_password(b"another", &hash).is_err());
    }

    #[tokio::test]
    async fn every_check_is_one_evaluation() {
        let passwords = passwords();
        let stored = hashed(&passwords, GOOD).await;
        let long = "x".repeat(100_000);
        let cases = [
            (GOOD, Some(stored.as_str()), Verified::Right { outdated: false }),
            ("wrong", Some(&stored), Verified::Wrong),
            ("", Some(&stored), Verified::Wrong),
            (&long, Some(&stored), Verified::Wrong),
            (GOOD, None, Verified::Wrong),
            ("", None, Verified::Wrong),
            (GOOD, Some("no hash"), Verified::Wrong),
        ];
        for (nth, (password, stored, expected)) in cases.into_iter().enumerate() {
            assert_eq!(
                passwords.verify(password, stored).await.unwrap(),
                expected,
                "case {nth}"
            );
            assert_eq!(passwords.checks(), nth as u64 + 1, "case {nth}");
        }
    }

    #[tokio::test]
    async fn another_spelling_of_the_same_text_is_the_same_password() {
        let passwords = passwords();
        let stored = hashed(&passwords, "Zoë ﬁnds violet tuning forks").await;
        let other = "Zoe\u{308} finds violet tuning forks";
        assert_eq!(
            passwords.verify(other, Some(&stored)).await.unwrap(),
            Verified::Right { outdated: false }
        );
    }

    #[tokio::test]
    async fn changed_parameters_ask_for_another_hash() {
        let stored = hashed(&passwords(), GOOD).await;
        let stronger = Passwords::new(PasswordPolicy {
            iterations: 2,
            ..PasswordPolicy::cheap()
        })
        .unwrap();
        assert_eq!(
            stronger.verify(GOOD, Some(&stored)).await.unwrap(),
            Verified::Right { outdated: true }
        );
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let policy = PasswordPolicy {
            concurrency: 1,
            waiting_max: 0,
            ..PasswordPolicy::cheap()
        };
        let passwords = Passwords::new(policy).unwrap();
        let held = passwords.0.slots.clone().acquire_owned().await.unwrap();
        let waiting = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.verify("a", None).await }
        });
        while passwords.0.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            passwords.verify("b", None).await,
            Err(PasswordError::Overloaded)
        ));
        assert_eq!(
            (passwords.running(), passwords.waiting(), passwords.refusals()),
            (1, 1, 1)
        );
        drop(held);
        assert_eq!(waiting.await.unwrap().unwrap(), Verified::Wrong);
        assert_eq!(passwords.checks(), 1);
    }

    #[tokio::test]
    async fn buffers_are_used_again() {
        let passwords = Passwords::new(PasswordPolicy {
            concurrency: 1,
            ..PasswordPolicy::cheap()
        })
        .unwrap();
        for _ in 0..5 {
            passwords.verify("a", None).await.unwrap();
        }
        assert_eq!(passwords.0.buffers.free(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_buffer_of_a_caller_that_went_away_is_given_back_as_well() {
        let passwords = passwords();
        let checks = passwords.checks();
        // Polled until its evaluation runs, and then dropped.
        assert!(futures::poll!(Box::pin(passwords.verify("a", None))).is_pending());
        assert_eq!(passwords.checks(), checks + 1);
        while passwords.0.buffers.free() == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(buffers::KEPT_FOR * 2).await;
        assert_eq!(passwords.0.buffers.free(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn buffers_are_given_back_when_no_password_was_checked_for_a_while() {
        let passwords = passwords();
        for _ in 0..2 {
            passwords.verify("a", None).await.unwrap();
            tokio::time::sleep(buffers::KEPT_FOR / 2).await;
            assert_eq!(passwords.0.buffers.free(), 1);
        }
        tokio::time::sleep(buffers::KEPT_FOR).await;
        assert_eq!(passwords.0.buffers.free(), 0);
        passwords.verify("a", None).await.unwrap();
        assert_eq!(passwords.0.buffers.free(), 1);
        tokio::time::sleep(buffers::KEPT_FOR * 2).await;
        assert_eq!(passwords.0.buffers.free(), 0);
    }
}
