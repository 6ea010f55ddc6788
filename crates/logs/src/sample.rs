//! Detects who wrote a log that contains no commitments, so that the warning can say what to change.

use std::collections::BTreeMap;

use crate::canton::{self, Component};
use crate::documents::HEAD_BYTES;
use crate::form::Form;
use crate::input::{Input, Piece, SourcePath, read_at};
use crate::line::{self, Element};

/// Bytes of a log that are looked at.
const SAMPLE_BYTES: usize = 1024 * 1024;
/// Logs that are looked at: the last ones, which are usually the newest.
const SAMPLED_LOGS: usize = 3;
/// Components that are named.
const NAMED: usize = 3;

/// The writers of a sample's lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Lines with a logger.
    pub(crate) lines: u64,
    /// Those of the commitment processor.
    pub(crate) processor: u64,
    /// Those of the component that compares commitments in Canton 3.6.
    pub(crate) matcher: u64,
    /// Those at a level of INFO or finer.
    pub(crate) verbose: u64,
    classes: BTreeMap<String, u64>,
}

impl Sample {
    /// Reads the beginnings of the last of `paths`.
    pub(crate) fn of(paths: &[SourcePath]) -> Sample {
        let mut sample = Sample::default();
        for path in paths.iter().rev().take(SAMPLED_LOGS) {
            // A fault has been reported already.
            if let Some(head) = head(path) {
                sample.add(&head);
            }
        }
        sample
    }

    fn add(&mut self, head: &[u8]) {
        let habits = Form::of(head.get(..HEAD_BYTES).unwrap_or(head)).habits;
        let lines = head.split(|byte| matches!(byte, b'\n' | 0));
        for origin in lines.filter_map(|line| line::origin(Element::Line(line), &habits)) {
            self.lines += 1;
            match canton::component(&origin.class) {
                Some(Component::Processor) => self.processor += 1,
                Some(Component::Matcher) => self.matcher += 1,
                None => {}
            }
            self.verbose += u64::from(matches!(origin.level.as_str(), "INFO" | "DEBUG" | "TRACE"));
            *self.classes.entry(origin.class).or_default() += 1;
        }
    }

    /// Returns the classes that wrote most, the busiest first.
    pub(crate) fn busiest(&self) -> Vec<&str> {
        let mut classes: Vec<(&str, u64)> =
            self.classes.iter().map(|(class, lines)| (class.as_str(), *lines)).collect();
        classes.sort_by_key(|(class, lines)| (std::cmp::Reverse(*lines), *class));
        classes.into_iter().take(NAMED).map(|(class, _)| class).collect()
    }
}

fn head(path: &SourcePath) -> Option<Vec<u8>> {
    let SourcePath::File(path) = path else { return None };
    if !path.is_file() {
        return None;
    }
    let mut head = vec![0; SAMPLE_BYTES];
    let count = match Input::open(path).ok()? {
        Input::Plain { file, .. } => read_at(&file, &mut head, 0).ok()?,
        // Archives name nobody: who wrote most is not worth reading them again.
        Input::Stream(mut stream) => match stream.read(&mut head).ok()? {
            Piece::Bytes(count) => count,
            Piece::Entry(_) | Piece::End => 0,
        },
    };
    head.truncate(count);
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_class_and_level() {
        let mut sample = Sample::default();
        sample.add(
            b"2026-04-21 23:25:07,123 [t-1] INFO  c.d.c.p.p.AcsCommitmentProcessor:participant=p - x\n\
            2026-04-21 23:25:07,123 [t-1] WARN  o.l.s.sv.SvApp tid:1 - y\n\tat java.lang\n\
            {\"message\":\"m\",\"logger_name\":\"o.l.s.sv.SvApp:a=b\",\"level\":\"DEBUG\"}\n",
        );
        assert_eq!((sample.lines, sample.processor, sample.verbose), (3, 1, 2));
        assert_eq!(sample.busiest(), ["SvApp", "AcsCommitmentProcessor"]);
    }
}
