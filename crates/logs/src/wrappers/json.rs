//! Objects of JSON: Canton's own records, docker's lines, and the exports of log platforms. A row of a table is read as
//! an object whose keys are the names of the columns.
//!
//! An object that names its logger is Canton's record: its `message` is the message, its `remote` is the remote
//! commitment of a mismatch, and nothing else in it counts. Any other object is walked for what it wraps:
//!
//! * Under a message's key is a line, a string that contains one, or a message alone.
//! * Under any key can be objects and arrays, and strings that are whole lines. If there is a text under a message's key,
//!   only the objects under [`CONTAINERS`] count: fields that a platform took out of a message can contain what a user
//!   wrote. A line of the processor elsewhere is shown as unknown, so that it is not dropped without a word.
//! * The logger, the time and the trace of a message can be in objects beside it or around it.
//!
//! Keys are compared by their last part, in lower case and without marks: `jsonPayload.logger_name`, `@message` and
//! `LogMessage` are `loggername`, `message` and `logmessage`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::layer::{Context, Inside, Show};
use super::{cri, prefix};
use crate::canton::{self, LineTime};

/// The keys of objects in which platforms put the record, or what belongs to it.
const CONTAINERS: [&str; 14] = [
    "jsonpayload",
    "source",
    "result",
    "attributes",
    "fields",
    "labels",
    "content",
    "body",
    "event",
    "log",
    "message",
    "logprocessed",
    "json",
    "parsed",
];
/// The key of Canton's logger, without marks. A platform that keeps loggers of its own calls them otherwise.
const CANTONS_LOGGER: &str = "loggername";
/// Objects whose `name` is the logger's.
const LOGGER_OBJECTS: [&str; 2] = ["logger", "scope"];
/// A table inside of a document: names of columns, and arrays of cells.
const COLUMNS: &str = "columns";
const ROWS: &str = "rows";
/// One member of an object, written as an object: `{"field":"@message","value":"…"}`.
const NAMES: [&str; 3] = ["field", "key", "name"];
const VALUE: &str = "value";
/// OpenTelemetry's object around a string.
const STRING_VALUE: &str = "stringvalue";
/// Objects in objects in which the logger of a message beside them is looked for.
const MAX_LABEL_DEPTH: u32 = 4;
/// Docker and kubelet split a line after this many bytes. A character that is cut there becomes another one, which may
/// be two bytes longer or shorter.
const PIECE_BYTES: std::ops::RangeInclusive<usize> = 16 * 1024 - 6..=16 * 1024 + 6;

/// See [`super::layer::Open`]. A comma after the value is allowed, the bracket of an array around it that is printed one
/// element a line, and another value right after it.
pub(super) fn open(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool {
    let values = match line {
        [b'{', ..] => line,
        [b'[' | b',', object @ ..] if object.first() == Some(&b'{') => match line.strip_prefix(b"[") {
            Some(_) if line.ends_with(b"]") => line,
            _ => object,
        },
        [b'[', inner @ ..] if matches!(inner.trim_ascii_start().first(), Some(b'"' | b'[' | b'{')) => line,
        _ => return false,
    };
    if values.starts_with(br"{\") {
        match unescape(values) {
            Some(inner) => show(Inside::Line(inner.as_bytes()), context),
            None => show(Inside::Unknown(line), context),
        };
        return true;
    }
    let values = values.trim_ascii();
    let values = match values {
        [b'{', .., b']'] | [.., b','] => &values[..values.len() - 1],
        _ => values,
    };
    match simdutf8::basic::from_utf8(values) {
        Ok(values) => open_values(values, context, show),
        // A byte that is not UTF-8, in some text or other, must not cost the record.
        Err(_) => open_values(&String::from_utf8_lossy(values), context, show),
    }
}

/// Shows what is in the consecutive values of `text`. Returns whether it begins with one, or is an object that is cut.
fn open_values(text: &str, context: &Context<'_>, show: Show<'_>) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Json<'_>>();
    let mut is_first = true;
    loop {
        let at = values.byte_offset();
        match values.next() {
            None => return true,
            Some(Ok(value)) => {
                walk(&value, context, show);
            }
            // What begins with a bracket can be a line of text.
            Some(Err(_)) if is_first && text.starts_with('[') => return false,
            Some(Err(_)) => {
                // In range: the place of a value's end, or zero.
                show(Inside::Unknown(&text.as_bytes()[at..]), context);
                return true;
            }
        }
        is_first = false;
    }
}

