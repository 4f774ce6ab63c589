//! What a process says of itself at `/metrics`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use crate::load::get_text;

/// How often a process is asked: each time it asks its database and its views.
const POLL: Duration = Duration::from_millis(10);

/// All gauges of one moment.
#[derive(Clone, Debug)]
pub struct Gauges(String);

impl Gauges {
    /// Of the process at `address`.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn of(address: SocketAddr) -> Result<Self> {
        get_text(address, "/metrics").await.map(Self)
    }

    /// The gauge `name` of `part`; the prefix of all is left out.
    ///
    /// # Errors
    /// When there is no such gauge.
    pub fn get(&self, name: &str, part: &str) -> Result<u64> {
        let start = format!("segue_{name}{{part=\"{part}\"}} ");
        let value = self.0.lines().find_map(|line| line.strip_prefix(start.as_str()));
        value
            .and_then(|value| value.parse().ok())
            .with_context(|| format!("no {start}in {}", self.0))
    }

    /// Every value of the gauge `name`, whatever the part.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<u64> {
        let start = format!("segue_{name}{{");
        let lines = self.0.lines().filter(|line| line.starts_with(&start));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect()
    }
}

/// Asks the process at `address` again and again until `is_reached` says so.
///
/// # Errors
/// When that does not happen within `limit`, or `is_reached` fails; the message holds the last answer.
pub async fn until(
    address: SocketAddr,
    limit: Duration,
    is_reached: impl Fn(&Gauges) -> Result<bool>,
) -> Result<Gauges> {
    let deadline = Instant::now() + limit;
    loop {
        let gauges = Gauges::of(address).await?;
        if is_reached(&gauges)? {
            return Ok(gauges);
        }
        if Instant::now() >= deadline {
            bail!("not reached within {limit:?}: {}", gauges.0);
        }
        sleep(POLL).await;
    }
}

/// Waits until every view reflects the head of the log.
///
/// # Errors
/// When that does not happen within `limit`.
pub async fn settled(address: SocketAddr, limit: Duration) -> Result<()> {
    let is_settled = |gauges: &Gauges| {
        let lags = gauges.all("projection_lag_events");
        Ok(!lags.is_empty() && lags.iter().all(|lag| *lag == 0))
    };
    until(address, limit, is_settled).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_found_by_its_name_and_part() {
        let text = "# HELP segue_lag x\nsegue_lag{part=\"accounts\"} 3\nsegue_lag{part=\"library\"} 4\nsegue_lags{part=\"library\"} 5\n";
        let gauges = Gauges(text.to_owned());
        assert_eq!(gauges.get("lag", "library").ok(), Some(4));
        assert_eq!(gauges.all("lag"), [3, 4]);
        assert!(gauges.get("lag", "playlists").is_err());
    }
}
