//! Puts together what was read of a member's nodes, from several sources, and says where they contradict each other.
//!
//! * `last_sequenced` is the largest time that a source shows as processed, and never below `topology_sequenced`. The
//!   events of the newest chunk, which a sequencer lists before it processes them, count only if another time shows
//!   that the chunk was completed: one of its own events, or a later one. A chunk that crashes sequencers stays out.
//! * The participant's record time stands in for the sequencer only if the reader says that the participant has no other
//!   sequencer. It is a lower bound then.

use std::collections::BTreeMap;

use super::{Announcement, Fence, Sequencing, TopologyTimes};
use crate::failure::{CommandError, Exit};
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::time::Timestamp;

/// A value, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<T> {
    /// The value.
    pub value: T,
    /// Where it was read, for people.
    pub source: String,
}

/// The newest part of a block that a sequencer began to process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BegunChunk {
    /// Height of the block.
    pub height: i64,
    /// The first and the last sequencing time of its events; `None` if it has none.
    pub events: Option<(Timestamp, Timestamp)>,
    /// Whether all of its events were read.
    pub complete: bool,
}

/// What was read of one member's nodes about one physical synchronizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings {
    /// Whose nodes.
    pub member: MemberName,
    /// The synchronizer.
    pub physical_synchronizer: Read<PhysicalSynchronizerId>,
    /// The sequencer's id.
    pub sequencer: Option<String>,
    /// Times up to which the sequencer has processed everything.
    pub processed: Vec<Read<Timestamp>>,
    /// The newest chunk that it began.
    pub begun: Option<Read<BegunChunk>>,
    /// The newest topology transaction.
    pub topology: Option<Read<TopologyTimes>>,
    /// Times that the participant has processed.
    pub participant: Vec<Read<Timestamp>>,
    /// Whether the participant is connected to this member's sequencer alone.
    pub own_sequencer_only: bool,
    /// The announced upgrade.
    pub announcement: Option<Announcement>,
    /// Fences of the sequencer, as its sources show them.
    pub fences: Vec<Read<Fence>>,
    /// What the readers doubt.
    pub warnings: Vec<String>,
}

/// There is no `last_sequenced`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing that was read shows how far the sequencer of {member} has processed {physical_synchronizer}\n\
     help: read the log of the sequencer too, with its `Processing block` lines"
)]
pub struct NothingSequenced {
    /// Whose sequencer.
    pub member: MemberName,
    /// The synchronizer.
    pub physical_synchronizer: PhysicalSynchronizerId,
}

impl CommandError for NothingSequenced {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

impl Readings {
    /// The evidence that follows.
    ///
    /// # Errors
    /// If nothing shows how far the sequencer is.
    pub fn sequencing(self) -> Result<Sequencing, NothingSequenced> {
        let mut warnings = self.warnings.clone();
        let record = self.participant.iter().max_by_key(|one| one.value);
        let Some((last, height)) = self.last_sequenced(record, &mut warnings) else {
            let (member, physical_synchronizer) = (self.member, self.physical_synchronizer.value);
            return Err(NothingSequenced { member, physical_synchronizer });
        };
        if let Some(record) = record.filter(|record| record.value > last.value) {
            warnings.push(format!(
                "the participant has processed {} ({}), later than the sequencer, whose newest event is {} ({}). Read \
                 the newest log of the sequencer, or the participant uses other sequencers too",
                record.value, record.source, last.value, last.source
            ));
        }
        let newest = self.processed.iter().max_by_key(|one| one.value);
        for (older, newest) in self.processed.iter().zip(newest.into_iter().cycle()) {
            if older.value < newest.value {
                warnings.push(format!(
                    "the sequencer has processed everything up to {} by one source ({}), and up to {} by another ({}). \
                     The later one counts",
                    older.value, older.source, newest.value, newest.source
                ));
            }
        }
        let fence = self.fence(last.value, &mut warnings);
        let psid = &self.physical_synchronizer;
        let mut sources: BTreeMap<String, String> = BTreeMap::new();
        let mut name = |value: &str, source: Option<&str>| {
            sources.extend(source.map(|source| (value.to_owned(), source.to_owned())));
        };
        name("physical_synchronizer", Some(&psid.source));
        name("last_sequenced", Some(&last.source));
        name("topology", self.topology.as_ref().map(|one| one.source.as_str()));
        name("participant_record_time", record.map(|one| one.source.as_str()));
        name("fence", fence.as_ref().map(|one| one.source.as_str()));
        Ok(Sequencing {
            protocol_version: Some(psid.value.protocol_version()),
            last_sequenced: last.value,
            block_height: height,
            topology: self.topology.as_ref().map(|one| one.value),
            participant_record_time: record.map(|one| one.value),
            announcement: self.announcement,
            fence: fence.map(|one| one.value),
            sources,
            warnings,
            member: self.member,
            physical_synchronizer: psid.value.clone(),
            sequencer: self.sequencer,
        })
    }

