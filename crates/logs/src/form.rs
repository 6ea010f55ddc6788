//! Detects from the beginning of a log how its elements are divided, and what its lines have in common.
//!
//! Both decide what the whole log says, so they are learned from lines that are strict in everything else, and a form
//! that only some lines have is not learned: a line that a user of the ledger wrote is one of many.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::canton;
use crate::documents;
use crate::line::{self, Element};
use crate::lines::lines_from;
use crate::table::{self, Dialect};
use crate::wrappers::{Codes, Habits, Inside, Texts, continues_piece, cri, docker, prefix};

/// Lines of the head that are looked at.
const MAX_SAMPLE: usize = 200;
/// Prefixes inside of prefixes and of texts.
const MAX_ROUNDS: usize = 3;
/// The share of the lines that must have a prefix, in percent, if most have another one; and if most have none, or to have
/// none, because then something other than a tool may have printed it.
const MIN_SHARE: usize = 10;
const MIN_SHARE_BESIDE_NONE: usize = 40;
/// Whole lines in texts from which on a message alone is not credible.
const MIN_LINES: u32 = 3;
/// How many times more frequent the one must be than the other.
const CLEARLY: u32 = 2;
/// A line with a piece of a split line in an object is longer.
const PIECE_BYTES: usize = 16 * 1024;
/// Numbers from which on an array of small numbers is one of bytes.
const MIN_BYTES: usize = 8;

/// How a log is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    pub(crate) layout: Layout,
    pub(crate) habits: Arc<Habits>,
    /// Whether codes for a terminal are inside of the phrases, as `grep` highlights them.
    pub(crate) is_highlighted: bool,
    /// Whether texts can be arrays of their bytes, as the journal prints them.
    pub(crate) has_byte_arrays: bool,
}

/// How a log is divided into elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Layout {
    #[default]
    Lines,
    /// A document of JSON.
    Document,
    Table(Dialect),
}

impl Form {
    /// Detects the form of the log that begins with `head`, which is [`documents::HEAD_BYTES`] long, or the whole log.
    pub(crate) fn of(head: &[u8]) -> Form {
        let mut plain = Vec::new();
        Codes::default().remove(head, &mut plain);
        let is_highlighted = plain.len() != head.len() && phrases(&plain) > phrases(head);
        let head = if is_highlighted { plain.as_slice() } else { head };
        let has_byte_arrays =
            memchr::memmem::find(head, b"__REALTIME_TIMESTAMP").is_some() || contains_byte_array(head);
        let layout = match documents::is_document(head) {
            true => Layout::Document,
            false => Dialect::detect(head).map_or(Layout::Lines, Layout::Table),
        };
        let habits = match &layout {
            Layout::Lines => {
                let lines = whole_lines(head);
                learn(|show| lines.iter().map(|line| Element::Line(line)).for_each(show))
            }
            Layout::Document => {
                let objects = documents::sample(head);
                learn(|show| objects.iter().map(|object| Element::Line(object)).for_each(show))
            }
            Layout::Table(dialect) => learn(|show| table::sample(dialect, head, show)),
        };
        Form { layout, habits: Arc::new(habits), is_highlighted, has_byte_arrays }
    }

    /// Whether the log can only be read from its start.
    pub(crate) fn needs_order(&self) -> bool {
        self.layout != Layout::Lines || self.is_highlighted
    }
}

/// Returns the first lines of `head` that are not pieces of split ones. What a piece begins with, a user may have chosen.
fn whole_lines(head: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut continued = [false, false];
    let mut before: &[u8] = b"";
    for (_, line) in lines_from(head, 0).take(MAX_SAMPLE) {
        let is_piece = match cri::prefix(line) {
            Some(prefix) => {
                let continued = &mut continued[usize::from(prefix.stream == cri::Stream::Err)];
                std::mem::replace(continued, prefix.partial) || prefix.partial
            }
            None => docker::is_continued(before) || before.len() >= PIECE_BYTES && continues_piece(before),
        };
        before = line;
        if !is_piece {
            lines.push(line);
        }
    }
    lines
}

fn phrases(text: &[u8]) -> usize {
    let count = |phrase: &str| memchr::memmem::find_iter(text, phrase).count();
    count(canton::MATCH_NEEDLE) + count(canton::MISMATCH_NEEDLE)
}

/// Whether `text` contains an array of at least [`MIN_BYTES`] numbers, each smaller than 256.
fn contains_byte_array(text: &[u8]) -> bool {
    memchr::memchr_iter(b'[', text).any(|at| {
        // In range: behind the place of a bracket.
        let array = text[at + 1..].split(|byte| *byte == b']').next().unwrap_or_default();
        let numbers = array.split(|byte| *byte == b',').take(MIN_BYTES);
        let is_byte = |number: &[u8]| {
            let number = number.trim_ascii();
            (1..=3).contains(&number.len()) && number.iter().all(u8::is_ascii_digit)
        };
        numbers.map(is_byte).filter(|is_byte| *is_byte).count() == MIN_BYTES
    })
}

