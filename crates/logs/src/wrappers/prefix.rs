//! What tools print before each line that they pass on: pod and container, service, host and program, path and number of
//! a line, time.
//!
//! There are too many tools and templates to list. A prefix is recognized by its shape: `[pod/a-0/b] ` is `[w] `, in
//! which `w` is any word. The shapes of a log are learned from its beginning, at lines that are strict in everything
//! after the prefix, and a line loses a prefix only if that has one of these shapes. A log whose lines begin with what
//! Canton wrote has none, and loses nothing.
//!
//! A user of the ledger cannot make use of it. The tool prints its prefix before a user's text too, so what precedes
//! that text has another shape: it has the words of Canton's header, or of a stack trace, behind the prefix.

use super::layer::{Context, Habits, Inside, Show};
use super::{cri, json};
use crate::canton::{self, LineTime};

/// A prefix is not longer: two names of Kubernetes, each of at most 253 characters, and what is around them.
const MAX_PREFIX_BYTES: usize = 600;
/// `2026-04-21`
const DAY_LEN: usize = 10;

/// See [`super::layer::Open`].
pub(super) fn open(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool {
    let Some((content, at)) = strip(line, context.habits) else { return false };
    if content.len() == line.len() {
        return false;
    }
    show(Inside::Line(content), &Context { at: at.or(context.at), ..*context });
    true
}

/// Returns what follows the prefix of `line`, and the point in time that the prefix contains. None if the log has no
/// prefixes, or the line has none of them. A line can be without one if that is usual in the log.
pub(crate) fn strip<'l>(line: &'l [u8], habits: &Habits) -> Option<(&'l [u8], Option<LineTime>)> {
    if habits.prefixes.is_empty() {
        return None;
    }
    starts(line).find_map(|(prefix, content)| {
        let is_known = habits.prefixes.contains(&shape(prefix));
        is_known.then(|| (content, time(prefix)))
    })
}

/// Returns the shape of what is before the line that `line` contains; empty if nothing is. None if it contains none.
pub(crate) fn learn(line: &[u8]) -> Option<String> {
    let begins = |content: &[u8]| {
        canton::read_start(content).is_some() || cri::prefix(content).is_some() || json::is_object(content)
    };
    starts(line).find(|(_, content)| begins(content)).map(|(prefix, _)| shape(prefix))
}

/// Returns what follows the prefix of a line that continues a record, and so may begin with anything.
pub(crate) fn strip_continuation<'l>(line: &'l [u8], habits: &Habits) -> &'l [u8] {
    let mut shape = Shape::default();
    let ends = head_of(line).char_indices().map(|(at, c)| {
        shape.push(c);
        (at + c.len_utf8(), habits.prefixes.contains(&shape.0))
    });
    let end = ends.into_iter().find(|(_, is_known)| *is_known).map_or(0, |(end, _)| end);
    // In range: behind a character of the head.
    &line[end..]
}

/// Returns as much of `line` as a prefix can take, without a character that is invalid or cut.
fn head_of(line: &[u8]) -> &str {
    // In range: at most the line's length.
    let head = &line[..line.len().min(MAX_PREFIX_BYTES)];
    head.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// Returns the places at which a line may start in `line`: what is before each, and the rest. No line starts inside of an
/// object: its texts are a user's.
fn starts(line: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let head = head_of(line);
    let bytes = head.as_bytes();
    let mut is_in_object = false;
    (0..bytes.len())
        .map_while(move |at| {
            if is_in_object {
                return None;
            }
            // In range: a place in the head, which is the start of the line, or behind one.
            let begins = match bytes[at] {
                b'{' => {
                    is_in_object = line[at + 1..].trim_ascii_start().first() == Some(&b'"');
                    is_in_object
                }
                b'0'..=b'9' => (at == 0 || !bytes[at - 1].is_ascii_digit()) && is_day(&bytes[at..]),
                _ => false,
            };
            Some(begins.then(|| (&head[..at], &line[at..])))
        })
        .flatten()
}

fn is_day(text: &[u8]) -> bool {
    let Some(day) = text.get(..DAY_LEN) else { return false };
    day.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    })
}

/// The shape of a prefix: each word as `w`, white space as one space, all else as it is.
#[derive(Default)]
struct Shape(String);

