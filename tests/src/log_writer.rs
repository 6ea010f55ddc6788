//! Writes participant logs as Canton, container runtimes and log platforms do, for tests, drills and benchmarks.
//!
//! An [`Entry`] is what a participant logs; a [`LogWriter`] puts it down in a [`Format`]. [`traffic`] makes up
//! the entries of a participant at work, the same for the same seed.

use std::io::{self, Write};

use serde_json::json;

mod entry;
pub mod traffic;

pub use entry::{Entry, Level, Period, commitment_logger, rfc3339, short_participant};

/// How a log is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Canton's text.
    Text,
    /// Canton's JSON, one object a line; the error context is left out.
    Json,
    /// Text as kubelet stores it, long lines split.
    CriText,
    /// JSON as kubelet stores it, long lines split.
    CriJson,
    /// Text as docker stores it.
    DockerText,
    /// JSON as docker stores it.
    DockerJson,
    /// JSON as lnav shows it and people copy it.
    Lnav,
    /// A platform's export: one array on one line, the record under `jsonPayload`.
    Array,
    /// The same, pretty-printed.
    PrettyArray,
    /// A platform's export, one object a line, the whole text line under `textPayload`.
    TextPayload,
    /// The same, the whole JSON line in a string under `line`.
    EscapedLine,
    /// The same, escaped once more.
    EscapedTwice,
    /// A platform's export that kept the bare message only.
    BareMessage,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 13] = [
        Format::Text,
        Format::Json,
        Format::CriText,
        Format::CriJson,
        Format::DockerText,
        Format::DockerJson,
        Format::Lnav,
        Format::Array,
        Format::PrettyArray,
        Format::TextPayload,
        Format::EscapedLine,
        Format::EscapedTwice,
        Format::BareMessage,
    ];

    /// Whether the form carries the error context of a mismatch.
    pub fn has_context(self) -> bool {
        matches!(self, Format::Text | Format::CriText | Format::DockerText | Format::TextPayload)
    }

    /// Whether it carries traces.
    pub fn has_trace(self) -> bool {
        self != Format::BareMessage
    }
}

/// What varies within a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// The container's distance from UTC, in minutes; seen in text only.
    pub zone_minutes: i64,
    /// Lines end in `\r\n`.
    pub crlf: bool,
    /// Chooses the order of JSON keys.
    pub key_order: usize,
    /// Bytes at which kubelet splits a line.
    pub piece_bytes: usize,
}

impl Style {
    /// The usual form of `format`: UTC, `\n`, pieces of 16 KiB.
    pub fn new(format: Format) -> Style {
        Style { format, zone_minutes: 0, crlf: false, key_order: 0, piece_bytes: 16 * 1024 }
    }
}

/// Writes entries to `W`.
pub struct LogWriter<W: Write> {
    out: W,
    style: Style,
    any: bool,
    line: Vec<u8>,
}

impl<W: Write> LogWriter<W> {
    /// Starts a log.
    pub fn new(out: W, style: Style) -> LogWriter<W> {
        LogWriter { out, style, any: false, line: Vec::new() }
    }

