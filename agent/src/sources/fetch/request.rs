//! What to fetch, and where to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use svdr_dump::{Expectations, Identities, MergeSummary, Parts};
use svdr_files::Replace;
use svdr_protocol::time::Timestamp;

use crate::sources::volume::Volume;

/// A dump, or a snapshot for other nodes, that is to be fetched.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose it is, and what becomes of it.
    pub content: RequestContent,
    /// The time that it must be of.
    pub timestamp: Timestamp,
    /// The id of the migration that it must be for.
    pub migration_id: u64,
    /// Whether to ask the app for that id, instead of only checking that it is the app's own + 1.
    pub request_migration_id: bool,
    /// Whether the payloads are digested one by one. Those of a snapshot for other nodes always are.
    pub parts: Parts,
    /// The file's path. A dump in several files is a folder, see [`set_folder`](crate::sources::volume::set_folder).
    pub out: PathBuf,
    /// Whether that may exist.
    pub replace: Replace,
    /// Counts the bytes of the snapshot as they arrive, from nothing at each try.
    pub received: Arc<AtomicU64>,
}

/// Whose snapshot it is, and what becomes of it.
#[derive(Clone, Debug)]
pub enum RequestContent {
    /// An SV's dump.
    SvDump(SvDump),
    /// The contracts of one party, as the SV app sends them: what a donor gives to others.
    Donation {
        /// The party.
        party: String,
    },
    /// A validator's dump.
    ValidatorDump,
}

/// What an SV's dump is made of.
#[derive(Clone, Debug)]
pub struct SvDump {
    /// The backup of the node identities that the snapshot is merged with; [`Handover::Volume`] needs none.
    pub identities: Option<Arc<Identities>>,
    /// How the app hands it over.
    pub handover: Handover,
    /// The participant whose identities a dump of the app's own must contain, if that is known.
    pub participant: Option<String>,
}

/// How the SV app hands its dump over, as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// In one answer, which is merged with the backup of the node identities.
    Http,
    /// The app writes it into its volume, from where it is taken.
    Trigger,
    /// In an answer; through the volume if that turns out to be impossible.
    ///
    /// The default: it does what [`Mode::Http`] does for as long as that works, uses the volume only if the operator has
    /// named it, and says what to configure if nobody has. An operator who finds out on a recovery call that the snapshot
    /// has outgrown the answer has no time to read a manual.
    #[default]
    Auto,
}

impl Mode {
    /// As configurations write it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Http => "http",
            Mode::Trigger => "trigger",
            Mode::Auto => "auto",
        }
    }
}

/// How the SV app hands its dump over, with the volume that this takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handover {
    /// In one answer.
    Answer,
    /// Through its dump volume.
    Volume(Volume),
    /// In an answer; through the volume, if one is known, once the snapshot turns out to be too large.
    AnswerOrVolume(Option<Volume>),
}

impl Handover {
    /// `None` where `mode` needs a volume and there is none.
    pub fn new(mode: Mode, volume: Option<Volume>) -> Option<Handover> {
        match mode {
            Mode::Http => Some(Handover::Answer),
            Mode::Trigger => volume.map(Handover::Volume),
            Mode::Auto => Some(Handover::AnswerOrVolume(volume)),
        }
    }

    /// The volume that may be used.
    pub const fn volume(&self) -> Option<&Volume> {
        match self {
            Handover::Answer => None,
            Handover::Volume(volume) => Some(volume),
            Handover::AnswerOrVolume(volume) => volume.as_ref(),
        }
    }
}

impl Request {
    pub(super) const fn expectations(&self) -> Expectations {
        Expectations { timestamp: self.timestamp, migration_id: Some(self.migration_id) }
    }

    /// How the app hands over what is asked for: only an SV's dump comes through a volume.
    pub(super) const fn handover(&self) -> &Handover {
        match &self.content {
            RequestContent::SvDump(dump) => &dump.handover,
            RequestContent::Donation { .. } | RequestContent::ValidatorDump => &Handover::Answer,
        }
    }

    /// The participant whose identities it must contain, if that is known.
    pub(super) fn participant(&self) -> Option<&str> {
        match &self.content {
            RequestContent::SvDump(dump) => dump.participant.as_deref(),
            RequestContent::Donation { .. } | RequestContent::ValidatorDump => None,
        }
    }
}

/// A dump that was fetched.
#[derive(Clone, Debug)]
pub struct FetchedDump {
    /// Its own file; its payload files, if it has some, are beside it.
    pub path: PathBuf,
    /// What is in it.
    pub summary: MergeSummary,
}
