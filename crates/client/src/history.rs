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
//!
//! Receipts are compared within their journal. A coordinator may begin a new journal: then it has forgotten the old one,
//! which is shown and is no contradiction. While a transcript is read its journal stays the same. If a receipt names another
//! one, the coordinator was started anew in the meantime ([`HistoryError::OtherJournal`]), and the transcript must be read
//! from its beginning. Two histories that grow at the same time under one key are a contradiction.

use std::collections::{BTreeMap, HashMap};

use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::{Broken, Chain, Fork, JournalId, VerifiedReceipt};
use svdr_protocol::statement::SessionId;

use crate::limits::{MAX_JOURNALS, TranscriptLimits};

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
    /// The first receipt of this reading: it says which journal the coordinator has now.
    first: Option<VerifiedReceipt>,
    /// Receipts seen at any time.
    journals: BTreeMap<Option<JournalId>, Journal>,
}

/// What is known of one journal.
#[derive(Clone, Debug)]
struct Journal {
    /// By position.
    receipts: BTreeMap<u64, VerifiedReceipt>,
    /// The receipt with the latest time: what proves that the journal outlived another one.
    latest: VerifiedReceipt,
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
    /// The coordinator has another journal than when this reading began. It contradicts nothing.
    #[error(
        "the coordinator has begun another journal while its transcript was read\n\
         help: read the transcript from its beginning"
    )]
    OtherJournal,
    /// The coordinator begins one journal after the other.
    #[error(
        "the coordinator has begun more than {MAX_JOURNALS} journals in session {session}\n\
         help: use another coordinator, or give this one a disk that keeps its journal"
    )]
    TooManyJournals {
        /// The session.
        session: SessionId,
        /// The receipt in the first that is too many.
        receipt: Box<VerifiedReceipt>,
    },
}

impl History {
    /// Returns a history of which nothing is known yet. Receipts that were kept are added with [`History::remember`].
    pub fn new(session: SessionId, limits: TranscriptLimits) -> History {
        History {
            limits,
            chain: Chain::new(session),
            bytes: 0,
            positions: HashMap::new(),
            last: None,
            first: None,
            journals: BTreeMap::new(),
        }
    }

    /// Begins with the first entry again. All that the coordinator said before stays known.
    pub fn begin_again(&mut self) {
        let journals = std::mem::take(&mut self.journals);
        *self = History { journals, ..History::new(self.session(), self.limits) };
    }

    /// The session.
    pub const fn session(&self) -> SessionId {
        self.chain.session()
    }

    /// The position of the next entry.
    pub const fn next(&self) -> u64 {
        self.chain.len()
    }

    /// Whether a receipt of the coordinator, in the journal that it has now, is for that statement.
    pub fn has_acknowledged(&self, statement: &Digest) -> bool {
        self.receipts().any(|kept| kept.receipt().statement == *statement)
    }

    /// The statements that the coordinator has given receipts for, in the journal that it has now.
    pub fn acknowledged_statements(&self) -> impl Iterator<Item = Digest> {
        self.receipts().map(|kept| kept.receipt().statement)
    }

    /// The first receipt of this reading: it names the journal that the coordinator has now. `None` before the coordinator
    /// has sent any.
    pub const fn first(&self) -> Option<&VerifiedReceipt> {
        self.first.as_ref()
    }

    /// The journals that the coordinator has had, the newest last; `None` is that of an earlier version.
    pub fn journals(&self) -> impl Iterator<Item = Option<JournalId>> {
        self.journals.keys().copied()
    }

    /// The receipts in the journal that the coordinator has now, as far as is known: else in the newest.
    fn receipts(&self) -> impl Iterator<Item = &VerifiedReceipt> {
        self.journal().into_iter().flat_map(|journal| journal.receipts.values())
    }

    fn journal(&self) -> Option<&Journal> {
        match &self.first {
            Some(first) => self.journals.get(&first.receipt().journal),
            None => self.journals.last_key_value().map(|(_, journal)| journal),
        }
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
        // Two receipts that contradict each other prove more than one that does not continue.
        self.compare(&entry.receipt)?;
        self.same_journal(&entry.receipt)?;
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
        self.first.get_or_insert_with(|| entry.receipt.clone());
        (self.chain, self.bytes, self.last) = (chain, bytes, Some(entry.receipt.clone()));
        Ok(is_new)
    }

