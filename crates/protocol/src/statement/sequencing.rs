//! The wire form of what a member's nodes have seen of a physical synchronizer.

use std::collections::BTreeMap;

use svdr_proto::v1;

use super::fields::Fields;
use super::{Content, StatementError};
use crate::sequencing::{Announcement, Fence, Sequencing, TopologyTimes};
use crate::time::Timestamp;

impl Content for Sequencing {
    type Message = v1::Sequencing;

    fn to_message(&self, header: v1::Header) -> v1::Sequencing {
        v1::Sequencing {
            header: Some(header),
            physical_synchronizer: self.physical_synchronizer.to_string(),
            protocol_version: self.protocol_version,
            // Empty is absent.
            sequencer: self.sequencer.clone().unwrap_or_default(),
            last_sequenced: self.last_sequenced.micros(),
            block_height: self.block_height,
            topology: self.topology.map(|times| v1::TopologyTimes {
                sequenced: times.sequenced.micros(),
                effective: times.effective.micros(),
            }),
            participant_record_time: self.participant_record_time.map(Timestamp::micros),
            announcement: self.announcement.as_ref().map(|one| v1::LsuAnnouncement {
                successor: one.successor.to_string(),
                effective: one.effective.micros(),
                upgrade_time: one.upgrade_time.micros(),
            }),
            fence: self
                .fence
                .map(|fence| v1::SequencerFence { at: fence.at.micros(), reached: fence.reached }),
            sources: self
                .sources
                .iter()
                .map(|(value, source)| v1::ValueSource { value: value.clone(), source: source.clone() })
                .collect(),
            warnings: self.warnings.clone(),
        }
    }

    fn take_header(message: &mut v1::Sequencing) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Sequencing, fields: &Fields<'_>) -> Result<Sequencing, StatementError> {
        let topology = message.topology.map(|times| {
            Ok::<_, StatementError>(TopologyTimes {
                sequenced: fields.time("topology.sequenced", times.sequenced)?,
                effective: fields.time("topology.effective", times.effective)?,
            })
        });
        let announcement = message.announcement.map(|one| {
            Ok::<_, StatementError>(Announcement {
                successor: fields.parsed("announcement.successor", &one.successor)?,
                effective: fields.time("announcement.effective", one.effective)?,
                upgrade_time: fields.time("announcement.upgrade_time", one.upgrade_time)?,
            })
        });
        let fence = message.fence.map(|fence| {
            Ok::<_, StatementError>(Fence { at: fields.time("fence.at", fence.at)?, reached: fence.reached })
        });
        let named = message.sources.len();
        let sources: BTreeMap<String, String> =
            message.sources.into_iter().map(|one| (one.value, one.source)).collect();
        if sources.len() < named {
            let found = "a value twice".to_owned();
            return Err(fields.error("sources", found, "each value once"));
        }
        let record = message.participant_record_time;
        let sequencing = Sequencing {
            member: fields.signer().clone(),
            physical_synchronizer: fields.parsed("physical_synchronizer", &message.physical_synchronizer)?,
            protocol_version: message.protocol_version,
            sequencer: Some(message.sequencer).filter(|id| !id.is_empty()),
            last_sequenced: fields.time("last_sequenced", message.last_sequenced)?,
            block_height: message.block_height,
            topology: topology.transpose()?,
            participant_record_time: record
                .map(|at| fields.time("participant_record_time", at))
                .transpose()?,
            announcement: announcement.transpose()?,
            fence: fence.transpose()?,
            sources,
            warnings: message.warnings,
        };
        sequencing.check_itself()?;
        Ok(sequencing)
    }
}
