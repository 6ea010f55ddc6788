//! What there is to know about a session, as one JSON document with stable keys.
//!
//! Screens are made from the same facts, so that what a script reads and what a person sees cannot differ.

use serde::Serialize;
use svdr_protocol::digest::Digest;
use svdr_protocol::evidence::Evidence;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::Phase;
use svdr_protocol::time::{Tick, Timestamp};

mod gather;
pub mod restored;

use super::coordinators::CoordinatorFacts;
use restored::RestorationFacts;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionFacts {
    /// Its id.
    pub session: String,
    /// Whether it is a rehearsal.
    pub drill: bool,
    /// The network.
    pub network: String,
    /// The roster's fingerprint.
    pub roster: Digest,
    /// Who opened it.
    pub opened_by: MemberName,
    /// Why.
    pub reason: String,
    /// The migration id that the network will have afterwards.
    pub migration_id: u64,
    /// The keys of the coordinators that may propose round 1: those that the opening lists, in their order, then those
    /// that conveners appointed. Empty if the opening lists none, so that any key may propose.
    pub coordinators: Vec<PublicKey>,
    /// `gathering`, `proposed`, `agreed`, `recovering`, `completed`, `verified` or `aborted`.
    pub phase: &'static str,
    /// The round that the rest is about; `null` before the first proposal.
    pub round: Option<u32>,
    /// How many members have to agree and to attest.
    pub threshold: usize,
    /// How many statements it holds that count.
    pub statements: usize,
    /// How many statements of newer versions it holds besides, which count for nothing.
    pub unknown_statements: usize,
    /// What to do if only a newer version knows the plan; `null` if this version knows it.
    pub unknown_plan: Option<String>,
    /// The proposal of the round.
    pub proposal: Option<ProposalFacts>,
    /// What each member has done, in the order of the roster.
    pub members: Vec<MemberFacts>,
    /// What it waits for.
    pub waits_for: String,
    /// From whom.
    pub waits_for_members: Vec<MemberName>,
    /// The bounds that would suit everybody whose SV app cannot make the dump; `null` where none said so.
    pub bounds: Option<BoundsFacts>,
    /// Snapshots of the round that members donate to others.
    pub donations: Vec<DonationFacts>,
    /// Parts that must be equal in the members' own dumps, and differ: the genesis state. Received dumps are another cut
    /// of the ledger, and are compared with what was donated instead.
    pub differences: Vec<PartDifference>,
    /// Received dumps that are not what was donated.
    pub misfits: Vec<MisfitFacts>,
    /// Lower rounds that some member's attestation still holds open.
    pub held: Vec<HeldRound>,
    /// Who contradicted itself.
    pub equivocations: Vec<EquivocationFacts>,
    /// Who took back an attestation, in any round.
    pub releases: Vec<Remark>,
    /// Who ended it.
    pub aborts: Vec<Remark>,
    /// How the members stand to each other after the recovery; `null` before the session is completed.
    pub restoration: Option<RestorationFacts>,
    /// The coordinators of the configuration, as this member's store knows them; empty where there is no store.
    pub contacts: Vec<CoordinatorFacts>,
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProposalFacts {
    /// Its digest.
    pub digest: Digest,
    /// Who signed it: a convener, or the name that a coordinator gives itself.
    pub by: MemberName,
    /// Whether a member of the roster did.
    pub by_member: bool,
    /// The key that signed it.
    pub key: PublicKey,
    /// The tick.
    pub tick: Tick,
    /// The time that the network goes back to.
    pub recovery_timestamp: Timestamp,
    /// The migration id.
    pub migration_id: u64,
    /// Who recovers together.
    pub covered: Vec<MemberName>,
    /// Who does not.
    pub left_behind: Vec<MemberName>,
    /// Seconds of history that are lost.
    pub history_lost_seconds: i64,
    /// Whether every covered pair has a match at or before the recovery timestamp too.
    pub bracketed: bool,
    /// How many agreements count.
    pub agreements: usize,
    /// How many attestations count.
    pub attestations: usize,
    /// Other proposals of the same round.
    pub others: Vec<Digest>,
}

/// What a member has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberFacts {
    /// Who.
    pub member: MemberName,
    /// Whether it may open, propose and abort.
    pub convener: bool,
    /// `covered`, `left_behind`, `excluded` or `vouched`; `null` before the first proposal.
    pub role: Option<&'static str>,
    /// Its evidence that counts.
    pub evidence: Option<EvidenceFacts>,
    /// `agreed`, `rejected`, or `agreed_to_another` where it agreed to another proposal of the round; `null` where
    /// it has not voted.
    pub vote: Option<&'static str>,
    /// Why it rejected.
    pub vote_reason: Option<String>,
    /// `made`, `received`, `pruned`, `behind`, `abandoned` or `released`; `null` where nothing is known.
    pub dump: Option<&'static str>,
    /// Whose snapshot the dump is made of; `null` where it is its own SV app's, or is not there.
    pub received_from: Option<MemberName>,
    /// What was said of it: an SV app's words, a reason.
    pub dump_reason: Option<String>,
    /// The size of the whole dump, in bytes.
    pub dump_size: Option<u64>,
    /// The digest of the whole dump. It differs between members by right: each holds its own identities.
    pub dump_digest: Option<Digest>,
    /// What it marked done, in the order in which it did.
    pub milestones: Vec<MilestoneFacts>,
    /// The steps of the runbook that it has done, in the runbook's order: as its marks and its other statements show.
    pub steps: Vec<&'static str>,
    /// Checks of its node that passed, and how many there were.
    pub checks: Option<[usize; 2]>,
    /// Checks that did not pass, by name.
    pub failed_checks: Vec<String>,
    /// Whether it contradicted itself.
    pub equivocated: bool,
}

