//! What the API is measured against.

use std::io;

use axum::{Router, body::Bytes, routing::get, serve::ListenerExt};
use http::{HeaderValue, header};
use tokio::net::TcpListener;

/// Serves `body` as JSON under `/echo` until this is dropped: a route of axum, and nothing behind it.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve_echo(listener: TcpListener, body: Bytes) -> io::Result<()> {
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let router = Router::new().route("/echo", get(async move || ([json], body)));
    let listener = listener.tap_io(|stream| {
        // As the API does. A socket that cannot do so is only slower.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}