impl Shape {
    fn push(&mut self, c: char) {
        let c = match c {
            c if c.is_whitespace() => ' ',
            '-' | '_' | '.' | '/' | '@' | '+' | '%' | '#' | '~' | '*' => 'w',
            c if c.is_alphanumeric() || !c.is_ascii() => 'w',
            c => c,
        };
        if !(matches!(c, 'w' | ' ') && self.0.ends_with(c)) {
            self.0.push(c);
        }
    }
}

fn shape(prefix: &str) -> String {
    let mut shape = Shape::default();
    prefix.chars().for_each(|c| shape.push(c));
    shape.0
}

/// Returns the first point in time that is a word of `prefix`, or several of its words.
fn time(prefix: &str) -> Option<LineTime> {
    let is_edge = |c: char| c.is_whitespace() || matches!(c, '[' | ']' | '(' | ')' | '"' | '|' | '=' | ',');
    let words: Vec<&str> = prefix.split(is_edge).filter(|word| !word.is_empty()).collect();
    // Date, time and zone can be words of their own.
    let at = (0..words.len()).find_map(|first| {
        let several = (first + 1..=words.len().min(first + 3)).find_map(|end| {
            // In range: `first` is before `end`, which is at most the number of words.
            canton::utc(&words[first..end].join(" "))
        });
        // In range: see above.
        several.or_else(|| canton::epoch(words[first]))
    });
    at.map(LineTime::Utc)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LINES: [&str; 3] = [
        r#"{"message":"m","logger_name":"c.d.X"}"#,
        "2026-04-21 22:01:04,120 [t] INFO  c.d.X - y",
        "2026-04-21T22:01:04.120Z stdout F text",
    ];

    #[test]
    fn the_prefixes_of_many_tools() {
        for (prefix, expected) in [
            ("", ""),
            ("[pod/participant-0-6d9f/participant] ", "[w] "),
            ("participant-0-6d9f participant ", "w w "),
            ("participant-1  | ", "w | "),
            ("sv.1.abc@node-7    | ", "w | "),
            ("/var/log/canton/participant.log:1000:", "w:w:"),
            ("17:", "w:"),
            ("<14>1 2026-04-21T22:01:04.120Z sv-node-7 canton 2291 - - ", "<w>w w:w:w w w w w w "),
            ("Apr 21 22:05:04 sv-node-7 canton[2291]: ", "w w w:w:w w w[w]: "),
            ("Apr  1 22:05:04 sv-node-7 canton[2291]: ", "w w w:w:w w w[w]: "),
            ("2026-04-21T22:01:04Z {app=\"participant\"} ", "w:w:w {w=\"w\"} "),
            ("MESSAGE=", "w="),
        ] {
            for line in LINES {
                assert_eq!(
                    learn(format!("{prefix}{line}").as_bytes()).as_deref(),
                    Some(expected),
                    "{prefix}"
                );
            }
            let habits = Habits { prefixes: vec![expected.to_owned()], ..Habits::default() };
            let line = format!("{prefix}{}", LINES[0]);
            assert_eq!(strip(line.as_bytes(), &habits).unwrap().0, LINES[0].as_bytes(), "{prefix}");
            let continued = format!("{prefix}  remote=");
            assert_eq!(
                strip_continuation(continued.as_bytes(), &habits).trim_ascii(),
                b"remote=",
                "{prefix}"
            );
            let other = format!("{prefix}x y: {}", LINES[0]);
            assert_eq!(strip(other.as_bytes(), &habits), None, "{prefix}");
        }
    }

    #[test]
    fn times_in_prefixes() {
        let at = Some(LineTime::Utc("2026-04-21T22:01:04.120Z".parse().unwrap()));
        for prefix in [
            "[pod/a/b] 2026-04-21T22:01:04.120000000Z ",
            "2026-04-21 22:01:04.120 +0000 host ",
            "a [2026-04-22T00:01:04.120+0200] ",
            "1776808864.120 host canton[1]: ",
        ] {
            assert_eq!(time(prefix), at, "{prefix}");
        }
        assert_eq!(time("Apr 21 22:01:04 host canton[1]: "), None);
    }

    #[test]
    fn what_contains_no_line() {
        let in_object = format!(r#"{{"message":"{}"#, LINES[1]);
        for line in ["", "text", "{", "{}", "a {b", "2026-04-21", &in_object, &"x".repeat(10_000)] {
            assert_eq!(learn(line.as_bytes()), None, "{line}");
        }
    }
}
