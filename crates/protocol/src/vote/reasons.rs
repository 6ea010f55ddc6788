//! Why an agent does not sign, as its operator reads it.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::names::MemberName;
use crate::session::Unconfirmed;
use crate::statement::RoundOf;
use crate::time::Timestamp;

/// What must arrive before something can be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    /// The proposal.
    #[error("the proposal {proposal} has not arrived\nhelp: wait for it, or use another coordinator")]
    Proposal {
        /// Its digest.
        proposal: Digest,
    },
    /// The proposals of lower rounds.
    #[error(
        "round {round} is proposed, but no proposal of round {} has arrived\n\
         help: wait for it, or use another coordinator",
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
        "{} of the evidences that the proposal was computed from have not arrived\n\
         help: wait for the evidence, or use another coordinator",
        missing.len()
    )]
    Evidence {
        /// Their digests.
        missing: BTreeSet<Digest>,
    },
    /// Agreements of other members.
    #[error(
        "{} of {needed} members have agreed to round {round}: waiting for {} more of {}",
        by.len(), needed.saturating_sub(by.len()), listed(open)
    )]
    Agreements {
        /// The round.
        round: u32,
        /// Who agreed.
        by: BTreeSet<MemberName>,
        /// How many must.
        needed: usize,
        /// Who has not yet.
        open: BTreeSet<MemberName>,
    },
    /// Abandonments of a round that this member attested (rule 4).
    #[error(
        "this member has attested {round}, which may still complete: only {} of the {needed} members that it takes \
         have abandoned it\nhelp: ask {} more of {} to abandon the round, before anybody considers a release",
        by.len(), needed.saturating_sub(by.len()), listed(open)
    )]
    Abandonments {
        /// The round.
        round: RoundOf,
        /// Who abandoned it.
        by: BTreeSet<MemberName>,
        /// How many must.
        needed: usize,
        /// Who else could.
        open: BTreeSet<MemberName>,
    },
}

/// Why something must not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoteRefusal {
    /// A convener has ended the session.
    #[error("a convener has aborted the session\nhelp: wait until another session is opened")]
    Aborted,
    /// A round of this session is completed (rule 5).
    #[error("{completed} is completed, and nothing changes after that\nhelp: use the dumps of that round")]
    Completed {
        /// The round.
        completed: RoundOf,
    },
    /// Another session of the network is completed, and this one does not follow it.
    #[error(
        "{completed} is completed, and this session does not name that session as a predecessor\n\
         help: use the dumps of that session, or have a convener open one that names it as a predecessor"
    )]
    CompletedElsewhere {
        /// The round.
        completed: RoundOf,
    },
    /// It has agreed in this round or a higher one (rule 1).
    #[error(
        "this member has agreed in round {agreed}, so it cannot agree in round {round}\nhelp: wait for a higher round"
    )]
    AgreedHigher {
        /// The proposal's round.
        round: u32,
        /// The highest it agreed in.
        agreed: u32,
    },
    /// A higher round supersedes this one.
    #[error(
        "round {round} is superseded by round {latest}\nhelp: review round {latest} and agree to that one"
    )]
    Superseded {
        /// The proposal's round.
        round: u32,
        /// The latest.
        latest: u32,
    },
    /// Its own recomputation does not confirm the proposal (rule 1).
    #[error("the proposal does not follow from the signed evidence")]
    Unconfirmed(#[source] Box<Unconfirmed>),
    /// More rounds than an agreement can list.
    #[error(
        "this member has attested or agreed in more rounds than one agreement can list\n\
         help: have a convener open a session that names the completed ones as predecessors"
    )]
    TooManyRounds,
    /// It attested a round under another roster, whose statements this session's members cannot check.
    #[error(
        "this member has attested {round} under another roster\n\
         help: have a convener open a session that names that one as a predecessor, and release that attestation"
    )]
    OtherRoster {
        /// The round attested.
        round: RoundOf,
    },
    /// It has not agreed to the round (rule 3).
    #[error(
        "this member has not agreed to round {round}, so it can neither attest nor donate in it\nhelp: agree first"
    )]
    NotAgreed {
        /// The round.
        round: u32,
    },
    /// The plan does not count on its SV app, so that its word about a snapshot counts for nothing.
    #[error(
        "round {round} leaves this member behind, so it cannot donate\n\
         help: ask a covered member to run `svdr-agent donate`"
    )]
    NotCovered {
        /// The round.
        round: u32,
    },
    /// It has promised not to attest the round (rule 2).
    #[error("this member promised in {by} never to attest {round}\nhelp: join a higher round")]
    Abandoned {
        /// The round.
        round: RoundOf,
        /// Digest of the abandonment, or of the agreement that abandons it.
        by: Digest,
    },
    /// It has taken its attestation of the round back.
    #[error(
        "this member released its attestation of round {round}, so it cannot attest the round again\n\
         help: join a higher round"
    )]
    Released {
        /// The round.
        round: u32,
    },
    /// What was certified is not what it agreed to.
    #[error(
        "round {round} is certified for proposal {certified}, but this member agreed to {agreed}\n\
         help: wait for a higher round"
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
        "round {round} needs a dump of {} as migration {}, but the dump is of {} as migration {}\n\
         help: make the dump again",
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
        "this member has attested {round}, so it cannot abandon the round{}",
        if *released {
            ": it released the attestation, which says all that an abandonment would"
        } else {
            "\nhelp: resolve on the call whether to release the attestation instead"
        }
    )]
    Attested {
        /// The round.
        round: RoundOf,
        /// Whether the attestation is released already.
        released: bool,
    },
    /// There is nothing to release.
    #[error(
        "this member has not attested round {round}, so there is nothing to release\nhelp: abandon the round instead"
    )]
    NotAttested {
        /// The round.
        round: u32,
    },
    /// The round is not proposed.
    #[error("there is no round {round}: the latest is {latest}\nhelp: give a round that is proposed")]
    NoSuchRound {
        /// The round.
        round: u32,
        /// The latest.
        latest: u32,
    },
    /// It has agreed, so it can no longer reject.
    #[error(
        "this member has agreed to this proposal of round {round}, and an agreement cannot be taken back\n\
         help: abandon the round if it must not continue"
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