/// Shows what is in a row of a table, whose columns have `names`; a cell beyond them has none.
pub(crate) fn open_row(names: &[String], cells: &[Cow<'_, str>], context: &Context<'_>, show: Show<'_>) {
    let names = names.iter().map(String::as_str).chain(std::iter::repeat(""));
    let members =
        names.zip(cells).map(|(name, cell)| (Cow::Borrowed(name), Json::Text(Cow::Borrowed(&**cell))));
    walk_object(&members.collect::<Vec<_>>(), context, show);
}

/// Whether `line` begins with an object that has members.
pub(crate) fn is_object(line: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(line).into_iter::<Json<'_>>();
    matches!(values.next(), Some(Ok(Json::Object(members))) if !members.is_empty())
}

/// Whether the text in `line` is a piece of a split line that the next line continues: as long as pieces are, and not
/// complete.
pub(crate) fn continues_piece(line: &[u8]) -> bool {
    let Ok(Json::Object(members)) = serde_json::from_slice::<Json<'_>>(line) else { return false };
    members.iter().any(|(_, value)| match value {
        Json::Text(text) => {
            let is_whole = || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            PIECE_BYTES.contains(&text.len()) && !text.ends_with('\n') && !is_whole()
        }
        _ => false,
    })
}

/// Shows what is in `value`. Returns whether it was a statement about a commitment.
fn walk(value: &Json<'_>, context: &Context<'_>, show: Show<'_>) -> bool {
    match value {
        Json::Object(members) => walk_object(members, context, show),
        Json::Array(values) => walk_array(values, context, show),
        Json::Text(text) if is_line(text, context) => show_line(text, context, show),
        Json::Text(text) => show(Inside::Text(text), context),
        Json::Integer(_) | Json::Float(_) | Json::Other => false,
    }
}

/// Each element is a record of its own, except that a line can follow its time.
fn walk_array(values: &[Json<'_>], context: &Context<'_>, show: Show<'_>) -> bool {
    let first = values.first().and_then(time).filter(|_| values.len() > 1);
    let context = Context { at: first.or(context.at), ..*context };
    let mut is_ours = false;
    for value in values {
        is_ours |= walk(value, &context, show);
    }
    is_ours
}

/// What a key is to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It holds a wrapped line or message; the smaller, the likelier.
    Message(u8),
    Logger,
    Trace,
    Time,
    Level,
    Remote,
    Other,
}

/// The role of a container's raw line. A message alone there is not one that lost its logger, but the second line of a
/// user's text.
const RAW_LINE: Role = Role::Message(3);
/// Keys that show beside a raw line that it is one.
const RAW_LINE_COMPANIONS: [&str; 4] = ["stream", "source", "container_name", "container_id"];

impl Role {
    fn of(key: &str) -> Role {
        match key {
            // Canton's own, which most lines have, need no further look.
            "message" => return Role::Message(0),
            "logger_name" => return Role::Logger,
            "@timestamp" => return Role::Time,
            "level" => return Role::Level,
            "trace-id" => return Role::Trace,
            "remote" => return Role::Remote,
            "thread_name" | "span-id" | "level_value" | "@version" | "stream" => return Role::Other,
            _ => {}
        }
        let first = |at: u8| Role::Message(at);
        match &*plain(key) {
            "message" => first(0),
            "msg" => first(1),
            "line" => first(2),
            "log" => RAW_LINE,
            "textpayload" => first(4),
            "raw" => first(5),
            "body" => first(6),
            "content" => first(7),
            "event" => first(8),
            "logmessage" | "logentry" | "logline" | "logevent" | "eventmessage" | "syslogmessage" => first(9),
            "text" | "rawdata" | "rawlog" | "fullmessage" | "shortmessage" => first(10),
            "loggername" | "logger" | "loglogger" => Role::Logger,
            "traceid" => Role::Trace,
            "timestamp"
            | "time"
            | "ts"
            | "receivetimestamp"
            | "timegenerated"
            | "timeunixnano"
            | "eventtime"
            | "realtimetimestamp"
            | "date"
            | "datetime"
            | "observedtimeunixnano"
            | "ingestiontime" => Role::Time,
            "severity" | "severitytext" => Role::Level,
            "remote" => Role::Remote,
            _ if is_logger_path(key) => Role::Logger,
            _ => Role::Other,
        }
    }

    fn is_message(self) -> bool {
        matches!(self, Role::Message(_))
    }
}

/// What the members of one object say about a message in it.
#[derive(Default)]
struct Facts<'a> {
    logger: Option<&'a str>,
    at: Option<LineTime>,
    trace: Option<&'a str>,
    level: Option<&'a str>,
    remote: Option<&'a str>,
    /// Texts under messages' keys, the likeliest first.
    texts: Vec<(Role, &'a str)>,
    is_raw: bool,
    /// Whether the logger is under the key that only Canton writes.
    is_cantons: bool,
    /// Whether one key of these occurs twice.
    is_ambiguous: bool,
}

impl<'a> Facts<'a> {
    fn of(members: &'a [(Cow<'_, str>, Json<'_>)]) -> Facts<'a> {
        let mut facts = Facts::default();
        for (nth, (key, value)) in members.iter().enumerate() {
            let role = Role::of(key);
            facts.is_raw |= RAW_LINE_COMPANIONS.contains(&&**key);
            if role == Role::Time {
                facts.at = facts.at.or_else(|| time(value));
            }
            let Json::Text(text) = value else { continue };
            let text = Some(&**text).filter(|text| !text.is_empty());
            match role {
                Role::Message(_) => facts.texts.extend(text.map(|text| (role, text))),
                Role::Logger => {
                    facts.logger = facts.logger.or(text.filter(|text| is_class(text)));
                    facts.is_cantons |= plain(key) == CANTONS_LOGGER;
                }
                Role::Trace => facts.trace = facts.trace.or(text),
                Role::Level => facts.level = facts.level.or(text),
                Role::Remote => facts.remote = facts.remote.or(text),
                Role::Time | Role::Other => {}
            }
            // Only Canton writes these keys, and once.
            facts.is_ambiguous |= (role.is_message() || role == Role::Logger)
                && members.iter().take(nth).any(|(earlier, _)| earlier == key);
        }
        facts.texts.sort_by_key(|(role, _)| match role {
            Role::Message(place) => *place,
            _ => u8::MAX,
        });
        facts
    }
}

fn walk_object(members: &[(Cow<'_, str>, Json<'_>)], context: &Context<'_>, show: Show<'_>) -> bool {
    let facts = Facts::of(members);
    if facts.is_ambiguous {
        let mut is_ours = false;
        for (_, text) in &facts.texts {
            is_ours |= show(Inside::Unknown(text.as_bytes()), context);
        }
        return is_ours;
    }
    if facts.logger.is_some() && (facts.is_cantons || !facts.texts.is_empty()) {
        let own = Context {
            // Canton's own time is in UTC here, so that of a wrapper is not needed.
            at: facts.at.or(context.at),
            trace: facts.trace.or(context.trace),
            logger: facts.logger,
            level: facts.level.or(context.level),
            remote: facts.remote,
            around: context.logger.or(context.around),
            ..*context
        };
        return match facts.texts.first() {
            // Either the logger is a platform's, or a user wrote the line: nobody can tell.
            Some((_, text)) if !facts.is_cantons && is_line(text, context) => {
                show(Inside::Unknown(text.as_bytes()), &own)
            }
            Some((_, text)) => show(Inside::Message(text), &own),
            None => show(Inside::Text(""), &own),
        };
    }
    let own = Context {
        at: context.at.or(facts.at),
        trace: facts.trace.or(context.trace),
        level: facts.level.or(context.level),
        remote: facts.remote.or(context.remote),
        ..*context
    };
    let own = labels(members, MAX_LABEL_DEPTH, own);
    for (role, text) in &facts.texts {
        if show_text(text, !(facts.is_raw && *role == RAW_LINE), &own, show) {
            return true;
        }
    }
    let has_message = !facts.texts.is_empty();
    let mut is_ours = walk_table(members, &own, show);
    for (key, value) in members {
        let plain = plain(key);
        match value {
            // Under a message's key it has been shown.
            Json::Text(_) if Role::of(key).is_message() => {}
            Json::Text(text) if has_message && is_line(text, context) => {
                show(Inside::Unknown(text.as_bytes()), &own);
            }
            Json::Text(_) if has_message => {}
            Json::Array(_) if plain == ROWS => {}
            value if !has_message || CONTAINERS.contains(&&*plain) => is_ours |= walk(value, &own, show),
            _ => {}
        }
    }
    is_ours
}

/// Shows the rows of a table in an object: `{"columns":[{"name":"LogMessage"}],"rows":[["…"]]}`.
fn walk_table(members: &[(Cow<'_, str>, Json<'_>)], context: &Context<'_>, show: Show<'_>) -> bool {
    let array = |name: &str| {
        members.iter().find_map(|(key, value)| match value {
            Json::Array(values) if plain(key) == name => Some(values),
            _ => None,
        })
    };
    let names: Vec<&str> = array(COLUMNS).into_iter().flatten().map(column_name).collect();
    let mut is_ours = false;
    for row in array(ROWS).into_iter().flatten() {
        is_ours |= match row {
            Json::Array(cells) => {
                let names = names.iter().copied().chain(std::iter::repeat(""));
                let row: Vec<_> =
                    names.zip(cells).map(|(name, cell)| (Cow::Borrowed(name), cell.clone())).collect();
                walk_object(&row, context, show)
            }
            // A row of one cell.
            Json::Text(_) => {
                let name = names.first().copied().unwrap_or_default();
                walk_object(&[(Cow::Borrowed(name), row.clone())], context, show)
            }
            row => walk(row, context, show),
        };
    }
    is_ours
}

fn column_name<'v>(column: &'v Json<'_>) -> &'v str {
    match column {
        Json::Text(name) => name,
        Json::Object(members) => member(members, &["name", "columnname"]).unwrap_or_default(),
        _ => "",
    }
}

/// Returns the first text under one of `keys`.
fn member<'v>(members: &'v [(Cow<'_, str>, Json<'_>)], keys: &[&str]) -> Option<&'v str> {
    members.iter().find_map(|(key, value)| match value {
        Json::Text(text) if keys.contains(&&*plain(key)) => Some(&**text),
        _ => None,
    })
}

