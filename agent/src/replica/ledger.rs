//! A coordinator's history of a session, with its receipts on disk.

use svdr_protocol::digest::Digest;
use svdr_protocol::receipt::VerifiedReceipt;
use svdr_protocol::statement::SessionId;

use super::ViewError;
use crate::config::Coordinator;
use crate::link::{CallError, Entry, History, HistoryError, MAX_TRANSCRIPT_LEN};
use crate::store::Store;

/// What one coordinator acknowledged in one session: checked against all that it said before, also before the last
/// restart, and kept.
#[derive(Clone, Debug)]
pub struct Ledger {
    session: SessionId,
    coordinator: Coordinator,
    history: History,
}

impl Ledger {
    /// The ledger of a session at a coordinator, with the receipts that the disk has.
    ///
    /// # Errors
    /// Where those cannot be read, or contradict each other.
    pub fn open(store: &Store, session: SessionId, coordinator: &Coordinator) -> Result<Ledger, ViewError> {
        let mut kept = Vec::new();
        for envelope in store.receipts(session, &coordinator.key)? {
            let receipt = VerifiedReceipt::read(envelope, Some(&coordinator.key));
            let url = coordinator.url.clone();
            kept.push(receipt.map_err(|source| CallError::Receipt { url, source })?);
        }
        let mut ledger = Ledger { session, coordinator: coordinator.clone(), history: History::new(session) };
        for receipt in kept {
            if let Err(source) = ledger.history.acknowledged(receipt) {
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

    /// Whether the coordinator has given a receipt for that statement.
    pub fn has_acknowledged(&self, statement: &Digest) -> bool {
        self.history.has_acknowledged(statement)
    }

    /// Takes the next entries of the transcript; new receipts are on disk afterwards.
    ///
    /// # Errors
    /// [`ViewError::History`] where the coordinator contradicts itself; its receipts are kept as the proof.
    /// [`CallError::Endless`] where it sends more than there can be.
    pub fn follow(&mut self, store: &Store, entries: &[Entry]) -> Result<(), ViewError> {
        if self.next().saturating_add(entries.len() as u64) > MAX_TRANSCRIPT_LEN {
            let url = self.coordinator.url.clone();
            return Err(CallError::Endless { url, limit: MAX_TRANSCRIPT_LEN }.into());
        }
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
            store.lock()?.keep_receipts(self.session, &self.coordinator.key, &new)?;
        }
        match failed {
            None => Ok(()),
            Some((source, entry)) => Err(self.broken(store, source, Some(entry))),
        }
    }

    /// Takes the receipts for what was submitted, on disk afterwards, with one flush.
    ///
    /// # Errors
    /// As [`Ledger::follow`].
    pub fn acknowledged<'a>(
        &mut self,
        store: &Store,
        receipts: impl IntoIterator<Item = &'a VerifiedReceipt>,
    ) -> Result<(), ViewError> {
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
            store.lock()?.keep_receipts(self.session, &self.coordinator.key, &new)?;
        }
        match failed {
            None => Ok(()),
            Some(source) => Err(self.broken(store, source, None)),
        }
    }

    /// Keeps the proof, and says where.
    fn broken(&self, store: &Store, source: HistoryError, entry: Option<&Entry>) -> ViewError {
        let proof = self.history.proof(&source, entry);
        let kept = store.lock().and_then(|locked| locked.keep_proof(self.session, &proof));
        match kept {
            Ok(proof) => ViewError::History { url: self.coordinator.url.clone(), proof, source },
            Err(error) => ViewError::Store(error),
        }
    }
}
