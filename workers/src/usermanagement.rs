//! The role `usermanagement`: keeps the view of accounts and sessions.

use eventing::consumer::ConsumerStatus;
use projectors::{ProjectionHandler, ProjectionKind};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::parts::{Parts, WorkerError, consume};