/// Adds to `context` what the objects among `members` say about a message beside them.
fn labels<'c>(members: &'c [(Cow<'_, str>, Json<'_>)], depth: u32, context: Context<'c>) -> Context<'c> {
    let Some(depth) = depth.checked_sub(1) else { return context };
    members.iter().fold(context, |context, (key, value)| {
        let Json::Object(inner) = value else { return context };
        let facts = Facts::of(inner);
        // An object with a message of its own belongs to that.
        if !facts.texts.is_empty() || facts.is_ambiguous {
            return context;
        }
        let name = || member(inner, &["name"]).filter(|text| is_class(text));
        let named = LOGGER_OBJECTS.contains(&&*plain(key)).then(name).flatten();
        let context = Context {
            at: context.at.or(facts.at),
            trace: context.trace.or(facts.trace),
            logger: context.logger.or(facts.logger).or(named),
            level: context.level.or(facts.level),
            remote: context.remote.or(facts.remote),
            ..context
        };
        labels(inner, depth, context)
    })
}

/// Returns what identifies a key: its last part, in lower case, without marks.
fn plain(key: &str) -> Cow<'_, str> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    if is_plain(key) {
        return Cow::Borrowed(key);
    }
    let last = key.rsplit('.').next().unwrap_or(key);
    // A column can name its unit or zone: `TimeGenerated [UTC]`.
    let last = last.split_once([' ', '[', '(']).map_or(last, |(name, _)| name);
    Cow::Owned(last.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect())
}

