//! Reads single lines with what is known about their log.

use std::sync::Arc;

use super::found::{Found, count_overlong};
use super::separators::{lines_backwards, lines_from};
use crate::canton::{LineTime, Loggers};
use crate::limits::MAX_LINE_BYTES;
use crate::line::{self, Element};
use crate::wrappers::{Habits, cri, prefix};

/// Reads lines of one log.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    habits: Arc<Habits>,
    loggers: Loggers,
}

impl Judge {
    pub(crate) fn new(habits: &Arc<Habits>) -> Judge {
        Judge { habits: Arc::clone(habits), loggers: Loggers::default() }
    }

    /// Reads a line, or a value of JSON, that contains a phrase.
    pub(crate) fn judge(&mut self, line: &[u8], found: &mut Found) {
        match line.len() {
            ..=MAX_LINE_BYTES => self.judge_element(Element::Line(line), found),
            _ => count_overlong(true, found),
        }
    }

    /// Reads an element that contains a phrase.
    pub(crate) fn judge_element(&mut self, element: Element<'_>, found: &mut Found) {
        let before = found.messages.len();
        found.unreadable += line::read(element, &self.habits, &mut self.loggers, &mut found.messages);
        found.is_recognised |= found.messages.len() > before;
    }

    /// Returns the prefix of kubelet in `line`, at its start or behind what a tool printed there.
    pub(crate) fn cri_prefix<'l>(&self, line: &'l [u8]) -> Option<cri::Prefix<'l>> {
        cri::prefix(line).or_else(|| cri::prefix(prefix::strip(line, &self.habits)?.0))
    }

    /// Returns what a tool or kubelet passed on in `line`, which may begin in the middle of a record.
    pub(crate) fn content<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let line = cri::prefix(line).map_or(line, |prefix| prefix.content);
        match prefix::strip(line, &self.habits) {
            Some((content, _)) => content,
            None => prefix::strip_continuation(line, &self.habits),
        }
    }

    /// Returns the time of `element`.
    pub(crate) fn time(&self, element: Element<'_>) -> Option<LineTime> {
        line::time(element, &self.habits)
    }

    /// Returns the time of the first line of `data` that has one.
    pub(crate) fn first_time(&self, data: &[u8]) -> Option<LineTime> {
        lines_from(data, 0).find_map(|(_, line)| self.time(Element::Line(line)))
    }

    /// Returns the time of the last line of `data` that has one.
    pub(crate) fn last_time(&self, data: &[u8]) -> Option<LineTime> {
        lines_backwards(data, data.len()).find_map(|(_, line)| self.time(Element::Line(line)))
    }

    /// Whether a participant wrote `element`.
    pub(crate) fn recognises(&self, element: Element<'_>) -> bool {
        line::origin(element, &self.habits).is_some_and(|origin| origin.is_participants)
    }

    /// Whether a participant wrote one of the lines of `data`. In its own log it is the first.
    pub(crate) fn recognises_one_of(&self, data: &[u8]) -> bool {
        let mut lines = lines_from(data, 0);
        lines.any(|(_, line)| line.len() <= MAX_LINE_BYTES && self.recognises(Element::Line(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_after_and_before_nuls() {
        let judge = Judge::default();
        let line = b"2026-04-21 23:25:07,123 [t] INFO  c.d.Other - x";
        let mut log = vec![0; 1000];
        log.extend_from_slice(line);
        assert!(judge.last_time(&log).is_some() && judge.last_time(&log) == judge.first_time(&log));
        log.extend_from_slice(&[0; 1000]);
        log.extend_from_slice(b"no time\n");
        assert!(judge.last_time(&log).is_some() && judge.last_time(&log) == judge.first_time(&log));
        assert_eq!(
            (judge.first_time(&[0; 9]), judge.last_time(&[0; 9]), judge.last_time(b"")),
            (None, None, None)
        );
    }
}
