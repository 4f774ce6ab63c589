//! Free ports.

use std::net::{Ipv4Addr, TcpListener};

use crate::ServerError;

/// A port of 127.0.0.1 that nobody listens on now. Someone else may take it before it is used: start again then.
///
/// # Errors
/// - `Io`: there is none.
pub fn free_port() -> Result<u16, ServerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| ServerError::io("no free port", error))
}