/// Whether the last two parts of a key name a logger: `scope.name`.
fn is_logger_path(key: &str) -> bool {
    let mut parts = key.rsplit('.');
    let is_name = parts.next().is_some_and(|last| last.eq_ignore_ascii_case("name"));
    is_name && parts.next().is_some_and(|object| LOGGER_OBJECTS.contains(&&*plain(object)))
}

/// Whether `text` can be a logger of Canton's, which has the packages of a class or its parameters. A platform's own
/// `logger` is a plain word.
fn is_class(text: &str) -> bool {
    text.contains(['.', ':']) && !text.contains(char::is_whitespace) || text.contains(":participant=")
}

/// Returns the point in time in `value`.
fn time(value: &Json<'_>) -> Option<LineTime> {
    let at = match value {
        Json::Text(text) => canton::utc(text).or_else(|| canton::epoch(text)),
        Json::Integer(number) => canton::epoch(&number.to_string()),
        Json::Float(number) => canton::epoch(&number.to_string()),
        _ => None,
    };
    at.map(LineTime::Utc)
}

/// Whether `text` is a whole line rather than a message.
fn is_line(text: &str, context: &Context<'_>) -> bool {
    let line = text.as_bytes();
    // Colours precede the date, or are inside of the header: a line's reader takes them off.
    text.starts_with(['{', '\u{1b}'])
        || cri::prefix(line).is_some()
        || canton::starts_with_date(line)
        || prefix::strip(line, context.habits).is_some()
}

