//! One coordinator's transcript of one session, held against everything it said before.
//!
//! Each receipt must belong to its statement, and its head must follow from the head before it: so a transcript is
//! one line of history. Receipts that were kept, from earlier connections or for what this agent submitted, must
//! lie on that line. A coordinator that breaks either has left something out or told it differently, and its own
//! signatures prove it. Pure: what is kept, the [store](crate::store) keeps.

use std::collections::BTreeMap;

use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::{Broken, Chain, Fork, VerifiedReceipt};
use svdr_protocol::statement::SessionId;

/// A statement in a coordinator's transcript; its receipt's signature is checked, the statement's is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where the coordinator says it stands.
    pub position: u64,
    /// The statement.
    pub statement: Envelope,
    /// The coordinator's receipt for it.
    pub receipt: VerifiedReceipt,
}

/// What a coordinator has said about a session so far.
#[derive(Clone, Debug)]
pub struct History {
    chain: Chain,
    /// The receipt before the next one, which a break is proved with.
    last: Option<VerifiedReceipt>,
    /// By position: receipts seen at any time.
    kept: BTreeMap<u64, VerifiedReceipt>,
}

/// How a coordinator contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The receipt beside a statement is for another one.
    #[error(
        "at position {position} stands the statement {statement}, but the receipt beside it is for {acknowledged}; \
         the coordinator passes on what it did not accept, use another one"
    )]
    OtherStatement {
        /// The position.
        position: u64,
        /// The statement's digest.
        statement: Digest,
        /// What the receipt acknowledges.
        acknowledged: Digest,
        /// The receipt.
        receipt: Box<VerifiedReceipt>,
    },
    /// The receipt does not continue the chain.
    #[error(transparent)]
    Broken {
        /// How.
        #[from]
        source: Broken,
    },
    /// The transcript does not begin with the session's opening.
    #[error(
        "the transcript of session {session} begins with the statement {statement}, which does not open it; the \
         coordinator passes on what it did not accept, use another one"
    )]
    NotTheOpening {
        /// The session.
        session: SessionId,
        /// The statement's digest.
        statement: Digest,
        /// The receipt for it.
        receipt: Box<VerifiedReceipt>,
    },
    /// What was submitted in one session is acknowledged in another.
    #[error(
        "a statement of session {session} was acknowledged as one of session {acknowledged}; the coordinator takes \
         statements for what they are not, use another one"
    )]
    OtherSession {
        /// The session.
        session: SessionId,
        /// The receipt's.
        acknowledged: SessionId,
        /// The receipt.
        receipt: Box<VerifiedReceipt>,
    },
    /// Two receipts that cannot both be true.
    #[error("{0}; it has rewritten its history, use another coordinator")]
    Forked(Box<Fork>),
}

impl History {
    /// A history of which nothing is known yet. Receipts that were kept are told with
    /// [`History::acknowledged`].
    pub fn new(session: SessionId) -> History {
        History { chain: Chain::new(session), last: None, kept: BTreeMap::new() }
    }

    /// The position of the next entry.
    pub const fn next(&self) -> u64 {
        self.chain.len()
    }

    /// Whether any of its receipts is for that statement.
    pub fn has_acknowledged(&self, statement: &Digest) -> bool {
        self.kept.values().any(|kept| kept.receipt().statement == *statement)
    }

    /// Takes the next entry of the transcript; true where its receipt was not known yet.
    ///
    /// # Errors
    /// [`HistoryError`] where the coordinator contradicts itself; nothing has changed then.
    pub fn follow(&mut self, entry: &Entry) -> Result<bool, HistoryError> {
        let (receipt, statement) = (entry.receipt.receipt(), entry.statement.digest());
        if receipt.statement != statement || receipt.position != entry.position {
            return Err(HistoryError::OtherStatement {
                position: entry.position,
                statement,
                acknowledged: receipt.statement,
                receipt: Box::new(entry.receipt.clone()),
            });
        }
        let session = self.chain.session();
        if receipt.position == 0 && SessionId::of_open(&statement) != session {
            let receipt = Box::new(entry.receipt.clone());
            return Err(HistoryError::NotTheOpening { session, statement, receipt });
        }
        // Two receipts for one position prove more than one that does not continue.
        self.compare(&entry.receipt)?;
        self.chain.follow(receipt)?;
        self.last = Some(entry.receipt.clone());
        self.keep(entry.receipt.clone())
    }

    /// Takes a receipt for something that was submitted; true where it was not known yet.
    ///
    /// # Errors
    /// Where it is of another session, or contradicts another receipt.
    pub fn acknowledged(&mut self, receipt: VerifiedReceipt) -> Result<bool, HistoryError> {
        let (session, acknowledged) = (self.chain.session(), receipt.receipt().session);
        if acknowledged != session {
            let receipt = Box::new(receipt);
            return Err(HistoryError::OtherSession { session, acknowledged, receipt });
        }
        self.keep(receipt)
    }

    /// The last position that the coordinator has given a receipt for and not shown yet.
    pub fn owed(&self) -> Option<u64> {
        self.kept.last_key_value().map(|(position, _)| *position).filter(|position| *position >= self.next())
    }

    /// The receipts that show what an error is about, of which the coordinator's rewriting follows.
    pub fn proof<'a>(&'a self, error: &'a HistoryError, entry: Option<&'a Entry>) -> Vec<&'a Envelope> {
        match error {
            HistoryError::Forked(fork) => vec![fork.first.envelope(), fork.second.envelope()],
            HistoryError::OtherStatement { receipt, .. }
            | HistoryError::NotTheOpening { receipt, .. }
            | HistoryError::OtherSession { receipt, .. } => vec![receipt.envelope()],
            HistoryError::Broken { .. } => {
                let last = self.last.as_ref().map(VerifiedReceipt::envelope);
                last.into_iter().chain(entry.map(|entry| entry.receipt.envelope())).collect()
            }
        }
    }

    fn compare(&self, receipt: &VerifiedReceipt) -> Result<(), HistoryError> {
        match self.kept.get(&receipt.receipt().position) {
            Some(known) if known.contradicts(receipt) => {
                let fork = Fork { first: known.clone(), second: receipt.clone() };
                Err(HistoryError::Forked(Box::new(fork)))
            }
            _ => Ok(()),
        }
    }

    fn keep(&mut self, receipt: VerifiedReceipt) -> Result<bool, HistoryError> {
        self.compare(&receipt)?;
        Ok(self.kept.insert(receipt.receipt().position, receipt).is_none())
    }
}

#[cfg(test)]
mod tests;
