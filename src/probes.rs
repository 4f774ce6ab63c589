//! What readiness looks at: each part of this process, and how far behind it is.

use command_api::{Check, Measure, Probe, log_check};
use eventing::bus::{Bus, BusStatus};
use eventing::consumer::{ConsumerState, ConsumerStatus};
use eventing::relay::{RelayRole, RelayStatus};
use eventing::{EventLog, Position};
use projectors::{ProjectionKind, StoreStatus, ViewReader, ViewStore};
use tokio::sync::watch;
use workers::CompanionsStatus;
use workers::registry::watched::RegistryHealth;

use crate::roles::Role;
use crate::stack::Stack;

/// What every process looks at: the bus, and how far each projection is, whoever keeps it.
pub(crate) fn of_stack(stack: &Stack, bus: &Bus, roles: &[Role]) -> Vec<Probe> {
    let of_kind = |kind| projection(kind, stack.views.reader(), stack.log.clone());
    let kinds = ProjectionKind::ALL.into_iter().map(of_kind);
    // The REST interface looks at the log itself.
    let log = (!roles.contains(&Role::Rest)).then(|| the_log(stack.log.clone()));
    let parts = [
        the_bus(bus.clone(), roles.contains(&Role::Rest)),
        view_store(stack.views.clone()),
    ];
    log.into_iter().chain(parts).chain(kinds).collect()
}

fn the_log(log: EventLog) -> Probe {
    Probe::new(move || {
        let log = log.clone();
        async move { log_check(&log).await }
    })
}

/// Without views nobody can be let in, and nothing can be folded.
fn view_store(views: ViewStore) -> Probe {
    Probe::new(move || {
        let check = match views.status() {
            StoreStatus::Connected => Check::passed("views", format!("are kept in {}", views.form())),
            StoreStatus::Unavailable(why) => Check::failed("views", why),
        };
        async move { check }
    })
}

/// Commands are taken and queries answered without a broker, so a process that does so stays ready; a role that only takes
/// events from it does not.
fn the_bus(bus: Bus, serves: bool) -> Probe {
    Probe::new(move || {
        let check = bus_check(bus.status(), serves);
        async move { check }
    })
}

fn bus_check(status: BusStatus, serves: bool) -> Check {
    let is_connected = status == BusStatus::Connected;
    let check = match status {
        BusStatus::Connected => Check::passed("bus", "is connected".to_owned()),
        BusStatus::Disconnected { since, why } => {
            let seconds = since.elapsed().unwrap_or_default().as_secs();
            let away = format!("is away for {seconds} s: {why}");
            match serves {
                true => Check::passed("bus", away),
                false => Check::failed("bus", away),
            }
        }
    };
    check.measuring([Measure {
        name: "bus_connected",
        help: "Whether the broker can be reached",
        value: u64::from(is_connected),
    }])
}

/// Views that lag delay answers and spoil none, so how far they are is told and does not count as unready; views that
/// cannot be read do.
fn projection(kind: ProjectionKind, views: ViewReader, log: EventLog) -> Probe {
    Probe::new(move || {
        let (views, log) = (views.clone(), log.clone());
        async move {
            let head = *log.subscribe_head().borrow();
            match views.checkpoint(kind).await {
                Ok(checkpoint) => projection_check(kind.name(), checkpoint, head),
                Err(error) => Check::failed(kind.name(), error.to_string()),
            }
        }
    })
}

fn projection_check(name: &'static str, checkpoint: Position, head: Position) -> Check {
    let lag = head.0.saturating_sub(checkpoint.0);
    Check::passed(name, format!("reflects {checkpoint}, {lag} behind")).measuring([
        Measure {
            name: "projection_applied_position",
            help: "Everything at or below this position is in the views",
            value: checkpoint.0,
        },
        Measure {
            name: "projection_lag_events",
            help: "Positions between the views and the head of the log",
            value: lag,
        },
    ])
}

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
    let check = match status.state {
        ConsumerState::Live => Check::passed(name, stands),
        ConsumerState::CatchingUp => Check::failed(name, format!("is catching up: {stands}")),
        ConsumerState::Halted => Check::failed(name, with_error("has stopped", status)),
        ConsumerState::Stopped => Check::failed(name, "is stopping"),
    };
    check.measuring([
        Measure {
            name: "consumer_lag_events",
            help: "Positions between this consumer and the head of the log",
            value: status.lag(),
        },
        Measure {
            name: "dead_letters",
            help: "Streams that this consumer has set aside",
            value: status.parked as u64,
        },
    ])
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
            role,
            published,
            last_error,
        } = status.borrow().clone();
        let error = last_error.map_or_else(String::new, |error| format!("; last trouble: {error}"));
        let standby = match role {
            RelayRole::Leading => "",
            RelayRole::Standby => "; another process relays",
        };
        let check =
            Check::passed("relay", format!("published up to {published}{standby}{error}")).measuring([
                Measure {
                    name: "relay_published_position",
                    help: "Everything at or below this position is confirmed by the broker",
                    value: published.0,
                },
            ]);
        async move { check }
    })
}