fn show_line(text: &str, context: &Context<'_>, show: Show<'_>) -> bool {
    // A logger beside the line must be the line's own.
    let around = context.logger.or(context.around);
    show(Inside::Line(text.as_bytes()), &Context { logger: None, around, in_text: true, ..*context })
}

/// Shows a string: a line, JSON in a string, or a message alone if it can be `bare`.
fn show_text(text: &str, bare: bool, context: &Context<'_>, show: Show<'_>) -> bool {
    if is_line(text, context) {
        return show_line(text, context, show);
    }
    if text.starts_with('"') {
        // Not a line of its own: inside of it, a bare message is allowed if it is allowed here.
        return match serde_json::from_str::<String>(text.trim_end()) {
            Ok(inner) => show_text(&inner, bare, context, show),
            Err(_) => show(Inside::Text(text), context),
        };
    }
    show(if bare { Inside::Message(text) } else { Inside::Text(text) }, context)
}

/// Unescapes what was escaped once more than JSON requires.
fn unescape(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    serde_json::from_str(&format!("\"{line}\"")).ok()
}

/// A value of JSON. What no message can be in is not kept.
#[derive(Clone, Debug)]
enum Json<'a> {
    /// A string, or an array of bytes that is one.
    Text(Cow<'a, str>),
    Integer(u64),
    Float(f64),
    /// Members in order.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
    Array(Vec<Json<'a>>),
    Other,
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(number))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element()? {
            values.push(value);
        }
        // The journal prints a message that is not plain text as an array of its bytes.
        let bytes: Option<Vec<u8>> = values.iter().map(byte).collect();
        if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) {
            return Ok(Json::Text(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())));
        }
        // Elasticsearch prints the value of a field as an array of one.
        if let [Json::Text(_)] = values.as_slice()
            && let Some(text) = values.pop()
        {
            return Ok(text);
        }
        Ok(members(&values).map_or(Json::Array(values), Json::Object))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = entries.next_key()? {
            members.push((key, entries.next_value()?));
        }
        if let [(key, Json::Text(_))] = members.as_slice()
            && plain(key) == STRING_VALUE
            && let Some((_, text)) = members.pop()
        {
            return Ok(text);
        }
        Ok(Json::Object(members))
    }
}

fn byte(value: &Json<'_>) -> Option<u8> {
    match value {
        Json::Integer(number) => u8::try_from(*number).ok(),
        _ => None,
    }
}

/// Returns the members of an object that is written as an array of names and values.
fn members<'a>(values: &[Json<'a>]) -> Option<Vec<(Cow<'a, str>, Json<'a>)>> {
    let member = |value: &Json<'a>| {
        let Json::Object(pair) = value else { return None };
        let (mut name, mut content) = (None, None);
        for (key, value) in pair {
            match (&*plain(key), value) {
                (VALUE, value) => content = Some(value.clone()),
                (key, Json::Text(text)) if NAMES.contains(&key) => name = Some(text.clone()),
                _ => return None,
            }
        }
        Some((name?, content?))
    };
    Some(values.iter().map(member).collect::<Option<Vec<_>>>()?).filter(|members| !members.is_empty())
}

/// A key, borrowed if it has no escapes.
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
