//! Why an agent does not sign: for its operator, with what to do.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::names::MemberName;
use crate::session::Unconfirmed;
use crate::statement::RoundOf;
use crate::time::Timestamp;

/// What has to arrive before something can be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    /// The proposal.
    #[error("the proposal {proposal} has not arrived; wait for it, or ask another coordinator")]
    Proposal {
        /// Its digest.
        proposal: Digest,
    },
    /// The proposals of lower rounds.
    #[error(
        "round {round} is proposed, but no proposal of round {} has arrived; wait for it, or ask another coordinator",
        latest + 1
    )]
    LowerRound {
        /// The round.
        round: u32,
        /// The highest round without a gap before it.
        latest: u32,
    },
    /// Evidence that the proposal was computed from.
    #[error(
        "{} of the evidences that the proposal was computed from have not arrived; \
         wait for them, or ask another coordinator",
        missing.len()
    )]
    Evidence {
        /// Their digests.
        missing: BTreeSet<Digest>,
    },
    /// Agreements of other members.
    #[error(
        "{} of {needed} members have agreed to round {round}; waiting for {} more of {}",
        by.len(), needed.saturating_sub(by.len()), listed(open)
    )]
    Agreements {
        /// The round.
        round: u32,
        /// Who agreed.
        by: BTreeSet<MemberName>,
        /// How many have to.
        needed: usize,
        /// Who has not yet.
        open: BTreeSet<MemberName>,
    },
    /// Abandonments of a round that this member attested (rule 4).
    #[error(
        "this member has attested {round}, and only {} of the {needed} members that it takes have abandoned it, so \
         that it may still complete; ask {} more of {} to abandon it, or release the attestation",
        by.len(), needed.saturating_sub(by.len()), listed(open)
    )]
    Abandonments {
        /// The round.
        round: RoundOf,
        /// Who abandoned it.
        by: BTreeSet<MemberName>,
        /// How many have to.
        needed: usize,
        /// Who else could.
        open: BTreeSet<MemberName>,
    },
}

/// Why something must not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A convener has ended the session.
    #[error("a convener has ended the session; wait for another one to be opened")]
    Aborted,
    /// A round of this session is completed (rule 5).
    #[error("{completed} is completed and nothing moves after that; use its dumps")]
    Completed {
        /// The round.
        completed: RoundOf,
    },
    /// Another session of the network is completed, and this one does not follow it.
    #[error(
        "{completed} is completed, and this session was not opened as following it; use that session's dumps, or \
         have a convener open one that names it as a predecessor"
    )]
    CompletedElsewhere {
        /// The round.
        completed: RoundOf,
    },
    /// It has agreed in this round or a higher one (rule 1).
    #[error(
        "this member has agreed in round {agreed} and can agree to nothing in round {round}; wait for a higher round"
    )]
    AgreedHigher {
        /// The proposal's round.
        round: u32,
        /// The highest it agreed in.
        agreed: u32,
    },
    /// A higher round supersedes this one.
    #[error("round {round} is superseded by round {latest}; review and agree to that")]
    Superseded {
        /// The proposal's round.
        round: u32,
        /// The latest.
        latest: u32,
    },
    /// Its own recomputation does not confirm the proposal (rule 1).
    #[error("the proposal is not what follows from the signed evidence")]
    Unconfirmed(#[source] Box<Unconfirmed>),
    /// More rounds than an agreement can list.
    #[error(
        "this member has attested or agreed in more rounds than one agreement can list; release attestations, or open a session that follows the completed ones"
    )]
    TooManyRounds,
    /// It attested a round under another roster, whose statements this session's members cannot check.
    #[error(
        "this member has attested {round} under another roster; release that attestation, and have a convener open a \
         session that names that one as a predecessor"
    )]
    OtherRoster {
        /// The round attested.
        round: RoundOf,
    },
    /// It has not agreed to the round (rule 3).
    #[error(
        "this member has not agreed to round {round} and can neither attest nor donate in it; agree first"
    )]
    NotAgreed {
        /// The round.
        round: u32,
    },
    /// The plan does not count on its SV app, so that its word about a snapshot counts for nothing.
    #[error(
        "round {round} leaves this member behind, so that it can donate nothing; ask a covered member to run \
         `svdr-agent donate`"
    )]
    NotCovered {
        /// The round.
        round: u32,
    },
    /// It has promised not to attest the round (rule 2).
    #[error("this member has promised in {by} never to attest {round}; join the higher round")]
    Abandoned {
        /// The round.
        round: RoundOf,
        /// Digest of the abandonment, or of the agreement that abandons it.
        by: Digest,
    },
    /// It has taken its attestation of the round back.
    #[error(
        "this member has released its attestation of round {round} and cannot attest it again; join a higher round"
    )]
    Released {
        /// The round.
        round: u32,
    },
    /// What was certified is not what it agreed to.
    #[error(
        "round {round} was certified for proposal {certified}, but this member agreed to {agreed}; wait for a higher round"
    )]
    OtherProposal {
        /// The round.
        round: u32,
        /// What it agreed to.
        agreed: Digest,
        /// What was certified.
        certified: Digest,
    },
    /// The dump is not the one agreed on.
    #[error(
        "round {round} asks for a dump of {} as migration {}, but the dump is of {} as migration {}; make it again",
        agreed.0, agreed.1, made.0, made.1
    )]
    OtherDump {
        /// The round.
        round: u32,
        /// Recovery timestamp and migration id agreed on.
        agreed: (Timestamp, u64),
        /// Those of the dump.
        made: (Timestamp, u64),
    },
    /// It has attested the round, so that it cannot abandon it.
    #[error(
        "this member has attested {round} and cannot abandon it; {}",
        if *released { "its release says all that an abandonment would" } else { "release the attestation if that is meant" }
    )]
    Attested {
        /// The round.
        round: RoundOf,
        /// Whether the attestation is released already.
        released: bool,
    },
    /// There is nothing to release.
    #[error(
        "this member has not attested round {round}, so there is nothing to release; abandon the round instead"
    )]
    NotAttested {
        /// The round.
        round: u32,
    },
    /// The round is not proposed.
    #[error("there is no round {round}: the latest is {latest}; give one of those")]
    NoSuchRound {
        /// The round.
        round: u32,
        /// The latest.
        latest: u32,
    },
    /// It has agreed, and cannot reject any more.
    #[error(
        "this member has agreed to this proposal of round {round}; an agreement is not taken back, abandon the round if it must not go on"
    )]
    AgreedAlready {
        /// The round.
        round: u32,
    },
}

/// Names, as a sentence lists them.
fn listed(names: &BTreeSet<MemberName>) -> String {
    let names: Vec<&str> = names.iter().map(MemberName::as_str).collect();
    names.join(", ")
}
