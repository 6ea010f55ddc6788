//! The JSON form of the evidence: what `svdr-agent sequencing` prints and `propose --plan roll-forward` reads.
//!
//! `member`, `physical_synchronizer` and `last_sequenced` are required. Everything else may be absent, null or empty.
//! A newer version may write more keys: they are counted for nothing, and a warning names them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{Announcement, Fence, MAX_TEXT_LEN, MAX_WARNINGS, Sequencing, SequencingError, TopologyTimes};
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::roster::Roster;
use crate::text::shortened;
use crate::time::Timestamp;

/// The longest document, in bytes: the texts that [`Sequencing`] may have take less than 100 KiB.
pub const MAX_DOCUMENT_LEN: usize = 1 << 20;
/// Unknown keys that a warning names.
const MAX_UNKNOWN: usize = 8;

/// [`Sequencing`] in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequencingDocument {
    /// Whose nodes.
    pub member: MemberName,
    /// The old physical synchronizer; shortened, as in logs, if the roster completes it.
    pub physical_synchronizer: PhysicalSynchronizerId,
    /// Its protocol version.
    #[serde(default)]
    pub protocol_version: Option<u32>,
    /// The sequencer's id.
    #[serde(default)]
    pub sequencer: Option<String>,
    /// Newest event that the sequencer has processed.
    pub last_sequenced: Timestamp,
    /// Height of its newest block.
    #[serde(default)]
    pub block_height: Option<i64>,
    /// Newest topology transaction: when it was sequenced.
    #[serde(default, deserialize_with = "or_empty")]
    pub topology_sequenced: Option<Timestamp>,
    /// The newest time at which one is effective.
    #[serde(default, deserialize_with = "or_empty")]
    pub topology_effective: Option<Timestamp>,
    /// The participant's record time.
    #[serde(default, deserialize_with = "or_empty")]
    pub participant_record_time: Option<Timestamp>,
    /// The announced upgrade.
    #[serde(default)]
    pub announcement: Option<AnnouncementDocument>,
    /// The max sequencing time that the sequencer has.
    #[serde(default, deserialize_with = "or_empty")]
    pub fence: Option<Timestamp>,
    /// Whether it has reached it.
    #[serde(default)]
    pub fence_reached: Option<bool>,
    /// Where each value was read.
    #[serde(default)]
    pub sources: Option<BTreeMap<String, Option<String>>>,
    /// What the reader doubted.
    #[serde(default)]
    pub warnings: Option<Vec<String>>,
    /// What this version does not know.
    #[serde(flatten, skip_serializing)]
    unknown: BTreeMap<String, de::IgnoredAny>,
}

/// [`Announcement`] in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncementDocument {
    /// The physical synchronizer that was to follow.
    #[serde(default, deserialize_with = "or_empty")]
    pub successor_psid: Option<PhysicalSynchronizerId>,
    /// When the announcement became effective.
    #[serde(default, deserialize_with = "or_empty")]
    pub effective: Option<Timestamp>,
    /// When the upgrade was to be.
    #[serde(default, deserialize_with = "or_empty")]
    pub upgrade_time: Option<Timestamp>,
}

/// A text that is null or empty if there is none.
fn or_empty<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T::Err: std::fmt::Display,
{
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| text.parse()).transpose().map_err(de::Error::custom)
}

