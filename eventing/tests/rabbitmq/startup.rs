//! What is told at the start, when something is wrong.

use std::time::{Duration, Instant};

use eventing::bus::{Bus, BusError, BusStatus, QueueSettings, RabbitMqConfig, Topology};

use crate::broker::{config, shared};

fn topology() -> Topology {
    Topology::by_tag(|_| Some("work"), &["work"])
}

async fn refusal(config: RabbitMqConfig) -> BusError {
    let bus = Bus::rabbitmq(config);
    let error = bus.declare(&topology()).await.expect_err("something is wrong");
    assert!(matches!(bus.status(), BusStatus::Disconnected { .. }));
    error
}

#[track_caller]
fn names(error: &BusError, settings: &[&str]) {
    let text = format!("{error} {:?}", std::error::Error::source(error));
    for setting in settings {
        assert!(text.contains(setting), "{text} does not name {setting}");
    }
    assert!(!text.contains("not the password"), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_told_with_its_setting() {
    let mut config = config(shared());
    config.password = "not the password".to_owned();
    let error = refusal(config).await;
    assert!(matches!(error, BusError::Misconfigured(_)), "{error:?}");
    names(&error, &["RABBITMQ_USER", "RABBITMQ_PASSWORD"]);
}

#[tokio::test]
async fn a_virtual_host_that_is_not_there_is_told_with_its_setting() {
    let mut config = config(shared());
    config.vhost = "nowhere".to_owned();
    let error = refusal(config).await;
    assert!(matches!(error, BusError::Misconfigured(_)), "{error:?}");
    names(&error, &["RABBITMQ_VHOST", "nowhere"]);
}

#[tokio::test]
async fn a_host_whose_name_is_not_known_now_is_told_with_its_setting_and_tried_again() {
    let error = refusal(RabbitMqConfig::new("no-such-host.invalid")).await;
    assert!(matches!(error, BusError::Unavailable(_)), "{error:?}");
    names(&error, &["RABBITMQ_HOST", "no-such-host.invalid"]);
}

#[tokio::test]
async fn a_port_where_something_else_listens_is_told_with_its_setting() {
    let other = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let mut config = RabbitMqConfig::new("127.0.0.1");
    config.port = other.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let error = refusal(config).await;
    names(&error, &["RABBITMQ_HOST", "RABBITMQ_PORT"]);
}

#[tokio::test]
async fn a_broker_that_is_not_there_now_is_told_apart_and_in_time() {
    let mut config = RabbitMqConfig::new("127.0.0.1");
    config.port = servers::ports::free_port().expect("a port");
    config.connect_limit = Duration::from_secs(1);
    let begun = Instant::now();
    let error = refusal(config).await;
    assert!(matches!(error, BusError::Unavailable(_)), "{error:?}");
    names(&error, &["RABBITMQ_HOST", "RABBITMQ_PORT"]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_queue_with_other_settings_is_named_and_what_differs_and_the_bus_goes_on() {
    let config = config(shared());
    let bus = Bus::rabbitmq(config.clone());
    bus.declare(&topology()).await.expect("declared");
    let mut other = topology();
    other.queues[0].delivery_limit = QueueSettings::DELIVERY_LIMIT + 5;
    let second = Bus::rabbitmq(config);
    let error = second.declare(&other).await.expect_err("it is another one");
    assert!(
        matches!(&error, BusError::Conflict { name, .. } if name == "work"),
        "{error:?}"
    );
    names(&error, &["work", "x-delivery-limit", "delete it"]);
    second
        .declare(&topology())
        .await
        .expect("the refusal closed a channel only");
    assert_eq!(second.status(), BusStatus::Connected);
    assert_eq!(bus.depth("work").await.expect("it is there").ready, 0);
}
