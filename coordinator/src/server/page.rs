//! The page of metrics: plain HTTP, on an address of its own, for a scraper in the same network.
//!
//! Whoever opens connections there and does not read cannot keep the scraper out: addresses share them as they share
//! handshakes, and each ends after [`METRICS_TIMEOUT`].

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use svdr_proto::accept::SharedTasks;
use svdr_proto::limits::ACCEPT_REST;
use tokio::net::TcpListener;

use crate::limits::{MAX_METRICS_CONNECTIONS, METRICS_TIMEOUT};
use crate::metrics::Metrics;

/// OpenMetrics, which Prometheus reads.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves the page until it is aborted.
pub(super) async fn serve(listener: TcpListener, metrics: Metrics) {
    let connections = SharedTasks::new(MAX_METRICS_CONNECTIONS);
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(target: "svdr", %error, "a connection for the metrics cannot be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let metrics = metrics.clone();
        let dropped = connections.spawn(address, |slot| async move {
            let service = service_fn(move |request| {
                let response = answer(&metrics, &request);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(METRICS_TIMEOUT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            if let Ok(Err(error)) = tokio::time::timeout(METRICS_TIMEOUT, connection).await {
                tracing::debug!(target: "svdr", %error, "a request for the metrics failed");
            }
            drop(slot);
        });
        if let Some(address) = dropped {
            tracing::debug!(target: "svdr", %address, "a connection for the metrics is dropped: there are too many");
        }
    }
}

fn answer(metrics: &Metrics, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match metrics.page() {
            Ok(page) => (StatusCode::OK, TEXT, page),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        },
        _ => (StatusCode::NOT_FOUND, "text/plain", "there is nothing here but GET /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    if let Ok(kind) = kind.parse() {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}
