//! A session as this agent holds it: everything that it signed or received, verified, on disk, and folded.
//!
//! What comes from a coordinator is only material: [`Admission`] verifies each envelope, and only what is valid counts.
//! Beyond its rules, a statement with this member's own signature that the store does not have is added to the store: the
//! store was set back, or the key is used elsewhere too, and whoever has promised something must know. What conveners'
//! commands sign comes in the same way, and is nothing to worry about.
//!
//! The replica is kept on disk, so that another coordinator can be given what this one had, and so that a restart
//! without any coordinator still knows everything.

use std::collections::HashSet;
use std::sync::Arc;

use svdr_client::limits::TranscriptLimits;
use svdr_client::{Admission, Connection, SessionError, Verdict, check_invalid};
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{AnyStatement, Body, SessionId, StatementError, Unknown, Verified};

use crate::store::{Adopted, Store, StoreError};
use svdr_protocol::failure::in_one_line;

mod error;
mod ledger;

pub use error::ReplicaError;
pub use ledger::Ledger;

/// A session with the statements that are on this agent's disk.
#[derive(Clone, Debug)]
pub struct Replica {
    session: Session,
    me: MemberName,
    /// Everything that is on disk.
    known: HashSet<Digest>,
    admission: Admission,
}

impl Replica {
    /// Reads the session as the disk has it; `None` if its opening is not there.
    ///
    /// # Errors
    /// As [`Replica::open`].
    pub fn stored(
        store: &Store,
        roster: &Arc<Roster>,
        me: &MemberName,
        session: SessionId,
    ) -> Result<Option<Replica>, ReplicaError> {
        Replica::open(store, roster, me, session, &[])
    }

    /// Reads the session of what the disk has and what was received; `None` if neither opens it. What was received is on
    /// disk afterwards.
    ///
    /// # Errors
    /// [`ReplicaError`] if the store cannot be read or written, or the opening is invalid: it was made with another roster,
    /// or is not a convener's.
    pub fn open(
        store: &Store,
        roster: &Arc<Roster>,
        me: &MemberName,
        session: SessionId,
        received: &[Envelope],
    ) -> Result<Option<Replica>, ReplicaError> {
        let mut stored = store.signed(session)?;
        stored.extend(store.mirrored(session)?);
        let Some(opened) = opening(stored.iter().chain(received), session, roster)? else { return Ok(None) };
        let session = Session::open(Arc::new(opened), Arc::clone(roster)).map_err(SessionError::from)?;
        let admission = Admission::new(&TranscriptLimits::of(roster));
        let mut replica = Replica { session, me: me.clone(), known: HashSet::new(), admission };
        for envelope in stored {
            let digest = envelope.digest();
            let verdict = replica.admission.judge(envelope, &replica.session);
            match &verdict {
                Verdict::Counts(statement) => {
                    replica.admission.count(&verdict);
                    insert(&mut replica.session, Arc::clone(statement));
                }
                Verdict::Kept(unknown) => replica.keep(unknown),
                Verdict::Unreadable | Verdict::Invalid => continue,
            }
            replica.known.insert(digest);
        }
        replica.absorb(store, received)?;
        replica.mend_certificate(store)?;
        Ok(Some(replica))
    }

    /// The session.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// How many invalid statements were received: those that no coordinator of any version accepts.
    pub const fn invalid(&self) -> usize {
        self.admission.invalid()
    }