/// Learns what the elements have in common that `each` calls its argument with.
fn learn(each: impl Fn(&mut dyn FnMut(Element<'_>))) -> Habits {
    let mut habits = Habits::default();
    for round in 0..MAX_ROUNDS {
        let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
        each(&mut |element| {
            line::leaves(element, &habits, &mut |inside, context| {
                let shape = match inside {
                    Inside::Message(_) if context.logger.is_some() => Some(String::new()),
                    Inside::Line(text) | Inside::Unknown(text) => prefix::learn(text),
                    Inside::Message(text) | Inside::Text(text) => prefix::learn(text.as_bytes()),
                };
                if let Some(shape) = shape {
                    *shapes.entry(shape).or_default() += 1;
                }
                false
            });
        });
        let new = usual(&shapes).filter(|shape| round == 0 || !shape.is_empty());
        let before = habits.prefixes.len();
        for shape in new {
            if !habits.prefixes.contains(shape) {
                habits.prefixes.push(shape.clone());
            }
        }
        if habits.prefixes == [""] {
            habits.prefixes.clear();
        }
        if habits.prefixes.len() <= before {
            break;
        }
    }
    habits.texts = texts(&habits, each);
    habits
}

/// Returns the shapes that are frequent enough.
fn usual(shapes: &BTreeMap<String, usize>) -> impl Iterator<Item = &String> {
    let all: usize = shapes.values().sum();
    let most = shapes.values().max().copied().unwrap_or(0);
    let none = shapes.get("").copied().unwrap_or(0);
    let share = move |shape: &str| {
        if shape.is_empty() || none == most { MIN_SHARE_BESIDE_NONE } else { MIN_SHARE }
    };
    shapes.iter().filter(move |(shape, count)| **count * 100 >= all * share(shape)).map(|(shape, _)| shape)
}

/// Learns what the texts in objects are that name no logger.
fn texts(habits: &Habits, each: impl Fn(&mut dyn FnMut(Element<'_>))) -> Texts {
    let (mut lines, mut messages) = (0, 0);
    each(&mut |element| {
        line::leaves(element, habits, &mut |inside, context| {
            match inside {
                Inside::Line(text) if context.in_text => {
                    lines += u32::from(canton::read_start(text).is_some())
                }
                Inside::Message(_) if context.logger.is_some() => lines += u32::from(context.in_text),
                Inside::Message(text) => messages += u32::from(canton::is_statement(text)),
                _ => {}
            }
            false
        });
    });
    if lines >= MIN_LINES && lines >= CLEARLY * messages {
        Texts::Lines
    } else if messages > 0 && messages >= CLEARLY * lines {
        Texts::Messages
    } else {
        Texts::Any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"message":"m","logger_name":"c.d.c.X:participant=p","level":"INFO"}"#;

    fn habits(lines: &[String]) -> Habits {
        Arc::unwrap_or_clone(Form::of((lines.join("\n") + "\n").as_bytes()).habits)
    }

    fn text_of(line: &str) -> String {
        format!("{{\"line\":{}}}", serde_json::Value::from(line))
    }

    #[test]
    fn prefixes_are_learned_from_most_lines() {
        let plain = vec![RECORD.to_owned(); 10];
        let prefixed: Vec<String> = plain.iter().map(|line| format!("[pod/a/b] {line}")).collect();
        assert_eq!(habits(&plain), Habits::default());
        assert_eq!(habits(&prefixed).prefixes, ["[w] "]);
        assert_eq!(habits(&[prefixed.clone(), plain.clone()].concat()).prefixes, ["", "[w] "]);
        let noise = vec![format!("Received a request {RECORD}")];
        assert_eq!(habits(&[plain, noise.clone()].concat()), Habits::default());
        assert_eq!(habits(&[prefixed.clone(), noise].concat()).prefixes, ["[w] "]);
        let inside: Vec<String> = prefixed.iter().map(|line| format!("host: {}", text_of(line))).collect();
        assert_eq!(habits(&inside).prefixes, ["w: ", "[w] "]);
    }

    #[test]
    fn texts_are_lines_or_messages() {
        let line = text_of(RECORD);
        let message = text_of("Commitment correct for sender PAR::A::1220aa and period x");
        assert_eq!(habits(&vec![line.clone(); 5]).texts, Texts::Lines);
        assert_eq!(habits(&vec![message.clone(); 5]).texts, Texts::Messages);
        assert_eq!(habits(&[line, message]).texts, Texts::Any);
    }

    #[test]
    fn arrays_of_bytes() {
        assert!(contains_byte_array(b"{\"MESSAGE\":[50,48,50,54,45,48,52,45]}"));
        assert!(contains_byte_array(b"[x] [ 50, 48, 50, 54, 45, 48, 52, 45"));
        assert!(!contains_byte_array(b"[1,2,3] [2026,4,21,1,2,3,4,5,6]"));
    }
}
