//! Log lines on stderr, through `tracing`.
//!
//! A log line may quote what came from outside: a peer's status, an operating system's or a library's text. So what
//! reaches stderr has none of the characters of [`svdr_protocol::text`], whoever logs it.

use std::io::{self, IsTerminal as _, Write};

use svdr_protocol::failure::text_in_one_line;
use svdr_protocol::text::shown_in_json;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::fmt::time::SystemTime;

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One readable line for each event.
    #[default]
    Text,
    /// One JSON object for each event.
    Json,
}

/// What is logged if `RUST_LOG` says nothing.
const DEFAULT_FILTER: &str = "warn,svdr=info";

/// Starts logging to stderr, filtered by `RUST_LOG`. A second call changes nothing.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let subscriber = subscriber(format, filter, io::stderr().is_terminal(), io::stderr);
    // A subscriber that is already there stays; the programs call this once, tests many times.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn subscriber<W: Write>(
    format: LogFormat,
    filter: EnvFilter,
    terminal: bool,
    sink: impl Fn() -> W + Send + Sync + 'static,
) -> Box<dyn Subscriber + Send + Sync> {
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    if format == LogFormat::Json {
        let sink = move || ShownInJson(sink());
        let json = builder.with_writer(sink).json().flatten_event(true).with_timer(SystemTime);
        return Box::new(json.finish());
    }
    // Not in the writer, as for JSON: it could not tell our own colours from somebody else's.
    let fields = debug_fn(|line, field, value| {
        // An error's text may have two parts on two lines.
        let value = text_in_one_line(&format!("{value:?}"));
        match field.name() {
            "message" => line.write_str(&value),
            name => write!(line, "{name}={value}"),
        }
    });
    let text = builder.fmt_fields(fields.delimited(" ")).with_target(false).with_writer(sink);
    if terminal {
        // Whoever looks on knows the time.
        Box::new(text.without_time().finish())
    } else {
        Box::new(text.with_timer(SystemTime).finish())
    }
}

/// Escapes what it writes as JSON. A log line comes in one call, so no character is cut.
struct ShownInJson<W>(W);

impl<W: Write> Write for ShownInJson<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let safe = shown_in_json(&String::from_utf8_lossy(line));
        self.0.write_all(safe.as_bytes()).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, hostile: &str) -> String {
        let sink = Sink::default();
        let to = sink.clone();
        let subscriber = subscriber(format, EnvFilter::new("info"), false, move || to.clone());
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other(hostile.to_owned());
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(peer = %hostile, text = hostile, error, "said {hostile}");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const HOSTILE: &str = "a\u{1b}[2J\r\n\u{9b}\u{202e}\u{200b}\u{2028}\u{e0041}b";

    #[test]
    fn a_line_of_text_is_one_line_and_drives_no_terminal() {
        let log = logged(LogFormat::Text, HOSTILE);
        let line = log.strip_suffix('\n').unwrap();
        assert_eq!(svdr_protocol::text::hidden_in(line), None, "{line:?}");
        let [shown, quoted] = ["\\r ", "\\r\\n"]
            .map(|end| format!(r"a\u{{1b}}[2J{end}\u{{9b}}\u{{202e}}\u{{200b}}\u{{2028}}\u{{e0041}}b"));
        let end = format!("WARN said {shown} peer={shown} text=\"{quoted}\" error={shown}");
        assert!(line.ends_with(&end), "{line}");
    }

    #[test]
    fn a_line_of_json_means_what_was_said_and_drives_no_terminal() {
        let log = logged(LogFormat::Json, HOSTILE);
        let line = log.strip_suffix('\n').unwrap();
        assert_eq!(svdr_protocol::text::hidden_in(line), None, "{line:?}");
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(document["peer"], HOSTILE);
        assert_eq!(document["message"], format!("said {HOSTILE}"));
    }
}
