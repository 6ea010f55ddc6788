//! One coordinator's transcript of one session, compared with everything that the coordinator said before.
//!
//! * Each receipt must be for the statement beside it, and its head must follow from the head before it: so a transcript
//!   is one line of history.
//! * The first statement must open the session, and no statement may appear twice.
//! * Receipts that were kept, from earlier connections or for what was submitted, must lie on that line.
//! * A transcript has no more statements and bytes than [`TranscriptLimits`] allow.
//!
//! A coordinator that breaks one of these has withheld or rewritten something, or never ends, and its own signatures
//! prove it. Pure: whoever keeps receipts on disk does so outside.

use std::collections::{BTreeMap, HashMap};

use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::{Broken, Chain, Fork, VerifiedReceipt};
use svdr_protocol::statement::SessionId;

use crate::limits::TranscriptLimits;

/// A statement of a coordinator's transcript. Its receipt's signature is verified, the statement's is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedEntry {
    /// The position in the transcript, as the coordinator says.
    pub position: u64,
    /// The statement.
    pub statement: Envelope,
    /// The coordinator's receipt for it.
    pub receipt: VerifiedReceipt,
}

/// What a coordinator has said about a session so far.
#[derive(Clone, Debug)]
pub struct History {
    limits: TranscriptLimits,
    chain: Chain,
    /// Bytes of the statements in the chain.
    bytes: u64,
    /// The positions of the statements in the chain.
    positions: HashMap<Digest, u64>,
    /// The receipt before the next one, which proves a break.
    last: Option<VerifiedReceipt>,
    /// By position: receipts seen at any time.
    kept: BTreeMap<u64, VerifiedReceipt>,
}

/// How a coordinator contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The receipt beside a statement is for another one.
    #[error(
        "transcript position {position} shows statement {statement}, but its receipt is for {acknowledged}: the \
         coordinator forwarded a statement that it never accepted\nhelp: use another coordinator"
    )]
    OtherStatement {
        /// The position.
        position: u64,
        /// The statement's digest.
        statement: Digest,
        /// The statement of the receipt.
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
        "the transcript of session {session} begins with statement {statement}, which does not open the session\n\
         help: use another coordinator"
    )]
    NotTheOpening {
        /// The session.
        session: SessionId,
        /// The statement's digest.
        statement: Digest,
        /// The receipt for it.
        receipt: Box<VerifiedReceipt>,
    },
    /// The transcript shows one statement twice.
    #[error(
        "the transcript shows statement {statement} at position {first}, and again at position {again}\n\
         help: use another coordinator"
    )]
    Repeated {
        /// The statement's digest.
        statement: Digest,
        /// Its first position.
        first: u64,
        /// Its second position.
        again: u64,
        /// The receipt for the second.
        receipt: Box<VerifiedReceipt>,
    },
    /// The transcript has more statements than there can be.
    #[error(
        "the transcript of session {session} has more than {limit} statements, twice what its members may submit\n\
         help: use another coordinator"
    )]
    TooManyStatements {
        /// The session.
        session: SessionId,
        /// The most that are taken.
        limit: u64,
        /// The receipt for the first that is too many.
        receipt: Box<VerifiedReceipt>,
    },
    /// The transcript has more bytes than there can be.
    #[error(
        "the statements of session {session} have more than {limit} bytes, twice what its members may submit\n\
         help: use another coordinator"
    )]
    TooManyBytes {
        /// The session.
        session: SessionId,
        /// The most that are taken.
        limit: u64,
        /// The receipt for the first that is too many.
        receipt: Box<VerifiedReceipt>,
    },
    /// A statement that was submitted in one session is acknowledged in another.
    #[error(
        "a statement of session {session} was acknowledged as one of session {acknowledged}\n\
         help: use another coordinator"
    )]
    OtherSession {
        /// The session.
        session: SessionId,
        /// The session of the receipt.
        acknowledged: SessionId,
        /// The receipt.
        receipt: Box<VerifiedReceipt>,
    },
    /// Two receipts that cannot both be true.
    #[error("{0}\nhelp: use another coordinator, as this one has rewritten its history")]
    Forked(Box<Fork>),
}

