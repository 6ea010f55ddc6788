//! The objects in which docker's json-file driver keeps a container's output: `{"log":"…\n","stream":"stdout",…}`.
//!
//! Docker splits lines at 16 KiB. All pieces except the last lack the line break at their end; nothing else marks them.
//! A piece is not a line: a user's text can be long enough for its second piece to begin with whatever the user likes.
//!
//! The object itself is opened like any other: see [`super::json`].

use super::cri::Stream;

const START: &[u8] = br#"{"log":""#;
/// What follows the text, in the order in which docker writes the members. The text cannot contain it, because every
/// quote in the text is escaped.
const AFTER_TEXT: &[u8] = br#"","stream":"std"#;
/// Docker splits at this length of the text; escapes only make it longer.
const PIECE_BYTES: usize = 16 * 1024;

/// Returns the container's output that `line` came from, if the line is docker's.
pub(crate) fn stream(line: &[u8]) -> Option<Stream> {
    match split(line)? {
        (_, [b'o', b'u', b't', ..]) => Some(Stream::Out),
        (_, [b'e', b'r', b'r', ..]) => Some(Stream::Err),
        _ => None,
    }
}

/// Whether docker continues `line` in the next line of its stream.
pub(crate) fn is_continued(line: &[u8]) -> bool {
    split(line).is_some_and(|(text, _)| {
        let backslashes = text
            .strip_suffix(b"n")
            .map_or(0, |text| text.iter().rev().take_while(|byte| **byte == b'\\').count());
        text.len() >= PIECE_BYTES && backslashes % 2 == 0
    })
}

/// Returns the text of a line, still escaped, and what follows [`AFTER_TEXT`].
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(START)?;
    let end = memchr::memmem::rfind(rest, AFTER_TEXT)?;
    // In range: the text ends where `AFTER_TEXT` was found.
    Some((&rest[..end], &rest[end + AFTER_TEXT.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, stream: &str) -> Vec<u8> {
        let text = serde_json::Value::from(text);
        format!(r#"{{"log":{text},"stream":"{stream}","time":"2026-04-21T21:25:07.2Z"}}"#).into_bytes()
    }

    #[test]
    fn streams() {
        assert_eq!(stream(&line("x\n", "stdout")), Some(Stream::Out));
        assert_eq!(stream(&line("x\n", "stderr")), Some(Stream::Err));
        assert_eq!(stream(&line(r#"","stream":"stdout"#, "stderr")), Some(Stream::Err));
        for other in ["", "{}", r#"{"log":"x"}"#, r#"{"message":"x","stream":"stdout"}"#] {
            assert_eq!(stream(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn only_a_full_piece_without_a_line_break_is_continued() {
        let long = "x".repeat(PIECE_BYTES);
        assert!(is_continued(&line(&long, "stdout")));
        assert!(
            is_continued(&line(&format!("{long}\\n"), "stdout")),
            "a backslash and an n are no line break"
        );
        assert!(is_continued(&line(&format!("{long}\nn"), "stdout")));
        assert!(!is_continued(&line(&format!("{long}\n"), "stdout")));
        assert!(!is_continued(&line(&format!("{long}\\\n"), "stdout")));
        assert!(!is_continued(&line("x", "stdout")), "a platform that drops line breaks does not split");
    }
}
