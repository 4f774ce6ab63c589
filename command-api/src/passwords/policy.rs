//! Which passwords are taken, and what an evaluation costs.

use argon2::Params;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{OUTPUT_BYTES, PasswordError};

/// Words that anybody would try first here.
const CONTEXT_WORDS: [&str; 4] = ["segue", "playlist", "listener", "password"];

/// How passwords are judged and hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Memory of one evaluation, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// Lanes; they run one after the other.
    pub lanes: u32,
    /// The fewest characters, after NFKC.
    pub chars_min: usize,
    /// The most characters, after NFKC.
    pub chars_max: usize,
    /// The lowest `zxcvbn` score, 0 to 4.
    pub score_min: u8,
    /// Evaluations at once.
    pub concurrency: usize,
    /// Callers that may wait for their turn.
    pub waiting_max: usize,
}

impl Default for PasswordPolicy {
    /// Argon2id with m = 19,456 KiB, t = 2, p = 1 (OWASP's Password Storage Cheat Sheet; ASVS 5.0 appendix C), as many at once as there are
    /// cores, and a queue of some two seconds of work on each.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            memory_kib: 19_456,
            iterations: 2,
            lanes: 1,
            chars_min: 15,
            chars_max: 128,
            score_min: 3,
            concurrency: cores,
            waiting_max: 64 * cores,
        }
    }
}

impl PasswordPolicy {
    /// The same rules with the cheapest hashing there is. For tests only.
    #[must_use]
    pub fn cheap() -> Self {
        Self {
            memory_kib: 64,
            iterations: 1,
            ..Self::default()
        }
    }

    /// Brings `password` to NFKC and judges it, with `username` as a word that must not carry it.
    ///
    /// # Errors
    /// [`WeakPassword`] with what to change; nothing was stored or hashed.
    pub fn judge(&self, password: &str, username: &str) -> Result<StrongPassword, WeakPassword> {
        let normal = normalise(password).ok_or(WeakPassword::TooLong { most: self.chars_max })?;
        let length = normal.chars().count();
        if length < self.chars_min {
            return Err(WeakPassword::TooShort {
                length,
                least: self.chars_min,
            });
        }
        if length > self.chars_max {
            return Err(WeakPassword::TooLong { most: self.chars_max });
        }
        let mut words = vec![username];
        words.extend(CONTEXT_WORDS);
        let entropy = zxcvbn::zxcvbn(&normal, &words);
        if (entropy.score() as u8) < self.score_min {
            return Err(WeakPassword::Guessable {
                advice: advice(entropy.feedback()),
            });
        }
        Ok(StrongPassword(normal))
    }

    pub(super) fn params(&self) -> Result<Params, PasswordError> {
        Params::new(self.memory_kib, self.iterations, self.lanes, Some(OUTPUT_BYTES))
            .map_err(PasswordError::Parameters)
    }
}

fn advice(feedback: Option<&zxcvbn::feedback::Feedback>) -> Vec<String> {
    let Some(feedback) = feedback else {
        return Vec::new();
    };
    let warning = feedback.warning().map(|warning| warning.to_string());
    warning
        .into_iter()
        .chain(feedback.suggestions().iter().map(ToString::to_string))
        .collect()
}

/// NFKC, or nothing for a text so long that no policy takes it.
pub(super) fn normalise(password: &str) -> Option<Zeroizing<String>> {
    /// Far above any policy, and small enough that normalising costs nothing.
    const BYTES_MAX: usize = 4096;
    (password.len() <= BYTES_MAX).then(|| Zeroizing::new(password.nfkc().collect()))
}

/// A password in NFKC that the policy took. Wiped from memory when dropped; has no `Debug` on purpose.
pub struct StrongPassword(pub(super) Zeroizing<String>);

/// Why a password is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer characters than needed.
    #[error("has {length} characters, at least {least} are needed")]
    TooShort {
        /// Characters it has, after NFKC.
        length: usize,
        /// Characters it needs.
        least: usize,
    },
    /// More characters than are taken.
    #[error("has more than {most} characters")]
    TooLong {
        /// The most that are taken.
        most: usize,
    },
    /// Long enough and still easy to guess.
    #[error("is too easy to guess. {}", advice.join(" "))]
    Guessable {
        /// What would make it better.
        advice: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_a_reason() {
        let policy = PasswordPolicy::default();
        let judge = |password: &str| policy.judge(password, "anna-the-listener").err();
        assert_eq!(
            judge("short"),
            Some(WeakPassword::TooShort { length: 5, least: 15 })
        );
        assert_eq!(
            judge(&"ab1!".repeat(40)),
            Some(WeakPassword::TooLong { most: 128 })
        );
        for guessable in [
            "passwordpassword",
            "123456789012345",
            "iloveyouiloveyou",
            "anna-the-listener",
            "seguesegueseguesegue",
        ] {
            assert!(
                matches!(judge(guessable), Some(WeakPassword::Guessable { .. })),
                "{guessable}"
            );
        }
        assert_eq!(judge("correct horse battery staple"), None);
    }
}
