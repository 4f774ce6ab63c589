//! What readiness looks at: each part of this process, and how far behind it is.

use command_api::{Check, Probe};
use eventing::consumer::{ConsumerState, ConsumerStatus};
use eventing::relay::RelayStatus;
use tokio::sync::watch;

/// A consumer is ready when it has reached the head of the log once and goes on.
pub(crate) fn consumer(name: &'static str, status: watch::Receiver<ConsumerStatus>) -> Probe {
    Probe::new(move || {
        let check = consumer_check(name, &status.borrow());
        async move { check }
    })
}

fn consumer_check(name: &'static str, status: &ConsumerStatus) -> Check {
    let stands = format!(
        "reflects {}, {} behind, {} streams set aside",
        status.checkpoint,
        status.lag(),
        status.parked
    );
    match status.state {
        ConsumerState::Live => Check::passed(name, stands),
        ConsumerState::CatchingUp => Check::failed(name, format!("is catching up: {stands}")),
        ConsumerState::Halted => Check::failed(name, with_error("has stopped", status)),
        ConsumerState::Stopped => Check::failed(name, "is stopping"),
    }
}

fn with_error(what: &str, status: &ConsumerStatus) -> String {
    match &status.last_error {
        Some(error) => format!("{what}: {error}"),
        None => what.to_owned(),
    }
}

/// A relay that cannot publish delays views and loses nothing, so it is told and does not count as unready.
pub(crate) fn relay(status: watch::Receiver<RelayStatus>) -> Probe {
    Probe::new(move || {
        let RelayStatus {
            published,
            last_error,
        } = status.borrow().clone();
        let error = last_error.map_or_else(String::new, |error| format!("; last trouble: {error}"));
        let check = Check::passed("relay", format!("published up to {published}{error}"));
        async move { check }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventing::Position;

    fn status(state: ConsumerState) -> ConsumerStatus {
        ConsumerStatus {
            name: "classifier",
            state,
            checkpoint: Position(7),
            head_seen: Position(10),
            parked: 1,
            waiting: 0,
            last_error: Some("the store is full".to_owned()),
            live_since: None,
        }
    }

    #[test]
    fn a_consumer_is_ready_when_it_is_live_and_says_how_far_it_is_behind() {
        let live = consumer_check("classifier", &status(ConsumerState::Live));
        assert_eq!(
            live,
            Check::passed(
                "classifier",
                "reflects 7, 3 behind, 1 streams set aside".to_owned()
            )
        );
        assert!(!consumer_check("classifier", &status(ConsumerState::CatchingUp)).ok);
        let halted = consumer_check("classifier", &status(ConsumerState::Halted));
        assert!(!halted.ok);
        assert_eq!(halted.detail.as_deref(), Some("has stopped: the store is full"));
    }
}
