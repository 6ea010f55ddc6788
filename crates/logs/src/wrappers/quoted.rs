//! A line as a string of JSON, as `jq .line` prints it without `-r`. A comma after it is allowed.

use super::layer::{Context, Inside, Show};

/// See [`super::layer::Open`].
pub(super) fn open(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool {
    let Some(inner) = content(line) else { return false };
    show(Inside::Line(inner.as_bytes()), context);
    true
}

/// Whether `line` is a string of JSON and nothing else.
pub(crate) fn is_quoted(line: &[u8]) -> bool {
    content(line).is_some()
}

fn content(line: &[u8]) -> Option<String> {
    let string = line.trim_ascii();
    if string.first() != Some(&b'"') {
        return None;
    }
    serde_json::from_slice(string.strip_suffix(b",").unwrap_or(string)).ok()
}