impl History {
    /// Returns a history of which nothing is known yet. Receipts that were kept are added with
    /// [`History::acknowledged`].
    pub fn new(session: SessionId, limits: TranscriptLimits) -> History {
        History {
            limits,
            chain: Chain::new(session),
            bytes: 0,
            positions: HashMap::new(),
            last: None,
            kept: BTreeMap::new(),
        }
    }

    /// The session.
    pub const fn session(&self) -> SessionId {
        self.chain.session()
    }

    /// The position of the next entry.
    pub const fn next(&self) -> u64 {
        self.chain.len()
    }

    /// Whether a receipt of the coordinator is for that statement.
    pub fn has_acknowledged(&self, statement: &Digest) -> bool {
        self.kept.values().any(|kept| kept.receipt().statement == *statement)
    }

    /// Adds the next entry of the transcript. Returns whether its receipt is new.
    ///
    /// # Errors
    /// [`HistoryError`] if the coordinator contradicts itself; the history is unchanged then.
    pub fn follow(&mut self, entry: &ReceivedEntry) -> Result<bool, HistoryError> {
        let (receipt, statement) = (entry.receipt.receipt(), entry.statement.digest());
        let proof = || Box::new(entry.receipt.clone());
        if receipt.statement != statement || receipt.position != entry.position {
            return Err(HistoryError::OtherStatement {
                position: entry.position,
                statement,
                acknowledged: receipt.statement,
                receipt: proof(),
            });
        }
        let session = self.session();
        if receipt.position == 0 && SessionId::of_open(&statement) != session {
            return Err(HistoryError::NotTheOpening { session, statement, receipt: proof() });
        }
        // Two receipts for one position prove more than one that does not continue.
        self.compare(&entry.receipt)?;
        // A copy of the chain, so that an entry which is refused leaves the history as it was.
        let mut chain = self.chain;
        chain.follow(receipt)?;
        if let Some(&first) = self.positions.get(&statement) {
            let again = receipt.position;
            return Err(HistoryError::Repeated { statement, first, again, receipt: proof() });
        }
        let bytes = self.bytes.saturating_add(entry.statement.payload_len() as u64);
        if chain.len() > self.limits.statements {
            let limit = self.limits.statements;
            return Err(HistoryError::TooManyStatements { session, limit, receipt: proof() });
        }
        if bytes > self.limits.bytes {
            return Err(HistoryError::TooManyBytes { session, limit: self.limits.bytes, receipt: proof() });
        }
        let is_new = self.keep(entry.receipt.clone())?;
        self.positions.insert(statement, receipt.position);
        (self.chain, self.bytes, self.last) = (chain, bytes, Some(entry.receipt.clone()));
        Ok(is_new)
    }

    /// Adds a receipt for a statement that was submitted. Returns whether it is new.
    ///
    /// # Errors
    /// [`HistoryError`] if it is of another session, or contradicts another receipt.
    pub fn acknowledged(&mut self, receipt: VerifiedReceipt) -> Result<bool, HistoryError> {
        let (session, acknowledged) = (self.session(), receipt.receipt().session);
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

    /// Returns the receipts that prove an error; `entry` is the one that was refused.
    pub fn proof<'a>(
        &'a self,
        error: &'a HistoryError,
        entry: Option<&'a ReceivedEntry>,
    ) -> Vec<&'a Envelope> {
        match error {
            HistoryError::Forked(fork) => vec![fork.first.envelope(), fork.second.envelope()],
            HistoryError::Repeated { first, receipt, .. } => {
                let first = self.kept.get(first).map(VerifiedReceipt::envelope);
                first.into_iter().chain([receipt.envelope()]).collect()
            }
            HistoryError::OtherStatement { receipt, .. }
            | HistoryError::NotTheOpening { receipt, .. }
            | HistoryError::TooManyStatements { receipt, .. }
            | HistoryError::TooManyBytes { receipt, .. }
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
