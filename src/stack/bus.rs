//! The way to the broker.

use eventing::bus::{Bus, RabbitMqConfig};

use crate::hosts::RabbitMq;

/// The way to a broker, which is taken when it is needed.
pub(crate) fn broker(broker: RabbitMq<'_>) -> Bus {
    let RabbitMq {
        host,
        port,
        user,
        password,
        vhost,
    } = broker;
    Bus::rabbitmq(RabbitMqConfig {
        port,
        user: user.to_owned(),
        password: password.reveal().to_owned(),
        vhost: vhost.to_owned(),
        ..RabbitMqConfig::new(host)
    })
}
