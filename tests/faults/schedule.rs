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

/// The failpoints that are drawn. Those of a rotation leave a server without its key until the rotation is brought to its end:
/// tests/forgetting holds them.
pub(crate) fn drawn() -> impl Iterator<Item = &'static str> {
    failpoints::ALL
        .iter()
        .copied()
        .filter(|name| !name.starts_with("rotate."))
}

/// Draws the `n`-th kill: every second one is at the next failpoint of the list.
pub(crate) fn draw(random: &mut ChaCha8Rng, n: usize) -> Kill {
    if n.is_multiple_of(2) {
        let names: Vec<_> = drawn().collect();
        let name = names[n / 2 % names.len()];
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
    if name.starts_with("import.") || name.starts_with("erase.") {
        return Kill::Tool {
            name,
            after: Duration::from_millis(random.random_range(0..100)),
        };
    }
    // Commands are many; batches are fewer; playlists are one in ten commands.
    let nth_max = match name.split('.').next() {
        Some("generate") => 3,
        Some("http") => 30,
        Some("seal") => 1,
        _ => 12,
    };
    Kill::Failpoint {
        name,
        nth: random.random_range(1..=nth_max),
    }
}