impl SequencingDocument {
    /// The evidence, checked against `roster`. Texts for people are shortened to their limits.
    ///
    /// # Errors
    /// What [`Sequencing::check`] refuses, and times of which half is missing.
    pub fn sequencing(&self, roster: &Roster) -> Result<Sequencing, SequencingError> {
        let member = || self.member.clone();
        let half = |present, missing| SequencingError::HalfTopology { member: member(), present, missing };
        let topology = match (self.topology_sequenced, self.topology_effective) {
            (Some(sequenced), Some(effective)) => Some(TopologyTimes { sequenced, effective }),
            (None, None) => None,
            (Some(_), None) => return Err(half("topology_sequenced", "topology_effective")),
            (None, Some(_)) => return Err(half("topology_effective", "topology_sequenced")),
        };
        let text = |text: &String| shortened(text, MAX_TEXT_LEN);
        let sources = self.sources.iter().flatten();
        let mut warnings: Vec<String> = self.warnings.iter().flatten().map(text).collect();
        if !self.unknown.is_empty() {
            let keys: Vec<String> =
                self.unknown.keys().take(MAX_UNKNOWN).map(|key| format!("{key:?}")).collect();
            let more = if self.unknown.len() > MAX_UNKNOWN { " and more" } else { "" };
            let unknown =
                format!("this version does not know these keys, and ignores them: {}{more}", keys.join(", "));
            warnings.truncate(MAX_WARNINGS - 1);
            warnings.push(text(&unknown));
        }
        let sequencing = Sequencing {
            member: member(),
            physical_synchronizer: self.physical_synchronizer.completed(roster.synchronizer()),
            protocol_version: self.protocol_version,
            sequencer: self.sequencer.as_ref().map(text).filter(|text| !text.is_empty()),
            last_sequenced: self.last_sequenced,
            block_height: self.block_height,
            topology,
            participant_record_time: self.participant_record_time,
            announcement: self.announcement(roster)?,
            fence: self.fence.map(|at| Fence { at, reached: self.fence_reached == Some(true) }),
            sources: sources
                .filter_map(|(value, source)| Some((text(value), text(source.as_ref()?))))
                .filter(|(_, source)| !source.is_empty())
                .collect(),
            warnings,
        };
        sequencing.check(roster)?;
        Ok(sequencing)
    }

    fn announcement(&self, roster: &Roster) -> Result<Option<Announcement>, SequencingError> {
        let Some(AnnouncementDocument { successor_psid, effective, upgrade_time }) = &self.announcement
        else {
            return Ok(None);
        };
        let missing = |missing| SequencingError::HalfAnnouncement { member: self.member.clone(), missing };
        match (successor_psid, effective, upgrade_time) {
            // An empty object.
            (None, None, None) => Ok(None),
            (Some(successor), Some(effective), Some(upgrade_time)) => Ok(Some(Announcement {
                successor: successor.completed(roster.synchronizer()),
                effective: *effective,
                upgrade_time: *upgrade_time,
            })),
            (None, _, _) => Err(missing("successor_psid")),
            (_, None, _) => Err(missing("effective")),
            (_, _, None) => Err(missing("upgrade_time")),
        }
    }
}

impl From<&Sequencing> for SequencingDocument {
    fn from(evidence: &Sequencing) -> SequencingDocument {
        let announcement = |one: &Announcement| AnnouncementDocument {
            successor_psid: Some(one.successor.clone()),
            effective: Some(one.effective),
            upgrade_time: Some(one.upgrade_time),
        };
        SequencingDocument {
            member: evidence.member.clone(),
            physical_synchronizer: evidence.physical_synchronizer.clone(),
            protocol_version: evidence.protocol_version,
            sequencer: evidence.sequencer.clone(),
            last_sequenced: evidence.last_sequenced,
            block_height: evidence.block_height,
            topology_sequenced: evidence.topology.map(|times| times.sequenced),
            topology_effective: evidence.topology.map(|times| times.effective),
            participant_record_time: evidence.participant_record_time,
            announcement: evidence.announcement.as_ref().map(announcement),
            fence: evidence.fence.map(|fence| fence.at),
            fence_reached: Some(evidence.fence.is_some_and(|fence| fence.reached)),
            sources: Some(
                evidence
                    .sources
                    .iter()
                    .map(|(value, source)| (value.clone(), Some(source.clone())))
                    .collect(),
            ),
            warnings: Some(evidence.warnings.clone()),
            unknown: BTreeMap::new(),
        }
    }
}
