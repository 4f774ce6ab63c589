//! What the broker's refusals and silences mean for us.

use std::time::Duration;

use lapin::{
    Error, ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};

use super::{super::BusError, RabbitMqConfig};

/// Why something failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    /// It may pass.
    #[error("{0}")]
    Away(String),
    /// It will not pass unless a person changes a setting.
    #[error("{0}")]
    Misconfigured(String),
    /// There is no such queue or exchange.
    #[error("`{0}` is not declared")]
    NotDeclared(String),
    /// It exists with other settings.
    #[error("`{name}` exists with other settings: {said}")]
    Conflict { name: String, said: String },
}

impl Fault {
    /// Nothing came for so long.
    pub(super) fn silence(config: &RabbitMqConfig, limit: Duration) -> Self {
        let place = config.place();
        Self::Away(format!(
            "RabbitMQ at {place} did not answer within {limit:?}: check that it runs and can be reached \
             (RABBITMQ_HOST, RABBITMQ_PORT)"
        ))
    }

    /// What came instead of a connection.
    pub(super) fn of_connecting(config: &RabbitMqConfig, error: &Error) -> Self {
        let (place, user, vhost) = (config.place(), &config.user, &config.vhost);
        match error.kind() {
            ErrorKind::ProtocolError(said) => match said.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Misconfigured(format!(
                    "RabbitMQ at {place} refuses the user {user:?} or the password: check RABBITMQ_USER and \
                     RABBITMQ_PASSWORD"
                )),
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Self::Misconfigured(format!(
                    "RabbitMQ at {place} does not let the user {user:?} into the virtual host {vhost:?}: make it, give \
                     the user rights in it, or check RABBITMQ_VHOST ({})",
                    said.get_message()
                )),
                _ => Self::Away(format!("RabbitMQ at {place} refused: {said}")),
            },
            ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => {
                Self::Misconfigured(format!(
                    "what answers at {place} does not speak AMQP 0-9-1: check RABBITMQ_HOST and RABBITMQ_PORT"
                ))
            }
            _ => Self::Away(format!(
                "RabbitMQ at {place} cannot be reached: check that it runs, and RABBITMQ_HOST and RABBITMQ_PORT ({error})"
            )),
        }
    }

    /// What came instead of an answer about `name`, a queue or an exchange.
    pub(super) fn of_asking(name: &str, error: &Error) -> Self {
        let ErrorKind::ProtocolError(said) = error.kind() else {
            return Self::Away(error.to_string());
        };
        match said.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Self::NotDeclared(name.to_owned()),
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Self::Conflict {
                name: name.to_owned(),
                said: said.get_message().to_string(),
            },
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Misconfigured(format!(
                "RabbitMQ does not let us use `{name}`: give the user of RABBITMQ_USER the rights to configure, write \
                 and read it ({})",
                said.get_message()
            )),
            _ => Self::Away(said.to_string()),
        }
    }
}

impl From<Fault> for BusError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotDeclared(name) => Self::NotDeclared(name),
            Fault::Conflict { name, said } => Self::Conflict { name, said },
            Fault::Misconfigured(what) => Self::Misconfigured(what),
            Fault::Away(why) => Self::Unavailable(why.into()),
        }
    }
}
