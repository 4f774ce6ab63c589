//! What can be set about the API.

use std::time::Duration;

use crate::{passwords::PasswordPolicy, throttle::ThrottleConfig};

/// The settings of the API. The defaults are for production.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// How passwords are judged and hashed.
    pub passwords: PasswordPolicy,
    /// How guessing is slowed down; `None` lets every attempt through (`SEGUE_THROTTLE=off`, for load tests).
    pub throttle: Option<ThrottleConfig>,
    /// How many proxies in front of this process write `X-Forwarded-For`; 0 believes no such header.
    pub trusted_proxies: usize,
    /// A session ends when it was not used for so long.
    pub session_idle: Duration,
    /// A session ends so long after it began in any case.
    pub session_absolute: Duration,
    /// How long a request waits for the view of accounts to catch up with what is known of its account.
    pub session_wait: Duration,
    /// How many streams of events (`text/event-stream`) one process feeds at a time.
    pub streams_max: usize,
    /// How many of them may be of one account.
    pub streams_of_account_max: usize,
    /// A stream without anything to tell gives a sign of life so often.
    pub stream_keep_alive: Duration,
    /// A reader of a stream who takes nothing for so long is cut off.
    pub stream_patience: Duration,
    /// How long readiness says no before the listener closes, so that load balancers notice.
    pub drain_delay: Duration,
    /// How long running requests may take after that.
    pub drain_timeout: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            passwords: PasswordPolicy::default(),
            throttle: Some(ThrottleConfig::default()),
            trusted_proxies: 0,
            session_idle: 14 * DAY,
            session_absolute: 90 * DAY,
            session_wait: Duration::from_secs(1),
            streams_max: 1_000,
            streams_of_account_max: 16,
            stream_keep_alive: Duration::from_secs(15),
            stream_patience: Duration::from_secs(10),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(20),
        }
    }
}