    /// The newest time that the sequencer has processed, and the newest block that is complete, if that is known.
    fn last_sequenced(
        &self,
        record: Option<&Read<Timestamp>>,
        warnings: &mut Vec<String>,
    ) -> Option<(Read<Timestamp>, Option<i64>)> {
        let topology = self.topology.as_ref().map(|one| Read {
            value: one.value.sequenced,
            source: format!("newest topology transaction, {}", one.source),
        });
        // Of equal times the first, so that the sequencer's own word is named before what follows from others.
        let larger =
            |best: Read<Timestamp>, one: Read<Timestamp>| if one.value > best.value { one } else { best };
        let shown = self.processed.iter().cloned().chain(topology).reduce(larger);
        let begun = self.begun.as_ref();
        let before = begun.and_then(|begun| begun.value.height.checked_sub(1)).filter(|height| *height >= 0);
        match (begun.map(|begun| (begun, begun.value)), shown) {
            (Some((begun, chunk)), shown) if !chunk.complete => {
                warnings.push(format!(
                    "the events of block {}, the newest that the sequencer began, cannot be read completely ({}), and \
                     are not counted",
                    chunk.height, begun.source
                ));
                Some((shown?, before))
            }
            (Some((begun, BegunChunk { height, events: Some((first, last)), .. })), shown) => match shown {
                Some(shown) if shown.value >= first => {
                    let value = shown.value.max(last);
                    let source = if value > shown.value {
                        format!("{}, block {height}, which {} shows as processed", begun.source, shown.source)
                    } else {
                        shown.source
                    };
                    Some((Read { value, source }, Some(height)))
                }
                shown => {
                    warnings.push(format!(
                            "nothing shows that the sequencer has processed block {height}, the newest that it began \
                             ({}): its events from {first} to {last} are not counted. If the sequencer stopped there, \
                             the block may be what breaks it",
                            begun.source
                        ));
                    Some((shown?, before))
                }
            },
            (begun, Some(shown)) => Some((shown, begun.map(|(_, chunk)| chunk.height))),
            (_, None) => {
                let record = record.filter(|_| self.own_sequencer_only)?;
                warnings.push(format!(
                    "last_sequenced is what the participant has processed ({}): the sequencer may have processed more",
                    record.source
                ));
                let source = format!("lower bound, {}", record.source);
                Some((Read { value: record.value, source }, None))
            }
        }
    }

    /// The fence that counts: one that is reached, else the first.
    fn fence(&self, last: Timestamp, warnings: &mut Vec<String>) -> Option<Read<Fence>> {
        let fence = self.fences.iter().find(|one| one.value.reached).or(self.fences.first())?;
        if let Some(other) = self.fences.iter().find(|other| other.value.at != fence.value.at) {
            warnings.push(format!(
                "the sequencer's max sequencing time is {} by one source ({}) and {} by another ({})",
                fence.value.at, fence.source, other.value.at, other.source
            ));
        }
        if last >= fence.value.at {
            warnings.push(format!(
                "the sequencer has processed {last}, although its max sequencing time is {} ({})",
                fence.value.at, fence.source
            ));
        }
        Some(fence.clone())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