    /// Adds what was received, on disk first. Returns how many statements were new.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn absorb(&mut self, store: &Store, received: &[Envelope]) -> Result<usize, StoreError> {
        let (mut mirrored, mut own, mut statements, mut kept) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for envelope in received {
            let digest = envelope.digest();
            if self.known.contains(&digest) {
                continue;
            }
            let verdict = self.admission.judge(envelope.clone(), &self.session);
            match &verdict {
                Verdict::Counts(statement) if statement.by_member() && *statement.signer() == self.me => {
                    own.push(Arc::clone(statement));
                }
                Verdict::Counts(statement) => {
                    mirrored.push(envelope);
                    statements.push(Arc::clone(statement));
                }
                Verdict::Kept(unknown) => {
                    mirrored.push(envelope);
                    kept.push(Arc::clone(unknown));
                }
                Verdict::Unreadable | Verdict::Invalid => {}
            }
            self.admission.count(&verdict);
            // A digest leaves the signature out: a forged copy must not stand in the way of the genuine statement.
            if matches!(verdict, Verdict::Counts(_) | Verdict::Kept(_)) {
                self.known.insert(digest);
            }
        }
        if mirrored.is_empty() && own.is_empty() {
            return Ok(0);
        }
        let locked = store.lock()?;
        locked.mirror(self.session.id(), &mirrored)?;
        for statement in &own {
            // Signed by the operator's command in the meantime, or from another store.
            log_adopted(statement, store, &locked.adopt(self.session.id(), statement)?);
        }
        drop(locked);
        kept.iter().for_each(|unknown| self.keep(unknown));
        let count = own.len() + statements.len();
        for statement in own.into_iter().chain(statements) {
            insert(&mut self.session, statement);
        }
        self.mend_certificate(store)?;
        Ok(count)
    }

    /// A corrupt completion certificate binds like any other, so it is written again as soon as the session is complete.
    fn mend_certificate(&self, store: &Store) -> Result<(), StoreError> {
        match self.session.completion_certificate() {
            Some(certificate) => store.mend_certificate(&certificate, self.session.roster()),
            None => Ok(()),
        }
    }

    /// Adds a statement of a newer version that was admitted, which counts for nothing.
    fn keep(&mut self, unknown: &Arc<Unknown>) {
        if let Err(error) = self.session.add(&AnyStatement::Unknown(Arc::clone(unknown))) {
            tracing::warn!("a statement is left out: {}", in_one_line(&error));
        }
    }

    /// Adds what another process of this agent has signed since. Returns how many statements were new.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn refresh(&mut self, store: &Store) -> Result<usize, StoreError> {
        let mut count = 0;
        for envelope in store.signed(self.session.id())? {
            if self.known.insert(envelope.digest())
                && let Verdict::Counts(statement) = self.admission.judge(envelope, &self.session)
            {
                insert(&mut self.session, statement);
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Adds a statement that was admitted.
fn insert(session: &mut Session, statement: Arc<Verified>) {
    if let Err(error) = session.insert(statement) {
        tracing::warn!("a statement is left out: {}", in_one_line(&error));
    }
}

/// Logs that a statement with this member's own signature was not in the store.
fn log_adopted(statement: &Verified, store: &Store, adopted: &Adopted) {
    let (kind, digest) = (statement.body().kind(), statement.digest());
    match adopted {
        Adopted::Known => return,
        Adopted::New => {}
        Adopted::InPlaceOf(corrupt) => {
            tracing::warn!(
                "this member's {kind} ({digest}) is back from a coordinator, in place of {}. The statement binds \
                 this member as before",
                corrupt.display()
            );
            return;
        }
    }
    if matches!(statement.body(), Body::Open(_) | Body::Appointment(_) | Body::Proposal(_) | Body::Abort(_)) {
        // An agent signs none of these; conveners' commands do, with the same key and without the store.
        tracing::info!(
            "added this member's {kind} ({digest}), signed with a convener's command, to the store"
        );
        return;
    }
    tracing::warn!(
        "this member's {kind} ({digest}) was not in {}: the folder was set back, or the key is used elsewhere too. The \
         statement binds this member from now on",
        store.folder().display()
    );
}

/// Finds the statement that opens a session; `None` if it is not among these. A copy with an invalid signature is
/// skipped, as it says nothing about the genuine one.
fn opening<'a>(
    envelopes: impl Iterator<Item = &'a Envelope>,
    session: SessionId,
    roster: &Roster,
) -> Result<Option<Verified>, ReplicaError> {
    for envelope in envelopes.filter(|one| SessionId::of_open(&one.digest()) == session) {
        match Verified::read(envelope.clone(), roster) {
            Ok(opened) => return Ok(Some(opened)),
            Err(error @ StatementError::Envelope(_)) => {
                tracing::warn!(%session, "a forged copy of the opening is left out: {}", in_one_line(&error));
            }
            Err(source) => return Err(SessionError::Opening { session, source: Box::new(source) }.into()),
        }
    }
    Ok(None)
}

/// Reads the other sessions on disk, which voting rules reach across to. Those of another roster, or that were never
/// opened, are left out.
///
/// # Errors
/// [`ReplicaError`] if the store cannot be read.
pub fn others(
    store: &Store,
    roster: &Arc<Roster>,
    me: &MemberName,
    session: SessionId,
) -> Result<Vec<Replica>, ReplicaError> {
    let mut others = Vec::new();
    for other in store.sessions()?.into_iter().filter(|other| *other != session) {
        match Replica::stored(store, roster, me, other) {
            Ok(replica) => others.extend(replica),
            Err(error @ ReplicaError::Session(SessionError::Opening { .. })) => {
                tracing::debug!(session = %other, "left out: {}", in_one_line(&error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(others)
}

/// Fetches a session's transcript, checks that the coordinator does not contradict what it said before, and adds
/// everything to the replica.
///
/// # Errors
/// [`ReplicaError`] if the call fails, the coordinator contradicts itself, nothing opens the session, or the store fails.
pub async fn fetch(
    connection: &mut Connection,
    store: &Store,
    roster: &Arc<Roster>,
    me: &MemberName,
    session: SessionId,
) -> Result<Replica, ReplicaError> {
    let url = connection.coordinator().url.clone();
    let mut ledger = Ledger::open(store, roster, session, connection.coordinator())?;
    let mut replica: Option<Replica> = None;
    loop {
        let page = connection.transcript(session, ledger.next()).await?;
        ledger.follow(store, &page.entries)?;
        let received: Vec<Envelope> = page.entries.into_iter().map(|entry| entry.statement).collect();
        match &mut replica {
            Some(replica) => {
                replica.absorb(store, &received)?;
                check_invalid(&url, replica.invalid())?;
            }
            None => replica = Replica::open(store, roster, me, session, &received)?,
        }
        if page.is_last {
            return replica.ok_or(ReplicaError::Unknown { session, url });
        }
    }
}

#[cfg(test)]
mod tests;
