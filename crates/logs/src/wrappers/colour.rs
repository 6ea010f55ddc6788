//! The codes that tell a terminal colours, or to erase a line: `ESC [ … letter`, and `ESC ] … BEL` for its title.
//!
//! Logback colours levels, `docker compose` its prefixes, `grep` what it found, and one release of compose erases the
//! line before each.

use super::layer::{Context, Inside, Show};

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// See [`super::layer::Open`].
pub(super) fn open(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool {
    if memchr::memchr(ESCAPE, line).is_none() {
        return false;
    }
    let mut without = Vec::with_capacity(line.len());
    Codes::default().remove(line, &mut without);
    let is_changed = without.len() != line.len();
    if is_changed {
        show(Inside::Line(&without), context);
    }
    is_changed
}

/// Removes codes from text that arrives in parts.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After an escape.
    Begun,
    /// In the parameters of a code.
    Parameters,
    /// In a title, which a bell ends, or an escape and a backslash.
    Title,
}

impl Codes {
    /// Appends `text` without its codes to `without`.
    pub(crate) fn remove(&mut self, text: &[u8], without: &mut Vec<u8>) {
        let mut rest = text;
        while let Some(&first) = rest.first() {
            if self.state == State::Text {
                let end = memchr::memchr(ESCAPE, rest).unwrap_or(rest.len());
                let (before, code) = rest.split_at(end);
                without.extend_from_slice(before);
                let Some((_escape, after)) = code.split_first() else { break };
                (rest, self.state) = (after, State::Begun);
                continue;
            }
            // A line's end ends every code: a truncated one must not hide the next line.
            if matches!(first, b'\n' | 0) {
                self.state = State::Text;
                continue;
            }
            // It has a first byte.
            rest = &rest[1..];
            self.state = match (self.state, first) {
                (State::Begun, b'[') => State::Parameters,
                (State::Begun, b']') => State::Title,
                // One more byte, as in the choice of a character set: `ESC ( B`.
                (State::Begun, b' '..=b'/') => State::Begun,
                (State::Begun, _) => State::Text,
                (State::Parameters, b' '..=b'?') => State::Parameters,
                (State::Parameters, _) => State::Text,
                (State::Title, BELL) => State::Text,
                (State::Title, ESCAPE) => State::Begun,
                (state, _) => state,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(parts: &[&str]) -> String {
        let mut codes = Codes::default();
        let mut text = Vec::new();
        parts.iter().for_each(|part| codes.remove(part.as_bytes(), &mut text));
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn codes_in_parts_of_any_size() {
        for (line, text) in [
            ("a\u{1b}[34mINFO \u{1b}[0;39mb", "aINFO b"),
            ("\u{1b}[2K{", "{"),
            ("\u{1b}[01;31m\u{1b}[Kfound\u{1b}[m\u{1b}[K", "found"),
            ("\u{1b}]0;title\u{7}a\u{1b}]0;title\u{1b}\\b", "ab"),
            ("\u{1b}(Bx", "x"),
            ("\u{1b}[12\nnext", "\nnext"),
            ("x\u{1b}", "x"),
        ] {
            assert_eq!(without(&[line]), text, "{line:?}");
            for cut in (0..line.len()).filter(|cut| line.is_char_boundary(*cut)) {
                let (first, second) = line.split_at(cut);
                assert_eq!(without(&[first, second]), text, "{line:?} cut at {cut}");
            }
        }
    }
}
