//! What is counted, in the text form of Prometheus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// The counters; a clone counts on the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    accepted: Family<KindLabel, Counter>,
    refused: Family<ReasonLabel, Counter>,
    handshakes_refused: Family<ReasonLabel, Counter>,
    flush_seconds: Histogram,
    flush_statements: Histogram,
    connections: Gauge,
    streams: Gauge,
    sessions: Gauge,
    journal_failed: Gauge,
}

/// Counts one open thing until it is dropped.
#[derive(Debug)]
pub struct OpenGauge(Gauge);

impl Drop for OpenGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Arc::new(Registry::default()),
            accepted: Family::default(),
            refused: Family::default(),
            handshakes_refused: Family::default(),
            // From half a millisecond to a quarter of a minute.
            flush_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
            // From one to all that may wait.
            flush_statements: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            connections: Gauge::default(),
            streams: Gauge::default(),
            sessions: Gauge::default(),
            journal_failed: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("svdr");
        registry.register("statements_accepted", "Statements accepted and on disk", metrics.accepted.clone());
        registry.register("calls_refused", "Calls refused, by reason", metrics.refused.clone());
        registry.register(
            "connections_refused",
            "Connections that did not become one, by reason",
            metrics.handshakes_refused.clone(),
        );
        registry.register(
            "journal_flush_seconds",
            "Time to write and flush a batch of the journal",
            metrics.flush_seconds.clone(),
        );
        registry.register(
            "journal_flush_statements",
            "Statements written with one flush",
            metrics.flush_statements.clone(),
        );
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register("streams", "Open streams", metrics.streams.clone());
        registry.register("sessions", "Sessions in the journal", metrics.sessions.clone());
        registry.register(
            "journal_failed",
            "1 if the journal has failed: nothing is accepted until the coordinator is started again",
            metrics.journal_failed.clone(),
        );
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// A statement is on disk.
    pub fn accepted(&self, kind: &str) {
        self.accepted.get_or_create(&KindLabel { kind: kind.to_owned() }).inc();
    }

    /// A call was refused.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A connection did not become one.
    pub fn connection_refused(&self, reason: &'static str) {
        self.handshakes_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A batch of the journal was written.
    pub fn flushed(&self, statements: usize, took: Duration) {
        self.flush_seconds.observe(took.as_secs_f64());
        self.flush_statements.observe(statements as f64);
    }

    /// The journal has failed.
    pub fn journal_failed(&self) {
        self.journal_failed.set(1);
    }

    /// There are so many sessions.
    pub fn sessions(&self, sessions: usize) {
        self.sessions.set(sessions as i64);
    }

    /// A connection is open, until what is returned is dropped.
    pub fn connection(&self) -> OpenGauge {
        self.connections.inc();
        OpenGauge(self.connections.clone())
    }

    /// A stream is open, until what is returned is dropped.
    pub fn stream(&self) -> OpenGauge {
        self.streams.inc();
        OpenGauge(self.streams.clone())
    }

    /// The page.
    ///
    /// # Errors
    /// If a metric cannot be written, which none of these can cause.
    pub fn page(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}
