//! The objects in which docker's json-file driver keeps a container's output: `{"log":"…\n","stream":"stdout",…}`.
//!
//! Docker splits what is longer than 16 KiB. Nothing marks the pieces but that all of them except the last lack the
//! line break at their end. A piece is no line: a user's text can be long enough for its second piece to begin with
//! whatever the user likes.

use super::Stream;

const START: &[u8] = br#"{"log":""#;
/// What follows the text, in the order in which docker writes the members. It cannot stand inside of the text, where
/// every quote is escaped.
const BEHIND_TEXT: &[u8] = br#"","stream":"std"#;
/// Docker splits where the text has this length, and escapes only add to it.
const PIECE_BYTES: usize = 16 * 1024;

/// Which output of the container `line` came from, where it is docker's.
pub fn stream(line: &[u8]) -> Option<Stream> {
    let (_, behind) = split(line)?;
    match behind.get(..3)? {
        b"out" => Some(Stream::Out),
        b"err" => Some(Stream::Err),
        _ => None,
    }
}

/// Whether docker goes on with `line` in the next one of its stream.
pub fn is_continued(line: &[u8]) -> bool {
    split(line).is_some_and(|(text, _)| {
        let backslashes = text
            .strip_suffix(b"n")
            .map_or(0, |text| text.iter().rev().take_while(|byte| **byte == b'\\').count());
        text.len() >= PIECE_BYTES && backslashes % 2 == 0
    })
}

/// The text of a line, its escapes as they are, and what stands behind [`BEHIND_TEXT`].
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(START)?;
    let end = memchr::memmem::rfind(rest, BEHIND_TEXT)?;
    Some((rest.get(..end)?, rest.get(end + BEHIND_TEXT.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, stream: &str) -> Vec<u8> {
        let text = serde_json::to_string(text).unwrap_or_default();
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
