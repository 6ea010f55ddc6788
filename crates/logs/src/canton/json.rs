//! Lines and array elements that are JSON objects: Canton's own, docker's, and the exports of log platforms.
//!
//! An object that names its logger is Canton's record: its `message` is the message, and nothing else in it is.
//! Any other object is a wrapper. What it wraps stands under one of [`MESSAGE_KEYS`], as a whole line, as a bare
//! message or, where it was escaped twice, as JSON inside a string, in the object itself or in one of the
//! objects under [`CONTAINER_KEYS`]. Keys are looked up where they belong, never searched for in the text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Context, Line, LineTime, cri, date, header, message_of, read_wrapped};

/// Where the wrapped line or message may stand, best first.
const MESSAGE_KEYS: [&str; 10] =
    ["message", "msg", "line", "log", "textPayload", "_raw", "@message", "body", "content", "event"];
/// Docker's and fluentd's key for a raw line of a container; a bare message there is not one that lost its
/// logger, but the second line of somebody's text.
const RAW_LINE_KEY: &str = "log";
const RAW_LINE_COMPANION: &str = "stream";
/// Objects in which platforms put the record or what belongs to it.
const CONTAINER_KEYS: [&str; 11] = [
    "jsonPayload",
    "_source",
    "result",
    "attributes",
    "fields",
    "labels",
    "content",
    "body",
    "event",
    "log",
    "message",
];
/// Canton's key, and what flattening pipelines make of it.
const LOGGER_KEYS: [&str; 3] = ["logger_name", "loggerName", "logger"];
const TRACE_KEYS: [&str; 3] = ["trace-id", "trace_id", "traceId"];
const TIME_KEYS: [&str; 5] = ["@timestamp", "timestamp", "time", "ts", "receiveTimestamp"];
const LEVEL_KEYS: [&str; 2] = ["level", "severity"];
/// Containers in containers: `attributes.attributes` and `result._raw` are the deepest known.
const MAX_CONTAINERS: u32 = 3;

/// What an object holds that matters here.
#[derive(Default)]
struct Object<'a> {
    /// By the place of the key in [`MESSAGE_KEYS`].
    texts: [Option<Cow<'a, str>>; MESSAGE_KEYS.len()],
    logger: Option<Cow<'a, str>>,
    trace: Option<Cow<'a, str>>,
    time: Option<LineTime>,
    level: Option<Cow<'a, str>>,
    raw: bool,
    contained: Vec<Object<'a>>,
}

/// Reads a line that starts as an object; a comma behind it is allowed.
pub(super) fn read(line: &[u8], wrappers: u32, context: &Context<'_>) -> Line {
    if line.starts_with(br#"{\""#) {
        return unescape(line)
            .map_or(Line::Unreadable, |inner| read_wrapped(inner.as_bytes(), wrappers, context));
    }
    match parse(line) {
        Some(object) if object.holds_text() => read_object(&object, wrappers, context),
        // What was searched for stands somewhere in it, but not where anybody is known to put it.
        _ => Line::Unreadable,
    }
}

/// The line that `line` holds as a string of JSON, as `jq .line` prints it without `-r`; a comma behind it is allowed.
pub(super) fn quoted(line: &[u8]) -> Option<String> {
    let string = line.trim_ascii();
    if string.first() != Some(&b'"') {
        return None;
    }
    serde_json::from_slice(string.strip_suffix(b",").unwrap_or(string)).ok()
}

/// The time of the line or element `object`.
pub fn object_time(object: &[u8]) -> Option<LineTime> {
    time_of(&parse(object)?)
}

/// See [`super::origin`].
pub(super) fn origin(line: &[u8]) -> Option<(String, String)> {
    origin_of(&parse(line)?)
}

fn parse(line: &[u8]) -> Option<Object<'_>> {
    let line = line.trim_ascii();
    let line = line.strip_suffix(b",").or_else(|| line.strip_suffix(b"]")).unwrap_or(line);
    let mut reader = serde_json::Deserializer::from_slice(line);
    let value = ValueSeed { containers: MAX_CONTAINERS }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    match value {
        Value::Object(object) => Some(*object),
        Value::Text(_) | Value::Other => None,
    }
}

fn read_object(object: &Object<'_>, wrappers: u32, context: &Context<'_>) -> Line {
    let context = Context {
        at: context.at.or(object.time),
        trace: given(&object.trace).or(context.trace),
        logger: given(&object.logger).or(context.logger),
    };
    if object.logger.is_some() {
        let message = object.texts.iter().take(2).flatten().next();
        // Canton's own time is in UTC here, and finer than that of a wrapper is not needed.
        return message.map_or(Line::Foreign, |message| {
            let at = object.time.or(context.at);
            message_of(context.logger, message, context.trace, at, at)
        });
    }
    let context = object.contained.iter().filter(|it| it.texts.iter().all(Option::is_none)).fold(
        context,
        |context, labels| Context {
            at: context.at.or(labels.time),
            trace: context.trace.or_else(|| given(&labels.trace)),
            logger: context.logger.or_else(|| given(&labels.logger)),
        },
    );
    let contained = object.contained.iter().map(|it| read_object(it, wrappers, &context));
    let texts = MESSAGE_KEYS.iter().zip(&object.texts).filter_map(|(key, text)| {
        let bare = !(object.raw && *key == RAW_LINE_KEY);
        text.as_ref().map(|text| read_embedded(text, bare, wrappers, &context))
    });
    let mut best = Line::Foreign;
    for line in texts.chain(contained) {
        match line {
            Line::Ours(_) => return line,
            Line::Unreadable => best = Line::Unreadable,
            Line::Foreign => {}
        }
    }
    best
}