/// A member's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceFacts {
    /// Its digest.
    pub digest: Digest,
    /// Ticks at which others' commitments were equal.
    pub matches: usize,
    /// Ticks at which they differed.
    pub mismatches: usize,
    /// The newest of the matches.
    pub newest_match: Option<Tick>,
}

/// A step of the runbook that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MilestoneFacts {
    /// The step.
    pub name: String,
    /// What else was said.
    pub note: String,
}

/// Bounds of the recovery timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BoundsFacts {
    /// The earliest that everybody's SV app can serve.
    pub not_before: Option<Timestamp>,
    /// The latest.
    pub not_after: Option<Timestamp>,
    /// Whether there is no time between them.
    pub empty: bool,
    /// The recovery timestamp that the rule chooses within them.
    pub would_choose: Option<Timestamp>,
    /// The margin that this takes, in seconds, where it is shorter than the one of the last proposal.
    pub shorter_margin_seconds: Option<u64>,
    /// Why it chooses none.
    pub would_fail: Option<String>,
    /// The convener's command for it; `null` where there is no time between the bounds.
    pub command: Option<String>,
    /// Who is pruned beyond an earlier time.
    pub pruned: Vec<MemberName>,
    /// Who has not caught up to a later one.
    pub behind: Vec<MemberName>,
}

/// A snapshot that a member donates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DonationFacts {
    /// Who.
    pub donor: MemberName,
    /// Digest of the statement.
    pub digest: Digest,
    /// The party that it is of.
    pub party: String,
    /// The time that it is of.
    pub recovery_timestamp: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Where it can be fetched; `null` where it is passed on by other means.
    pub url: Option<String>,
}

/// A received dump that is not what was donated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MisfitFacts {
    /// Whose dump.
    pub member: MemberName,
    /// The round.
    pub round: u32,
    /// Whom it says to have it from.
    pub from: MemberName,
    /// How the two do not fit.
    pub what: String,
}

/// A part that must be equal in every member's dump, and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartDifference {
    /// The part's name.
    pub part: String,
    /// Each version with the members that have it, the most frequent first.
    pub versions: Vec<PartVersion>,
}

/// One version of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartVersion {
    /// Its digest; `null` where the members have no such part.
    pub digest: Option<Digest>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Who has it.
    pub members: Vec<MemberName>,
}

/// A lower round in which attestations stand: those who made them move on only once it cannot complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldRound {
    /// The round.
    pub round: u32,
    /// Whose attestations stand.
    pub attested_by: Vec<MemberName>,
    /// Who has abandoned it.
    pub abandoned_by: Vec<MemberName>,
    /// How many abandonments show that it cannot complete.
    pub needed: usize,
}

/// Two statements that one signer may not both sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EquivocationFacts {
    /// Who.
    pub member: MemberName,
    /// What it signed.
    pub what: String,
    /// One statement.
    pub first: Digest,
    /// The other.
    pub second: Digest,
}

/// What somebody said to everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Who.
    pub by: MemberName,
    /// About which round; `null` where it is about the whole session.
    pub round: Option<u32>,
    /// In its own words.
    pub reason: String,
}

/// The phase's name in JSON.
pub const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Gathering => "gathering",
        Phase::Proposed(_) => "proposed",
        Phase::Agreed(_) => "agreed",
        Phase::Recovering(_) => "recovering",
        Phase::Completed(_) => "completed",
        Phase::Verified(_) => "verified",
        Phase::Aborted => "aborted",
    }
}

/// The newest tick at which an evidence reports a match with anybody.
pub fn newest_match(evidence: &Evidence) -> Option<Tick> {
    evidence.about.values().filter_map(|about| about.matches.newest()).max()
}
