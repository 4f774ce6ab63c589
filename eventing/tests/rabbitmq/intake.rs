//! What is no message of ours is set aside, visibly, and holds up nothing.

use std::{sync::Arc, time::Duration};

use eventing::{
    RecordedEvent,
    bus::{Bus, DEAD_QUEUE, EXCHANGE, envelope},
    testing::bus::recorded,
};
use lapin::{
    BasicProperties, Connection, ConnectionProperties, options::BasicGetOptions, options::BasicPublishOptions,
};

use crate::{
    broker::{config, shared},
    world::{QUEUE, World, stream},
};

/// Somebody else's connection to the world's broker.
async fn stranger(url: &str) -> Connection {
    Connection::connect(url, ConnectionProperties::default())
        .await
        .expect("it connects")
}

async fn send(stranger: &Connection, content_type: Option<&str>, body: &[u8]) {
    let channel = stranger.create_channel().await.expect("a channel");
    let mut properties = BasicProperties::default();
    if let Some(content_type) = content_type {
        properties = properties.with_content_type(content_type.into());
    }
    let options = BasicPublishOptions::default();
    channel
        .basic_publish(
            EXCHANGE.into(),
            "work.thing.happened".into(),
            options,
            body,
            properties,
        )
        .await
        .expect("it is sent");
    channel.close(200, "done".into()).await.expect("closed");
}

fn foreign_event() -> Arc<RecordedEvent> {
    recorded(1, "thing")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_of_ours_is_set_aside_and_others_flow() {
    let config = config(shared());
    let url = shared().url(&config.vhost);
    let world = World::on(Bus::rabbitmq(config)).await;
    let mut running = world.live().await;
    let events = world.append(&stream(1), 5).await;
    let sent_wrongly = envelope::write(&events[0]);
    let ours = envelope::write(&foreign_event());
    let mut broken_hash = ours.clone();
    let at = broken_hash.len() - 3;
    broken_hash[at..].copy_from_slice(b" }}");
    let huge = vec![b'x'; envelope::MESSAGE_BYTES_MAX - 1_000];
    let strange: [(Option<&str>, &[u8]); 7] = [
        (None, b"hello"),
        // The log has this one, but it is not sent as what it is.
        (Some("text/plain"), &sent_wrongly),
        (Some(envelope::CONTENT_TYPE), b"{\"specversion\":\"1.0\""),
        (Some(envelope::CONTENT_TYPE), b"[]"),
        (Some(envelope::CONTENT_TYPE), &broken_hash),
        (Some(envelope::CONTENT_TYPE), &huge),
        // A whole message of ours, of an event that this log never had, where it has another.
        (Some(envelope::CONTENT_TYPE), &ours),
    ];
    let stranger = stranger(&url).await;
    for (content_type, body) in strange {
        send(&stranger, content_type, body).await;
    }
    world.publish(&events).await;
    world.applied(&stream(1), 5).await;
    running
        .until("it is told", |status| {
            status
                .last_error
                .as_ref()
                .is_some_and(|error| error.contains("set aside"))
        })
        .await;
    world.holds(DEAD_QUEUE, 7).await;
    running.stop().await;
    world.recorder.check();
    assert_eq!(world.recorder.effects(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_says_where_it_came_from() {
    let config = config(shared());
    let url = shared().url(&config.vhost);
    let world = World::on(Bus::rabbitmq(config)).await;
    let running = world.live().await;
    let stranger = stranger(&url).await;
    send(&stranger, Some("text/plain"), b"hello").await;
    world.holds(DEAD_QUEUE, 1).await;
    let channel = stranger.create_channel().await.expect("a channel");
    let dead = channel
        .basic_get(DEAD_QUEUE.into(), BasicGetOptions::default())
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!(dead.delivery.data, b"hello");
    let headers = dead.delivery.properties.headers().as_ref().expect("headers");
    let from = headers.inner()["x-first-death-queue"].as_long_string();
    assert_eq!(from.map(ToString::to_string).as_deref(), Some(QUEUE));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_says_in_its_headers_what_it_is() {
    let config = config(shared());
    let url = shared().url(&config.vhost);
    let world = World::on(Bus::rabbitmq(config)).await;
    let event = recorded(7, "thing");
    world.publish(std::slice::from_ref(&event)).await;
    let channel = stranger(&url).await.create_channel().await.expect("a channel");
    let message = loop {
        let got = channel.basic_get("work".into(), BasicGetOptions::default()).await;
        if let Some(message) = got.expect("it answers") {
            break message;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(message.delivery.routing_key.as_str(), "work.thing.happened");
    let properties = &message.delivery.properties;
    assert_eq!(*properties.delivery_mode(), Some(2), "it is written to disk");
    let id = properties.message_id().as_ref().map(ToString::to_string);
    assert_eq!(id, Some(event.id.to_string()));
    let headers = properties.headers().as_ref().expect("headers").inner();
    let number = |name: &str| headers[name].as_long_long_int();
    assert_eq!((number("position"), number("version")), (Some(7), Some(7)));
    for (name, value) in [
        ("stream", event.stream.to_string()),
        ("correlation", event.correlation_id.to_string()),
    ] {
        let told = headers[name].as_long_string().map(ToString::to_string);
        assert_eq!(told, Some(value), "{name}");
    }
}