fn given<'o>(text: &'o Option<Cow<'_, str>>) -> Option<&'o str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// A string that a wrapper holds: a line, JSON in a string, or (where `bare` allows it) a message alone.
fn read_embedded(text: &str, bare: bool, wrappers: u32, context: &Context<'_>) -> Line {
    let is_line =
        text.starts_with('{') || cri::prefix(text.as_bytes()).is_some() || date::leading(text).is_some();
    if is_line {
        return read_wrapped(text.as_bytes(), wrappers, context);
    }
    if text.starts_with('"') {
        let inner = serde_json::from_str::<String>(text.trim_end());
        return match (inner, wrappers.checked_sub(1)) {
            (Ok(inner), Some(wrappers)) => read_embedded(&inner, bare, wrappers, context),
            _ => Line::Foreign,
        };
    }
    match bare {
        true => message_of(context.logger, text, context.trace, context.at, context.at),
        false => Line::Foreign,
    }
}

/// What was escaped once more than JSON asks for.
fn unescape(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    serde_json::from_str(&format!("\"{line}\"")).ok()
}

fn time_of(object: &Object<'_>) -> Option<LineTime> {
    object.time.or_else(|| object.contained.iter().find_map(time_of)).or_else(|| {
        let texts = object.texts.iter().flatten();
        texts.filter(|text| !text.starts_with('{')).find_map(|text| super::line_time(text.as_bytes()))
    })
}

fn origin_of(object: &Object<'_>) -> Option<(String, String)> {
    if let Some(logger) = &object.logger {
        let level = object.level.as_deref().unwrap_or_default();
        return Some((header::class(logger).to_owned(), level.to_owned()));
    }
    object.contained.iter().find_map(origin_of).or_else(|| {
        object.texts.iter().flatten().find_map(|text| match text.strip_prefix('{') {
            Some(_) => origin_of(&parse(text.as_bytes()).filter(|inner| inner.logger.is_some())?),
            None => super::origin(text.as_bytes()),
        })
    })
}

enum Value<'a> {
    Text(Cow<'a, str>),
    Object(Box<Object<'a>>),
    Other,
}

/// Reads a value of any kind; of objects only so many levels deep.
#[derive(Clone, Copy)]
struct ValueSeed {
    containers: u32,
}

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value<'de>, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value<'de>, A::Error> {
        let mut object = Object::default();
        let containers = self.containers.checked_sub(1);
        while let Some(Key(key)) = entries.next_key()? {
            let message = MESSAGE_KEYS.iter().position(|known| *known == key);
            let container = containers.filter(|_| CONTAINER_KEYS.contains(&&*key));
            let known = LOGGER_KEYS.contains(&&*key)
                || TRACE_KEYS.contains(&&*key)
                || TIME_KEYS.contains(&&*key)
                || LEVEL_KEYS.contains(&&*key)
                || key == RAW_LINE_COMPANION;
            if message.is_none() && container.is_none() && !known {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            match entries.next_value_seed(ValueSeed { containers: container.unwrap_or(0) })? {
                Value::Text(text) => object.put(&key, message, text),
                Value::Object(contained) if container.is_some() => object.contained.push(*contained),
                Value::Object(_) | Value::Other => {}
            }
        }
        Ok(Value::Object(Box::new(object)))
    }
}

impl<'a> Object<'a> {
    /// Whether a message may stand in it.
    fn holds_text(&self) -> bool {
        self.logger.is_some()
            || self.texts.iter().any(Option::is_some)
            || self.contained.iter().any(Object::holds_text)
    }

    fn put(&mut self, key: &str, message: Option<usize>, text: Cow<'a, str>) {
        if let Some(slot) = message.and_then(|place| self.texts.get_mut(place)) {
            *slot = Some(text);
        } else if LOGGER_KEYS.contains(&key) {
            // A platform's own `logger` is a plain word; Canton's has the packages of a class.
            if text.contains('.') {
                self.logger = Some(text);
            }
        } else if TRACE_KEYS.contains(&key) {
            self.trace = Some(text);
        } else if TIME_KEYS.contains(&key) {
            self.time = self.time.or_else(|| date::utc(&text).map(LineTime::Utc));
        } else if LEVEL_KEYS.contains(&key) {
            self.level = Some(text);
        } else if key == RAW_LINE_COMPANION {
            self.raw = true;
        }
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'de>, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