    /// What it writes to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Where the output fails.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let style = self.style;
        match style.format {
            Format::Text => text_line(entry, style, &mut line),
            Format::Json => line.extend_from_slice(json_line(entry, style).as_bytes()),
            Format::CriText | Format::CriJson => {
                let mut inner = Vec::new();
                if style.format == Format::CriText {
                    text_line(entry, style, &mut inner);
                } else {
                    inner.extend_from_slice(json_line(entry, style).as_bytes());
                }
                self.write_pieces(entry, &inner)?;
                self.line = line;
                return Ok(());
            }
            Format::DockerText | Format::DockerJson => {
                let mut inner = Vec::new();
                if style.format == Format::DockerText {
                    text_line(entry, style, &mut inner);
                } else {
                    inner.extend_from_slice(json_line(entry, style).as_bytes());
                }
                let inner = String::from_utf8_lossy(&inner);
                let time = format!("{}456789Z", rfc3339(entry.at).trim_end_matches('Z'));
                let outer = json!({"log": format!("{inner}\n"), "stream": "stdout", "time": time});
                line.extend_from_slice(outer.to_string().as_bytes());
            }
            Format::Lnav => {
                let (trace, span) = (entry.trace.as_deref().unwrap_or_default(), entry.span());
                let _ = write!(
                    line,
                    "{} [⋮] {} - {} ({trace}-{span}…) - {}",
                    rfc3339(entry.at),
                    entry.level.name(),
                    entry.logger,
                    entry.message
                );
            }
            Format::Array => {
                line.extend_from_slice(if self.any { b"," } else { b"[" });
                let record = json!({"insertId": "i", "jsonPayload": json_value(entry), "severity": "INFO"});
                line.extend_from_slice(record.to_string().as_bytes());
                self.any = true;
                let result = self.out.write_all(&line);
                self.line = line;
                return result;
            }
            Format::PrettyArray => {
                line.extend_from_slice(if self.any { b",\n" } else { b"[\n" });
                let record = json!({"insertId": "i", "jsonPayload": json_value(entry), "severity": "INFO"});
                let pretty = serde_json::to_string_pretty(&record)?;
                for (nth, part) in pretty.lines().enumerate() {
                    line.extend_from_slice(if nth > 0 { b"\n  " } else { b"  " });
                    line.extend_from_slice(part.as_bytes());
                }
                self.any = true;
                let result = self.out.write_all(&line);
                self.line = line;
                return result;
            }
            Format::TextPayload => {
                let mut inner = Vec::new();
                text_line(entry, style, &mut inner);
                let record =
                    json!({"textPayload": String::from_utf8_lossy(&inner), "timestamp": rfc3339(entry.at)});
                line.extend_from_slice(record.to_string().as_bytes());
            }
            Format::EscapedLine => {
                let record = json!({"labels": {"pod": "participant-0"}, "line": json_line(entry, style)});
                line.extend_from_slice(record.to_string().as_bytes());
            }
            Format::EscapedTwice => {
                let quoted = serde_json::to_string(&json_line(entry, style))?;
                // What stands between the quotes, put into a string again.
                let inner = quoted.trim_matches('"');
                line.extend_from_slice(
                    json!({"line": inner, "timestamp": rfc3339(entry.at)}).to_string().as_bytes(),
                );
            }
            Format::BareMessage => {
                let record = json!({"timestamp": rfc3339(entry.at), "message": entry.message});
                line.extend_from_slice(record.to_string().as_bytes());
            }
        }
        line.extend_from_slice(if style.crlf { b"\r\n" } else { b"\n" });
        self.any = true;
        let result = self.out.write_all(&line);
        self.line = line;
        result
    }

    fn write_pieces(&mut self, entry: &Entry, content: &[u8]) -> io::Result<()> {
        let time = format!("{}456789Z", rfc3339(entry.at).trim_end_matches('Z'));
        let mut rest = content;
        while rest.len() > self.style.piece_bytes {
            let (piece, more) = rest.split_at(self.style.piece_bytes);
            write!(self.out, "{time} stdout P ")?;
            self.out.write_all(piece)?;
            self.end_line()?;
            rest = more;
        }
        write!(self.out, "{time} stdout F ")?;
        self.out.write_all(rest)?;
        self.end_line()
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.out.write_all(if self.style.crlf { b"\r\n" } else { b"\n" })
    }

    /// Ends the log.
    ///
    /// # Errors
    /// Where the output fails.
    pub fn finish(mut self) -> io::Result<W> {
        match (self.style.format, self.any) {
            (Format::Array, true) => self.out.write_all(b"]")?,
            (Format::PrettyArray, true) => self.out.write_all(b"\n]\n")?,
            (Format::Array | Format::PrettyArray, false) => self.out.write_all(b"[]\n")?,
            _ => {}
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Canton's pattern: date, thread, level, logger, trace, message, context.
fn text_line(entry: &Entry, style: Style, line: &mut Vec<u8>) {
    let local = rfc3339(entry.at + style.zone_minutes * 60_000_000);
    let date = local.trim_end_matches('Z').replacen('T', " ", 1).replacen('.', ",", 1);
    // Writing to a vector cannot fail.
    let _ = write!(line, "{date} [{}] {:<5} {}", entry.thread, entry.level.name(), entry.logger);
    if let Some(trace) = &entry.trace {
        let _ = write!(line, " tid:{trace}");
    }
    let _ = write!(line, " - {}", entry.message);
    if let Some(context) = &entry.context {
        let _ = write!(line, " err-context:{context}");
    }
}

fn json_value(entry: &Entry) -> serde_json::Value {
    json!({
        "@timestamp": rfc3339(entry.at),
        "message": entry.message,
        "logger_name": entry.logger,
        "thread_name": entry.thread,
        "level": entry.level.name(),
        "trace-id": entry.trace.as_deref().unwrap_or_default(),
        "span-id": entry.span(),
    })
}

/// Canton's JSON, its keys turned by `style.key_order`.
fn json_line(entry: &Entry, style: Style) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut members = vec![
        ("@timestamp", text(&rfc3339(entry.at))),
        ("@version", text("1")),
        ("message", text(&entry.message)),
        ("logger_name", text(&entry.logger)),
        ("thread_name", text(&entry.thread)),
        ("level", text(entry.level.name())),
        ("level_value", "20000".to_owned()),
    ];
    if let Some(trace) = &entry.trace {
        members.push(("trace-id", text(trace)));
        members.push(("span-id", text(&entry.span())));
    }
    let turn = style.key_order % members.len();
    members.rotate_left(turn);
    let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}
