//! Lines and array elements that are JSON objects: Canton's own, docker's, and the exports of log platforms.
//!
//! An object that names its logger is Canton's record: its `message` is the message, and nothing else in it is.
//! Any other object is a wrapper. What it wraps stands under one of [`MESSAGE_KEYS`], as a whole line, as a bare
//! message or, where it was escaped twice, as JSON inside a string, in the object itself or in one of the
//! objects under [`CONTAINER_KEYS`]. Keys are looked up where they belong, never searched for in the text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::cri;
use super::layer::{Context, Inside, Show};
use crate::canton::{self, LineTime};

/// Where the wrapped line or message may stand, best first.
const MESSAGE_KEYS: [&str; 10] =
    ["message", "msg", "line", "log", "textPayload", "_raw", "@message", "body", "content", "event"];
/// How many of [`MESSAGE_KEYS`] can contain the message of a record that names its logger.
const RECORD_KEYS: usize = 2;
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

/// See [`super::layer::Open`]. A comma after the object is allowed, and the bracket of an array around it.
pub(super) fn open(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool {
    let object = match line {
        [b'{', ..] => line,
        // An element of an array that is printed one element a line.
        [b'[' | b',', object @ ..] if object.first() == Some(&b'{') => object,
        _ => return false,
    };
    if object.starts_with(br#"{\""#) {
        match unescape(object) {
            Some(inner) => show(Inside::Line(inner.as_bytes()), context),
            None => show(Inside::Unknown, context),
        }
        return true;
    }
    match parse(object) {
        Some(object) if object.contains_text() => show_object(&object, context, show),
        _ => show(Inside::Unknown, context),
    }
    true
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

fn show_object(object: &Object<'_>, context: &Context<'_>, show: Show<'_>) {
    let context = Context {
        at: context.at.or(object.time),
        trace: given(&object.trace).or(context.trace),
        logger: given(&object.logger).or(context.logger),
        level: object.level.as_deref().or(context.level),
    };
    if object.logger.is_some() {
        // Canton's own time is in UTC here, so that of a wrapper is not needed.
        let context = Context { at: object.time.or(context.at), ..context };
        let message = object.texts.iter().take(RECORD_KEYS).flatten().next();
        return show(message.map_or(Inside::Other, |message| Inside::Message(message)), &context);
    }
    let labels = object.contained.iter().filter(|it| it.texts.iter().all(Option::is_none));
    let context = labels.fold(context, |context, labels| Context {
        at: context.at.or(labels.time),
        trace: context.trace.or_else(|| given(&labels.trace)),
        logger: context.logger.or_else(|| given(&labels.logger)),
        level: context.level.or(labels.level.as_deref()),
    });
    for (key, text) in MESSAGE_KEYS.iter().zip(&object.texts) {
        let bare = !(object.raw && *key == RAW_LINE_KEY);
        if let Some(text) = text {
            show_text(text, bare, &context, show);
        }
    }
    for contained in &object.contained {
        show_object(contained, &context, show);
    }
}

fn given<'o>(text: &'o Option<Cow<'_, str>>) -> Option<&'o str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// Shows a string: a line, JSON in a string, or a message alone if it is `bare`.
fn show_text(text: &str, bare: bool, context: &Context<'_>, show: Show<'_>) {
    let line = text.as_bytes();
    if text.starts_with('{') || cri::prefix(line).is_some() || canton::starts_with_date(line) {
        return show(Inside::Line(line), context);
    }
    if text.starts_with('"') {
        // Not a line of its own: inside of it, a bare message is allowed where it is allowed here.
        return match serde_json::from_str::<String>(text.trim_end()) {
            Ok(inner) => show_text(&inner, bare, context, show),
            Err(_) => show(Inside::Other, context),
        };
    }
    show(if bare { Inside::Message(text) } else { Inside::Other }, context);
}

/// What was escaped once more than JSON asks for.
fn unescape(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    serde_json::from_str(&format!("\"{line}\"")).ok()
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
    fn contains_text(&self) -> bool {
        self.logger.is_some()
            || self.texts.iter().any(Option::is_some)
            || self.contained.iter().any(Object::contains_text)
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
            self.time = self.time.or_else(|| canton::utc(&text).map(LineTime::Utc));
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
