//! Proof that an attested round cannot complete: rule 4, carried by the agreement that needs it.
//!
//! An agreement that follows an attestation carries the envelopes that allowed it, so that anybody can judge it alone, at
//! any time. A round needs the attestations of `t` members to complete. Once `n − t + 1` members have promised not to
//! attest it, it cannot complete. If it does, some member signed both, because `t` and `n − t + 1` members together are
//! more than there are.
//!
//! Abandonments and releases of the round count, and agreements that abandon it. Agreements with proofs of their own do
//! not count, because proofs within proofs would grow without limit. Their signers sign an abandonment as well ([`owed`](crate::vote::Voter::owed)).

use std::collections::BTreeSet;

use super::{Agreement, Body, Header, RoundOf, Statement, StatementError};
use crate::names::MemberName;
use crate::roster::Roster;

/// Why statements do not prove that a round cannot complete.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// A statement in it is invalid.
    #[error("a statement in the proof is invalid")]
    Statement(#[source] StatementError),
    /// A statement in it says something else.
    #[error("the {kind} of {signer} in the proof does not abandon that round")]
    Beside {
        /// Its kind.
        kind: &'static str,
        /// Who signed it.
        signer: MemberName,
    },
    /// A member is in it twice.
    #[error("the proof has two statements of {signer}; expected one of each member")]
    Twice {
        /// Who.
        signer: MemberName,
    },
    /// Too few members abandon the round.
    #[error("the proof has abandonments of {found} members; expected {needed}")]
    TooFew {
        /// How many do.
        found: usize,
        /// How many must.
        needed: usize,
    },
    /// A round of the same session is said to belong to a predecessor of it.
    #[error("the agreement has no proof, and the round belongs to its own session")]
    OwnPredecessor,
}

/// How many members must abandon a round so that it cannot complete: `n − t + 1`.
pub fn abandonments_needed(roster: &Roster) -> usize {
    roster.members().len().saturating_sub(roster.threshold()) + 1
}

/// Whether a statement promises that its signer's attestation of `round` will never count, in a way that a proof may
/// use.
pub(crate) fn abandons(statement: &Statement, round: RoundOf) -> bool {
    let Some(session) = statement.header.session else { return false };
    let here = |of: u32| session == round.session && of == round.round;
    match &statement.body {
        Body::Abandonment(abandonment) => here(abandonment.round),
        Body::Release(release) => here(release.round),
        Body::Agreement(agreement) => agreement.attested.is_empty() && agreement.abandons(session, round),
        _ => false,
    }
}

/// Checks the proofs that an agreement carries.
pub(super) fn check(agreement: &Agreement, header: &Header, roster: &Roster) -> Result<(), StatementError> {
    for (&round, envelopes) in &agreement.attested {
        let proof =
            |source| StatementError::Proof { signer: header.signer.clone(), round, source: Box::new(source) };
        if envelopes.is_empty() {
            // Whether it is a predecessor, the statement that opened the session says.
            if header.session == Some(round.session) {
                return Err(proof(ProofError::OwnPredecessor));
            }
            continue;
        }
        let mut signers = BTreeSet::new();
        let mut released = false;
        for envelope in envelopes {
            // One level deep: an agreement with proofs of its own is refused before they are looked at.
            let statement = Statement::read_shallow(envelope, roster)
                .map_err(|source| proof(ProofError::Statement(source)))?;
            let signer = statement.header.signer.clone();
            if statement.header.drill != header.drill || !abandons(&statement, round) {
                return Err(proof(ProofError::Beside { kind: statement.body.kind(), signer }));
            }
            released |= signer == header.signer && matches!(statement.body, Body::Release(_));
            if !signers.insert(signer.clone()) {
                return Err(proof(ProofError::Twice { signer }));
            }
        }
        let (found, needed) = (signers.len(), abandonments_needed(roster));
        if !released && found < needed {
            return Err(proof(ProofError::TooFew { found, needed }));
        }
    }
    Ok(())
}
