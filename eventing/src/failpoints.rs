//! Places where a test can let the process die.
//!
//! With `SEGUE_FAILPOINT=name` in the environment the process aborts when it first comes by that place, with
//! `name:3` the third time. Nothing is flushed and no destructor runs, as if the power had gone for this
//! process alone. Without the variable a failpoint costs one load and one comparison.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that arms a failpoint.
pub const VARIABLE: &str = "SEGUE_FAILPOINT";

/// Every failpoint, sorted within its part. The list is complete: [`failpoint!`](crate::failpoint) does not
/// compile with another name.
pub const ALL: &[&str] = &[
    "append.before_begin",
    "append.before_commit",
    "append.after_commit",
    "append.before_answer",
    "relay.before_publish",
    "relay.after_publish",
    "consumer.before_handle",
    "consumer.after_handle",
    "consumer.before_ack",
    "view.before_commit",
    "view.after_commit",
    "generate.before_append",
    "generate.after_append",
    "import.after_blob",
    "erase.before_key",
    "erase.before_clear",
    "erase.after_clear",
    "rotate.before_commit",
    "rotate.after_commit",
    "seal.before_store",
    "seal.after_store",
    "seal.after_publish",
    "http.before_answer",
];

/// Aborts the process here if this failpoint is armed; see [`failpoints`](mod@crate::failpoints).
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {{
        const _: () = assert!(
            $crate::failpoints::is_known($name),
            "not in eventing::failpoints::ALL"
        );
        $crate::failpoints::pass($name);
    }};
}

/// Whether a failpoint of this name exists.
#[must_use]
pub const fn is_known(name: &str) -> bool {
    let mut at = 0;
    while at < ALL.len() {
        if is_same(ALL[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The failpoint named in the environment, and how often it is still to be passed.
#[derive(Debug)]
struct Armed {
    name: String,
    left: AtomicU64,
}

impl Armed {
    fn parse(setting: &str) -> Self {
        let (name, nth) = setting.split_once(':').unwrap_or((setting, "1"));
        let left = nth.parse().unwrap_or(1).max(1);
        Self {
            name: name.to_owned(),
            left: AtomicU64::new(left),
        }
    }

    fn is_due(&self, name: &str) -> bool {
        self.name == name && self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

/// Passes the failpoint `name`: what [`failpoint!`](crate::failpoint) calls.
pub fn pass(name: &'static str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| std::env::var(VARIABLE).ok().map(|setting| Armed::parse(&setting)));
    if armed.as_ref().is_some_and(|armed| armed.is_due(name)) {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_is_due_at_the_hit_that_was_asked_for_and_only_then() {
        let armed = Armed::parse("append.before_commit:3");
        let due: Vec<bool> = (0..5).map(|_| armed.is_due("append.before_commit")).collect();
        assert_eq!(due, [false, false, true, false, false]);
        assert!(!Armed::parse("append.before_commit").is_due("append.after_commit"));
        assert!(Armed::parse("append.before_commit").is_due("append.before_commit"));
    }

    #[test]
    fn only_listed_names_are_known() {
        assert!(ALL.iter().all(|name| is_known(name)));
        assert!(!is_known("append.before") && !is_known(""));
    }
}
