//! A coordinator's history of a session, with its receipts on disk.

use svdr_client::limits::TranscriptLimits;
use svdr_client::{CallError, Coordinator, History, HistoryError, ReceivedEntry};
use svdr_protocol::digest::Digest;
use svdr_protocol::receipt::{JournalId, VerifiedReceipt};
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::SessionId;

use super::error::ReplicaError;
use crate::store::{Store, StoreError};

/// What one coordinator acknowledged in one session: compared with everything that it said before, also before the last
/// restart, and kept on disk.
#[derive(Clone, Debug)]
pub struct Ledger {
    coordinator: Coordinator,
    history: History,
}

impl Ledger {
    /// Reads the ledger of a session at a coordinator, with the receipts on disk.
    ///
    /// # Errors
    /// [`ReplicaError`] if they cannot be read, or contradict each other.
    pub fn open(
        store: &Store,
        roster: &Roster,
        session: SessionId,
        coordinator: &Coordinator,
    ) -> Result<Ledger, ReplicaError> {
        let mut kept = Vec::new();
        for envelope in store.receipts(session, &coordinator.key)? {
            let receipt = VerifiedReceipt::read(envelope, Some(&coordinator.key));
            // A receipt was verified when it came, so it was altered on this disk since: not the coordinator's fault.
            let path = || store.receipt_path(session, &coordinator.key);
            kept.push(receipt.map_err(|source| StoreError::Receipt { path: path(), source })?);
        }
        let history = History::new(session, TranscriptLimits::of(roster));
        let mut ledger = Ledger { coordinator: coordinator.clone(), history };
        for receipt in kept {
            if let Err(source) = ledger.history.remember(receipt) {
                return Err(ledger.broken(store, source, None));
            }
        }
        Ok(ledger)
    }

    /// The coordinator.
    pub const fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// The position of the next entry.
    pub const fn next(&self) -> u64 {
        self.history.next()
    }

    /// The last position that the coordinator has given a receipt for and not shown yet.
    pub fn owed(&self) -> Option<u64> {
        self.history.owed()
    }

    /// Whether the coordinator has given a receipt for that statement, in the journal that it has now.
    pub fn has_acknowledged(&self, statement: &Digest) -> bool {
        self.history.has_acknowledged(statement)
    }

    /// The statements that the coordinator has given receipts for, in the journal that it has now.
    pub fn acknowledged_statements(&self) -> impl Iterator<Item = Digest> {
        self.history.acknowledged_statements()
    }

    /// The journals that the coordinator has had in this session, the newest last; `None` is that of an earlier version.
    pub fn journals(&self) -> impl Iterator<Item = Option<JournalId>> {
        self.history.journals()
    }

    /// The first receipt of this connection: it names the journal that the coordinator has now. `None` before there is any.
    pub const fn first(&self) -> Option<&VerifiedReceipt> {
        self.history.first()
    }

    /// Adds the next entries of the transcript; new receipts are on disk afterwards.
    ///
    /// # Errors
    /// [`ReplicaError::History`] if the coordinator contradicts itself; its receipts are kept as the proof.
    pub fn follow(&mut self, store: &Store, entries: &[ReceivedEntry]) -> Result<(), ReplicaError> {
        let mut new = Vec::new();
        let mut failed = None;
        for entry in entries {
            match self.history.follow(entry) {
                Ok(true) => new.push(entry.receipt.envelope()),
                Ok(false) => {}
                Err(source) => {
                    failed = Some((source, entry));
                    break;
                }
            }
        }
        if !new.is_empty() {
            store.lock()?.keep_receipts(self.history.session(), &self.coordinator.key, &new)?;
        }
        match failed {
            None => Ok(()),
            Some((source, entry)) => Err(self.broken(store, source, Some(entry))),
        }
    }

    /// Adds the receipts for what was submitted; they are on disk afterwards, with one flush.
    ///
    /// # Errors
    /// As [`Ledger::follow`].
    pub fn acknowledged<'a>(
        &mut self,
        store: &Store,
        receipts: impl IntoIterator<Item = &'a VerifiedReceipt>,
    ) -> Result<(), ReplicaError> {
        let mut new = Vec::new();
        let mut failed = None;
        for receipt in receipts {
            match self.history.acknowledged(receipt.clone()) {
                Ok(true) => new.push(receipt.envelope()),
                Ok(false) => {}
                Err(source) => {
                    failed = Some(source);
                    break;
                }
            }
        }
        if !new.is_empty() {
            store.lock()?.keep_receipts(self.history.session(), &self.coordinator.key, &new)?;
        }
        match failed {
            None => Ok(()),
            Some(source) => Err(self.broken(store, source, None)),
        }
    }

    /// Keeps the proof, if there is something to prove.
    fn broken(&self, store: &Store, source: HistoryError, entry: Option<&ReceivedEntry>) -> ReplicaError {
        if matches!(source, HistoryError::OtherJournal) {
            return CallError::OtherJournal { url: self.coordinator.url.clone() }.into();
        }
        let proof = self.history.proof(&source, entry);
        let kept = store.lock().and_then(|locked| locked.keep_proof(self.history.session(), &proof));
        match kept {
            Ok(proof) => ReplicaError::History { url: self.coordinator.url.clone(), proof, source },
            Err(error) => ReplicaError::Store(error),
        }
    }
}