    /// Adds a receipt for a statement that was submitted now. Returns whether it is new.
    ///
    /// # Errors
    /// [`HistoryError`] if it is of another session, contradicts another receipt, or is in another journal than the
    /// transcript.
    pub fn acknowledged(&mut self, receipt: VerifiedReceipt) -> Result<bool, HistoryError> {
        self.belongs(&receipt)?;
        self.compare(&receipt)?;
        self.same_journal(&receipt)?;
        self.first.get_or_insert_with(|| receipt.clone());
        self.keep(receipt)
    }

    /// Adds a receipt that was kept. Returns whether it is new.
    ///
    /// # Errors
    /// [`HistoryError`] if it is of another session, or contradicts another receipt.
    pub fn remember(&mut self, receipt: VerifiedReceipt) -> Result<bool, HistoryError> {
        self.belongs(&receipt)?;
        self.keep(receipt)
    }

    fn belongs(&self, receipt: &VerifiedReceipt) -> Result<(), HistoryError> {
        let (session, acknowledged) = (self.session(), receipt.receipt().session);
        if acknowledged != session {
            let receipt = Box::new(receipt.clone());
            return Err(HistoryError::OtherSession { session, acknowledged, receipt });
        }
        Ok(())
    }

    /// The last position that the coordinator has given a receipt for and not shown yet.
    pub fn owed(&self) -> Option<u64> {
        // Of a journal that is only remembered, nothing is owed: the coordinator may have forgotten it.
        let journal = self.first.as_ref().and_then(|_| self.journal());
        let last = journal.and_then(|journal| journal.receipts.last_key_value());
        last.map(|(position, _)| *position).filter(|position| *position >= self.next())
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
                let first = self.journal().and_then(|journal| journal.receipts.get(first));
                let first = first.map(VerifiedReceipt::envelope);
                first.into_iter().chain([receipt.envelope()]).collect()
            }
            HistoryError::OtherStatement { receipt, .. }
            | HistoryError::NotTheOpening { receipt, .. }
            | HistoryError::TooManyStatements { receipt, .. }
            | HistoryError::TooManyBytes { receipt, .. }
            | HistoryError::TooManyJournals { receipt, .. }
            | HistoryError::OtherSession { receipt, .. } => vec![receipt.envelope()],
            HistoryError::OtherJournal => Vec::new(),
            HistoryError::Broken { .. } => {
                let last = self.last.as_ref().map(VerifiedReceipt::envelope);
                last.into_iter().chain(entry.map(|entry| entry.receipt.envelope())).collect()
            }
        }
    }

    fn compare(&self, receipt: &VerifiedReceipt) -> Result<(), HistoryError> {
        let same = self.journals.get(&receipt.receipt().journal);
        let same = same.and_then(|journal| journal.receipts.get(&receipt.receipt().position));
        // Of each journal, the latest receipt proves whatever any of its receipts proves about another journal.
        let latest = self.journals.values().map(|journal| &journal.latest);
        match same.into_iter().chain(latest).find(|known| known.contradicts(receipt)) {
            Some(known) => {
                let fork = Fork { first: known.clone(), second: receipt.clone() };
                Err(HistoryError::Forked(Box::new(fork)))
            }
            None => Ok(()),
        }
    }

    fn same_journal(&self, receipt: &VerifiedReceipt) -> Result<(), HistoryError> {
        let first = self.first.as_ref().map(|first| first.receipt().journal);
        if first.is_some_and(|journal| journal != receipt.receipt().journal) {
            return Err(HistoryError::OtherJournal);
        }
        Ok(())
    }

    fn keep(&mut self, receipt: VerifiedReceipt) -> Result<bool, HistoryError> {
        self.compare(&receipt)?;
        let (id, position) = (receipt.receipt().journal, receipt.receipt().position);
        if self.journals.len() >= MAX_JOURNALS && !self.journals.contains_key(&id) {
            let (session, receipt) = (self.session(), Box::new(receipt));
            return Err(HistoryError::TooManyJournals { session, receipt });
        }
        let journal = self
            .journals
            .entry(id)
            .or_insert_with(|| Journal { receipts: BTreeMap::new(), latest: receipt.clone() });
        if journal.latest.receipt().accepted < receipt.receipt().accepted {
            journal.latest = receipt.clone();
        }
        Ok(journal.receipts.insert(position, receipt).is_none())
    }
}

#[cfg(test)]
mod tests;
