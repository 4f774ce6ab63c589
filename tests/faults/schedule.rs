//! When and where the next kill happens: all of it follows from the seed.

use std::time::Duration;

use eventing::failpoints;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// At the n-th time that the server comes by a failpoint.
    Failpoint { name: &'static str, nth: u32 },
    /// The server is armed at a failpoint of a tool: the tool dies, and then the server at a random moment.
    Tool { name: &'static str, after: Duration },
    /// While it starts: so long after it was spawned.
    Starting { after: Duration },
    /// Under load: so long after it was ready.
    Loaded { after: Duration },
}

/// Draws the `n`-th kill: every second one is at the next failpoint of the list.
pub(crate) fn draw(random: &mut ChaCha8Rng, n: usize) -> Kill {
    if n.is_multiple_of(2) {
        let name = failpoints::ALL[n / 2 % failpoints::ALL.len()];
        return at_failpoint(random, name);
    }
    if random.random_bool(0.25) {
        Kill::Starting {
            after: Duration::from_millis(random.random_range(0..120)),
        }
    } else {
        Kill::Loaded {
            after: Duration::from_millis(random.random_range(0..250)),
        }
    }
}

fn at_failpoint(random: &mut ChaCha8Rng, name: &'static str) -> Kill {
    if name.starts_with("import.") {
        return Kill::Tool {
            name,
            after: Duration::from_millis(random.random_range(0..100)),
        };
    }
    // Commands are many; batches are fewer; playlists are one in ten commands.
    let nth_max = match name.split('.').next() {
        Some("generate") => 3,
        Some("http") => 30,
        _ => 12,
    };
    Kill::Failpoint {
        name,
        nth: random.random_range(1..=nth_max),
    }
}
