//! What readiness looks at: each part of this process, and how far behind it is.

use chrono::Utc;
use command_api::{Check, Measure, Probe, log_check};
use eventing::bus::{Bus, BusStatus};
use eventing::consumer::{ConsumerState, ConsumerStatus};
use eventing::relay::{RelayRole, RelayStatus};
use eventing::sealer::{Sealer, SealerStatus};
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
    check.measuring([Measure::flag(
        "bus_connected",
        "Whether the broker can be reached",
        is_connected,
    )])
}

/// Views that lag delay answers and spoil none, so how far they are is told and does not count as unready; views that
/// cannot be read do.
fn projection(kind: ProjectionKind, views: ViewReader, log: EventLog) -> Probe {
    Probe::new(move || {
        let (views, log) = (views.clone(), log.clone());
        async move {
            let head = *log.subscribe_head().borrow();
            match views.checkpoint(kind).await {
                Ok(checkpoint) => {
                    let oldest_s = oldest_missing_s(&log, checkpoint, head).await;
                    projection_check(kind.name(), checkpoint, head, oldest_s)
                }
                Err(error) => Check::failed(kind.name(), error.to_string()),
            }
        }
    })
}

/// How old the oldest record is that views at `checkpoint` do not reflect, in seconds; 0 when they reflect all. Nothing when
/// the log cannot be read now.
async fn oldest_missing_s(log: &EventLog, checkpoint: Position, head: Position) -> Option<f64> {
    if checkpoint >= head {
        return Some(0.0);
    }
    let missing = log.tail_after(checkpoint, 1).await.ok()?;
    Some(missing.first().map_or(0.0, |oldest| {
        let age = Utc::now().signed_duration_since(oldest.recorded_at);
        age.to_std().unwrap_or_default().as_secs_f64()
    }))
}

fn projection_check(
    name: &'static str,
    checkpoint: Position,
    head: Position,
    oldest_s: Option<f64>,
) -> Check {
    let lag = head.0.saturating_sub(checkpoint.0);
    let check = Check::passed(name, format!("reflects {checkpoint}, {lag} behind")).measuring([
        Measure::count(
            "projection_applied_position",
            "Everything at or below this position is in the views",
            checkpoint.0,
        ),
        Measure::count(
            "projection_lag_events",
            "Positions between the views and the head of the log",
            lag,
        ),
    ]);
    check.measuring(oldest_s.map(|age| {
        Measure::seconds(
            "projection_lag_seconds",
            "Age of the oldest record that is not in the views, 0 when all are",
            age,
        )
    }))
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
        Measure::count(
            "consumer_lag_events",
            "Positions between this consumer and the head of the log",
            status.lag(),
        ),
        Measure::count(
            "dead_letters",
            "Streams that this consumer has set aside",
            status.parked as u64,
        ),
        Measure::count(
            "consumer_retrying_streams",
            "Streams that failed and are tried again",
            status.waiting as u64,
        ),
    ])
}

fn with_error(what: &str, status: &ConsumerStatus) -> String {
    match &status.last_error {
        Some(error) => format!("{what}: {error}"),
        None => what.to_owned(),
    }
}

/// A relay that cannot publish delays views and loses nothing, so it is told and does not count as unready.
pub(crate) fn relay(status: watch::Receiver<RelayStatus>, log: EventLog) -> Probe {
    Probe::new(move || {
        let head = *log.subscribe_head().borrow();
        let check = relay_check(status.borrow().clone(), head);
        async move { check }
    })
}

/// How far it lags is known only to the relay that publishes.
fn relay_check(status: RelayStatus, head: Position) -> Check {
    let RelayStatus {
        role,
        published,
        last_error,
    } = status;
    let error = last_error.map_or_else(String::new, |error| format!("; last trouble: {error}"));
    let (leads, standby) = match role {
        RelayRole::Leading => (true, ""),
        RelayRole::Standby => (false, "; another process relays"),
    };
    let lag = Measure::count(
        "relay_lag_events",
        "Positions between what the broker confirmed and the head of the log",
        head.0.saturating_sub(published.0),
    );
    Check::passed("relay", format!("published up to {published}{standby}{error}"))
        .measuring([
            Measure::flag("relay_leads", "Whether this process publishes the log", leads),
            Measure::count(
                "relay_published_position",
                "Everything at or below this position is confirmed by the broker",
                published.0,
            ),
        ])
        .measuring(leads.then_some(lag))
}

/// A log that cannot be sealed goes on taking commands, so that is told and does not count as unready.
pub(crate) fn sealer(sealer: Sealer) -> Probe {
    Probe::new(move || {
        let sealer = sealer.clone();
        async move {
            match sealer.status().await {
                Ok(status) => sealer_check(&status, sealer.verifier().is_some()),
                Err(error) => Check::passed("audit", format!("it cannot be told: {error}")),
            }
        }
    })
}

fn sealer_check(status: &SealerStatus, has_key: bool) -> Check {
    let (size, signed_at_s) = status.checkpoint.map_or((0, 0.0), |(size, signed_at)| {
        (size, signed_at.timestamp_millis() as f64 / 1_000.0)
    });
    let key = if has_key {
        ""
    } else {
        "; no key, so nothing is signed"
    };
    let problem = status.problem.as_ref();
    let problem = problem.map_or_else(String::new, |problem| format!("; last trouble: {problem}"));
    let stands = format!(
        "the tree covers {}, the last checkpoint {size}{key}{problem}",
        status.tree_size
    );
    Check::passed("audit", stands).measuring([
        Measure::count(
            "audit_tree_size",
            "Records that the log's Merkle tree covers",
            status.tree_size,
        ),
        Measure::count(
            "audit_checkpoint_size",
            "Records that the last signed checkpoint covers",
            size,
        ),
        Measure::seconds(
            "audit_checkpoint_timestamp_seconds",
            "When the last checkpoint was signed, in seconds since 1970; 0 when there is none",
            signed_at_s,
        ),
        Measure::flag(
            "audit_seal_failed",
            "Whether this process failed to seal the log the last time it tried",
            status.problem.is_some(),
        ),
    ])
}

