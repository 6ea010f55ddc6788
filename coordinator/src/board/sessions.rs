//! All sessions of one coordinator: plain state, changed by one task.

use std::collections::BTreeMap;
use std::sync::Arc;

use svdr_protocol::names::MemberName;
use svdr_protocol::receipt::JournalId;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{AnyStatement, Body, SessionId};
use svdr_protocol::time::Timestamp;

use super::slot::{Acceptance, Accepted, From, Placed, Slot};
use crate::incoming::Incoming;
use crate::limits::{KEPT_SESSIONS, MAX_SESSIONS};
use crate::refusal::CallRefusal;

/// The sessions, by id.
#[derive(Debug)]
pub struct Sessions {
    roster: Arc<Roster>,
    /// The journal that they are in.
    journal: Option<JournalId>,
    /// The latest time at which a statement was accepted.
    latest: Option<Timestamp>,
    slots: BTreeMap<SessionId, Slot>,
    /// In the order in which they were opened here.
    order: Vec<SessionId>,
}

impl Sessions {
    /// No sessions yet, in this journal.
    pub fn new(roster: Arc<Roster>, journal: Option<JournalId>) -> Sessions {
        let latest = journal.map(|journal| journal.made());
        Sessions { roster, journal, latest, slots: BTreeMap::new(), order: Vec::new() }
    }

    /// The roster.
    pub const fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Gives a statement its place at `now`, or a little later: times never fall, whatever the clock does. The statement must
    /// be written to the journal, and then [confirmed](Self::confirm).
    ///
    /// # Errors
    /// Why it has none.
    pub fn accept(
        &mut self,
        incoming: Incoming,
        from: &From,
        now: Timestamp,
    ) -> Result<Accepted, CallRefusal> {
        self.place(incoming, from, Some(now).max(self.latest))
    }

    fn place(
        &mut self,
        incoming: Incoming,
        from: &From,
        accepted: Option<Timestamp>,
    ) -> Result<Accepted, CallRefusal> {
        self.latest = self.latest.max(accepted);
        let acceptance = Acceptance { journal: self.journal, accepted };
        let id = incoming.session;
        if let Some(slot) = self.slots.get_mut(&id) {
            return slot.accept(incoming, from, acceptance);
        }
        // A statement of an unknown kind opens nothing: nobody here knows what it says.
        let AnyStatement::Known(opening) = &incoming.statement else {
            return Err(CallRefusal::UnknownSession { session: id });
        };
        if !matches!(opening.body(), Body::Open(_)) {
            return Err(CallRefusal::UnknownSession { session: id });
        }
        if self.slots.len() + self.kept_for_others(opening.signer()) >= MAX_SESSIONS {
            return Err(CallRefusal::TooManySessions);
        }
        let mut slot = Slot::new(Session::open(Arc::clone(opening), Arc::clone(&self.roster))?);
        let accepted = slot.accept(incoming, from, acceptance)?;
        self.slots.insert(id, slot);
        self.order.push(id);
        Ok(accepted)
    }

    /// Places that are kept for conveners other than this one.
    fn kept_for_others(&self, convener: &MemberName) -> usize {
        let conveners: Vec<_> = self.roster.members().iter().filter(|member| member.convener).collect();
        let share = KEPT_SESSIONS.min(MAX_SESSIONS / conveners.len().max(1));
        let opened = |by: &MemberName| {
            self.slots.values().filter(|slot| slot.session.opened().signer() == by).take(share).count()
        };
        let others = conveners.iter().filter(|other| other.name != *convener);
        others.map(|other| share - opened(&other.name)).sum()
    }

    /// Gives a statement that is on disk its place, with the time at which it was accepted.
    ///
    /// # Errors
    /// Why it has none.
    pub fn restore(
        &mut self,
        incoming: Incoming,
        from: &From,
        accepted: Option<Timestamp>,
    ) -> Result<(), CallRefusal> {
        if let Accepted::New(entry) = self.place(incoming, from, accepted)? {
            self.confirm(&entry);
        }
        Ok(())
    }

    /// The entry is on disk.
    pub fn confirm(&mut self, entry: &Placed) {
        if let Some(slot) = self.slots.get_mut(&entry.receipt.session) {
            slot.confirm(entry);
        }
    }

    /// The slot of a session that is on disk.
    pub(super) fn slot(&self, session: SessionId) -> Result<&Slot, CallRefusal> {
        let slot = self.slots.get(&session).filter(|slot| slot.durable() > 0);
        slot.ok_or(CallRefusal::UnknownSession { session })
    }

    pub(super) fn slot_mut(&mut self, session: SessionId) -> Option<&mut Slot> {
        self.slots.get_mut(&session)
    }

    /// Those on disk, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Slot> {
        let slots = self.order.iter().rev().filter_map(|id| self.slots.get(id));
        slots.filter(|slot| slot.durable() > 0)
    }

    /// Their ids, in the order in which they were opened.
    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.order.clone()
    }
}

#[cfg(test)]
mod tests;
