//! Listening, and stopping in three steps.

use std::{future::Future, io, net::SocketAddr};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::{routing::router, state::ApiState};

/// Serves the API on `listener` until `shutdown` completes, then stops in three steps:
///
/// 1. Readiness says no; after [`drain_delay`](crate::config::ApiConfig::drain_delay) nothing new is accepted.
/// 2. Running requests, and work left over from answered ones, may finish within
///    [`drain_timeout`](crate::config::ApiConfig::drain_timeout).
/// 3. This returns, and what has not finished by then ends with the process. An acknowledged command is never among it.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (delay, timeout) = (state.config().drain_delay, state.config().drain_timeout);
    let (closing, mut closed) = tokio::sync::watch::channel(false);
    let draining = state.clone();
    let stop = async move {
        shutdown.await;
        draining.begin_drain();
        tokio::time::sleep(delay).await;
        let _ = closing.send(true);
    };
    let listener = listener.tap_io(|stream| {
        // Small answers go out at once. A socket that cannot do so is only slower.
        let _ = stream.set_nodelay(true);
    });
    let service = router(state.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service)
        .with_graceful_shutdown(stop)
        .into_future();
    let deadline = async move {
        let _ = closed.wait_for(|closed| *closed).await;
        tokio::time::sleep(timeout).await;
    };
    let finished = tokio::select! {
        result = serving => result,
        () = deadline => {
            tracing::warn!(drain.timeout_ms = timeout.as_millis(), "requests were still running at the end of their time");
            Ok(())
        }
    };
    state.tasks().close();
    let _ = tokio::time::timeout(timeout, state.tasks().wait()).await;
    finished
}