/// Playlists are made with the last verified model, or the log's copy, so a registry in trouble is told and does not count
/// as unready.
pub(crate) fn models(health: watch::Receiver<RegistryHealth>) -> Probe {
    Probe::new(move || {
        let health = health.borrow().clone();
        let check = Check::passed("models", health.to_string()).measuring([
            Measure::flag(
                "model_registry_well",
                "Whether the registry of base models does what is asked of it",
                health.is_well(),
            ),
            Measure::total(
                "model_registry_failures",
                "How often the registry did not help",
                health.failures_total,
            ),
            Measure::total(
                "model_registry_damaged",
                "How often the registry gave something damaged",
                health.damaged_total,
            ),
            Measure::total(
                "models_from_log",
                "How often a model was taken from the log's copy",
                health.from_log_total,
            ),
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
    let leads = Measure::flag(
        "companions_leads",
        "Whether this process counts what listeners like together",
        status.leads,
    );
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
        Measure::count(
            "companions_folded_position",
            "Everything at or below this position is in what is counted",
            status.folded.0,
        ),
        Measure::count(
            "companions_lag_events",
            "Positions between what is counted and the head of the log",
            lag,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use command_api::Value;
    use eventing::testing::event_log::{an_append, new_stream};
    use eventing::{ExpectedVersion, LogConfig};

    #[test]
    fn a_broker_that_is_away_stops_only_the_roles_that_wait_for_it() {
        let away = || BusStatus::Disconnected {
            since: std::time::SystemTime::now(),
            why: "nobody is there".to_owned(),
        };
        assert!(bus_check(away(), true).ok);
        assert!(!bus_check(away(), false).ok);
        assert_eq!(bus_check(away(), true).measures[0].value, Value::Count(0));
        assert_eq!(
            bus_check(BusStatus::Connected, false).measures[0].value,
            Value::Count(1)
        );
    }

    #[tokio::test]
    async fn views_are_as_old_as_the_first_record_that_they_lack() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = EventLog::open(LogConfig::new(folder.path()))
            .await
            .expect("a log");
        let mut recorded = Vec::new();
        for _ in 0..2 {
            let append = an_append(&new_stream(), ExpectedVersion::NoStream, 1);
            let appended = log.append(append).await.expect("it is appended");
            recorded.push(appended.events[0].recorded_at);
        }
        let head = Position(2);
        assert_eq!(oldest_missing_s(&log, head, head).await, Some(0.0));
        let before = Utc::now();
        let since = |index: usize| (before - recorded[index]).as_seconds_f64();
        let of_first = oldest_missing_s(&log, Position(0), head).await.expect("an age");
        assert!(of_first >= since(0), "{of_first}");
        let of_second = oldest_missing_s(&log, Position(1), head).await.expect("an age");
        let passed = (Utc::now() - before).as_seconds_f64();
        assert!(
            of_second >= since(1) && of_second <= since(1) + passed,
            "{of_second}"
        );
    }

    #[test]
    fn the_relay_that_publishes_tells_how_far_it_is_behind() {
        let status = |role| RelayStatus {
            role,
            published: Position(7),
            last_error: None,
        };
        let lag = |role| {
            let check = relay_check(status(role), Position(10));
            let mut measures = check.measures.into_iter();
            let lag = measures.find(|measure| measure.name == "relay_lag_events");
            lag.map(|lag| lag.value)
        };
        assert_eq!(lag(RelayRole::Leading), Some(Value::Count(3)));
        assert_eq!(lag(RelayRole::Standby), None);
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
        assert_eq!(lag.map(|lag| lag.value), Some(Value::Count(3)));
        let standby = companions_check(&CompanionsStatus::default(), Position(10));
        assert!(standby.ok);
        assert_eq!(
            (standby.measures.len(), standby.measures[0].value),
            (1, Value::Count(0))
        );
    }

    #[test]
    fn how_far_the_log_is_sealed_is_told_and_trouble_with_it_stops_nobody() {
        let mut status = SealerStatus {
            tree_size: 9,
            checkpoint: chrono::DateTime::from_timestamp(1_700_000_000, 0).map(|at| (7, at)),
            problem: None,
        };
        let check = sealer_check(&status, true);
        let detail = "the tree covers 9, the last checkpoint 7";
        assert_eq!((check.ok, check.detail.as_deref()), (true, Some(detail)));
        let values: Vec<Value> = check.measures.iter().map(|measure| measure.value).collect();
        let [nine, seven, no] = [9, 7, 0].map(Value::Count);
        assert_eq!(values, [nine, seven, Value::Seconds(1_700_000_000.0), no]);
        status.problem = Some("a tile is lost".to_owned());
        let check = sealer_check(&status, false);
        assert!(check.ok && check.measures[3].value == Value::Count(1));
        let detail = check.detail.unwrap_or_default();
        assert!(
            detail.contains("no key") && detail.contains("a tile is lost"),
            "{detail}"
        );
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