/// Playlists are made with the last verified model, or the log's copy, so a registry in trouble is told and does not count
/// as unready.
pub(crate) fn models(health: watch::Receiver<RegistryHealth>) -> Probe {
    Probe::new(move || {
        let health = health.borrow().clone();
        let check = Check::passed("models", health.to_string()).measuring([
            Measure {
                name: "model_registry_well",
                help: "Whether the registry of base models does what is asked of it",
                value: u64::from(health.is_well()),
            },
            Measure {
                name: "model_registry_failures",
                help: "How often the registry did not help, since the start",
                value: health.failures_total,
            },
            Measure {
                name: "model_registry_damaged",
                help: "How often the registry gave something damaged, since the start",
                value: health.damaged_total,
            },
            Measure {
                name: "models_from_log",
                help: "How often a model was taken from the log's copy, since the start",
                value: health.from_log_total,
            },
        ]);
        async move { check }
    })
}

/// Playlists are made with the companions that were published last, so a task that lags behind is told and does not count
/// as unready.
pub(crate) fn companions(status: watch::Receiver<CompanionsStatus>, log: EventLog) -> Probe {
    Probe::new(move || {
        let head = *log.subscribe_head().borrow();
        let check = companions_check(&status.borrow(), head);
        async move { check }
    })
}

fn companions_check(status: &CompanionsStatus, head: Position) -> Check {
    let error = status.last_error.as_ref();
    let error = error.map_or_else(String::new, |error| format!("; last trouble: {error}"));
    let check = |detail: String| Check::passed("companions", detail + &error);
    let leads = Measure {
        name: "companions_leads",
        help: "Whether this process counts what listeners like together",
        value: u64::from(status.leads),
    };
    if !status.leads {
        return check("another process counts them".to_owned()).measuring([leads]);
    }
    let lag = head.0.saturating_sub(status.folded.0);
    let published = status.published.map_or_else(
        || "none published".to_owned(),
        |position| format!("published as of {position}"),
    );
    check(format!(
        "counts up to {}, {lag} behind, {published}",
        status.folded
    ))
    .measuring([
        leads,
        Measure {
            name: "companions_folded_position",
            help: "Everything at or below this position is in what is counted",
            value: status.folded.0,
        },
        Measure {
            name: "companions_lag_events",
            help: "Positions between what is counted and the head of the log",
            value: lag,
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventing::Position;

    #[test]
    fn a_broker_that_is_away_stops_only_the_roles_that_wait_for_it() {
        let away = || BusStatus::Disconnected {
            since: std::time::SystemTime::now(),
            why: "nobody is there".to_owned(),
        };
        assert!(bus_check(away(), true).ok);
        assert!(!bus_check(away(), false).ok);
        assert_eq!(bus_check(away(), true).measures[0].value, 0);
        assert_eq!(bus_check(BusStatus::Connected, false).measures[0].value, 1);
    }

    #[test]
    fn companions_tell_how_far_they_are_where_they_are_counted() {
        let counting = CompanionsStatus {
            leads: true,
            folded: Position(7),
            published: Some(Position(5)),
            last_error: None,
        };
        let check = companions_check(&counting, Position(10));
        assert_eq!(
            check.detail.as_deref(),
            Some("counts up to 7, 3 behind, published as of 5")
        );
        let lag = check
            .measures
            .iter()
            .find(|measure| measure.name == "companions_lag_events");
        assert_eq!(lag.map(|lag| lag.value), Some(3));
        let standby = companions_check(&CompanionsStatus::default(), Position(10));
        assert!(standby.ok);
        assert_eq!((standby.measures.len(), standby.measures[0].value), (1, 0));
    }

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
            (live.ok, live.detail.as_deref()),
            (true, Some("reflects 7, 3 behind, 1 streams set aside"))
        );
        assert!(!consumer_check("classifier", &status(ConsumerState::CatchingUp)).ok);
        let halted = consumer_check("classifier", &status(ConsumerState::Halted));
        assert!(!halted.ok);
        assert_eq!(halted.detail.as_deref(), Some("has stopped: the store is full"));
    }
}
