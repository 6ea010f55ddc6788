//! A session as this agent holds it: everything that it signed or received, verified, on disk, and folded.
//!
//! What comes from a coordinator is only material. Each envelope is verified here, and only what holds counts:
//!
//! * a statement of another session, another roster, or a drill in a real session is left out, with a warning;
//! * one whose signature or content does not hold likewise;
//! * one of a kind that this version does not know is kept, to be passed on, and counts for nothing;
//! * one with this member's own signature that the store does not hold is taken up into it: the store was set
//!   back, or the key is used elsewhere too, and whoever has promised something must know. What conveners' commands
//!   sign comes in the same way, and is nothing to worry about.
//!
//! The view is kept on disk, so that another coordinator can be given what this one had, and so that a restart
//! without any coordinator still knows everything.

use std::collections::HashSet;
use std::sync::Arc;

use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, SessionId, StatementError, Verified};

use crate::link::{CallError, Connection, MAX_LEFT_OUT};
use crate::sources::fetch::in_one_line;
use crate::store::{Store, StoreError};

mod error;
mod ledger;

pub use error::ViewError;
pub use ledger::Ledger;

/// A session with the statements that are on this agent's disk.
#[derive(Clone, Debug)]
pub struct View {
    session: Session,
    me: MemberName,
    /// Everything that is on disk.
    known: HashSet<Digest>,
    /// Proposals that no member signed.
    foreign_proposals: usize,
    /// How many statements were received that no coordinator accepts.
    left_out: usize,
    /// How many were of kinds that are not known, or cannot be read.
    not_known: usize,
}

/// Proposals that no member signed, and that are kept in one session: what the members of the largest roster may hand
/// on to one coordinator, and as much room again. Anybody may make a key to sign such a proposal with.
const MAX_FOREIGN_PROPOSALS: usize = 1 << 14;
/// Statements that are left out, or of kinds that are not known, each of which is told of. Whoever sends more is not
/// to fill the disk.
const MOST_TOLD: usize = 100;

/// What an envelope comes to.
enum Found {
    Statement(Arc<Verified>),
    /// To be kept and passed on, not to be counted.
    Unknown,
    /// Not to be kept: a member signed what this version cannot read, and a newer one may.
    Unreadable,
    /// Not to be kept: what no coordinator of any version accepts.
    MadeUp,
}

impl View {
    /// The session as the disk has it; `None` where its opening is not there.
    ///
    /// # Errors
    /// As [`View::open`].
    pub fn stored(
        store: &Store,
        roster: &Arc<Roster>,
        me: &MemberName,
        session: SessionId,
    ) -> Result<Option<View>, ViewError> {
        View::open(store, roster, me, session, &[])
    }

    /// The session of what the disk has and what was received; `None` where neither opens it. What was received
    /// is on disk afterwards.
    ///
    /// # Errors
    /// Where the store cannot be read or written, or the opening is refused: it was made with another roster, or
    /// is no convener's.
    pub fn open(
        store: &Store,
        roster: &Arc<Roster>,
        me: &MemberName,
        session: SessionId,
        received: &[Envelope],
    ) -> Result<Option<View>, ViewError> {
        let mut stored = store.signed(session)?;
        stored.extend(store.mirrored(session)?);
        let Some(opened) = opening(stored.iter().chain(received), session, roster)? else { return Ok(None) };
        let opened = Session::open(Arc::new(opened), Arc::clone(roster))?;
        let mut view = View {
            session: opened,
            me: me.clone(),
            known: HashSet::new(),
            foreign_proposals: 0,
            left_out: 0,
            not_known: 0,
        };
        for envelope in stored {
            let digest = envelope.digest();
            match view.find(envelope) {
                Found::Statement(statement) => view.insert(statement),
                Found::Unknown => {}
                Found::Unreadable | Found::MadeUp => continue,
            }
            view.known.insert(digest);
        }
        view.absorb(store, received)?;
        Ok(Some(view))
    }

    /// The session.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// How many statements were received, so far, that no coordinator of any version accepts: with signatures that do not
    /// hold, or of somebody or something else. What a member signed and cannot be read here is not among them, as a
    /// member could make its others leave an honest coordinator by it.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// Takes in what was received, on disk first; returns how many statements were new.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn absorb(&mut self, store: &Store, received: &[Envelope]) -> Result<usize, StoreError> {
        let (mut mirrored, mut own, mut statements) = (Vec::new(), Vec::new(), Vec::new());
        for envelope in received {
            let digest = envelope.digest();
            if self.known.contains(&digest) {
                continue;
            }
            match self.find(envelope.clone()) {
                Found::Statement(statement) if statement.by_member() && *statement.signer() == self.me => {
                    own.push(statement);
                }
                Found::Statement(statement) => {
                    mirrored.push(envelope);
                    statements.push(statement);
                }
                Found::Unknown => {
                    self.not_known += 1;
                    mirrored.push(envelope);
                }
                // Not known by its digest, which leaves the signature out: a forged copy must not stand in the way
                // of the genuine statement.
                Found::Unreadable => {
                    self.not_known += 1;
                    continue;
                }
                Found::MadeUp => {
                    self.left_out += 1;
                    continue;
                }
            }
            self.known.insert(digest);
        }
        if mirrored.is_empty() && own.is_empty() {
            return Ok(0);
        }
        let locked = store.lock()?;
        locked.mirror(self.session.id(), &mirrored)?;
        for statement in &own {
            // Signed by the operator's command in the meantime, or from another store.
            if locked.adopt(self.session.id(), statement)? {
                adopted(statement, store);
            }
        }
        drop(locked);
        let count = own.len() + statements.len();
        for statement in own.into_iter().chain(statements) {
            self.insert(statement);
        }
        Ok(count)
    }

    /// Takes in what another process of this agent has signed since; returns how many statements were new.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn refresh(&mut self, store: &Store) -> Result<usize, StoreError> {
        let mut count = 0;
        for envelope in store.signed(self.session.id())? {
            if self.known.insert(envelope.digest())
                && let Found::Statement(statement) = self.find(envelope)
            {
                self.insert(statement);
                count += 1;
            }
        }
        Ok(count)
    }

    fn insert(&mut self, statement: Arc<Verified>) {
        self.foreign_proposals += usize::from(!statement.by_member());
        if let Err(error) = self.session.insert(statement) {
            tracing::warn!("a statement is left out: {}", in_one_line(&error));
        }
    }

    fn find(&self, envelope: Envelope) -> Found {
        let digest = envelope.digest();
        match Verified::read(envelope, self.session.roster()) {
            Ok(statement) if !statement.by_member() && self.foreign_proposals >= MAX_FOREIGN_PROPOSALS => {
                self.tell(&format!(
                    "{MAX_FOREIGN_PROPOSALS} proposals that no member signed are there already, so that {digest} is \
                     not kept; let a convener propose"
                ));
                Found::MadeUp
            }
            Ok(statement) => match self.session.accepts(&statement) {
                Ok(()) => Found::Statement(Arc::new(statement)),
                Err(error) => {
                    self.tell(&format!("a statement is left out: {}", in_one_line(&error)));
                    Found::MadeUp
                }
            },
            Err(StatementError::UnknownKind { kind }) => {
                if self.are_few() {
                    tracing::info!(
                        "a statement of kind {kind:?}, which this version does not know, counts for nothing here"
                    );
                }
                Found::Unknown
            }
            Err(error) => {
                let found = if is_made_up(&error) { Found::MadeUp } else { Found::Unreadable };
                self.tell(&format!("the statement {digest} is left out: {}", in_one_line(&error)));
                found
            }
        }
    }

    fn are_few(&self) -> bool {
        self.left_out + self.not_known < MOST_TOLD
    }

    /// Tells why a statement is left out, unless there are too many to tell each.
    fn tell(&self, why: &str) {
        if self.are_few() {
            tracing::warn!("{why}");
        } else {
            tracing::debug!("{why}");
        }
    }
}

/// Whether no coordinator can have accepted a statement with this error, whatever its version knows more.
const fn is_made_up(error: &StatementError) -> bool {
    match error {
        StatementError::Envelope(_)
        | StatementError::ForeignType { .. }
        | StatementError::Stranger { .. }
        | StatementError::OtherSigner { .. }
        | StatementError::NotTheMember { .. }
        | StatementError::OtherRoster { .. }
        | StatementError::NotAConvener { .. }
        | StatementError::Session { .. } => true,
        StatementError::UnknownKind { .. }
        | StatementError::Decode { .. }
        | StatementError::Field { .. }
        | StatementError::Name { .. }
        | StatementError::Runs { .. }
        | StatementError::Evidence(_)
        | StatementError::Proof { .. }
        | StatementError::TooLarge { .. } => false,
    }
}

/// Tells that a statement with this member's own signature was not in the store.
fn adopted(statement: &Verified, store: &Store) {
    let (kind, digest) = (statement.body().kind(), statement.digest());
    if matches!(statement.body(), Body::Open(_) | Body::Proposal(_) | Body::Abort(_)) {
        // An agent signs none of these; conveners' commands do, with the same key and without the store.
        tracing::info!("this member's {kind} ({digest}), signed with a convener's command, is kept");
        return;
    }
    tracing::warn!(
        "this member's {kind} ({digest}) was not in {}: was that folder set back, or is the key in use elsewhere? It \
         binds from now on",
        store.folder().display()
    );
}

/// The statement that opens a session; `None` where it is not among these. A copy whose signature does not hold is
/// passed over, as it says nothing about the genuine one.
fn opening<'a>(
    envelopes: impl Iterator<Item = &'a Envelope>,
    session: SessionId,
    roster: &Roster,
) -> Result<Option<Verified>, ViewError> {
    for envelope in envelopes.filter(|one| SessionId::of_open(&one.digest()) == session) {
        match Verified::read(envelope.clone(), roster) {
            Ok(opened) => return Ok(Some(opened)),
            Err(error @ StatementError::Envelope(_)) => {
                tracing::warn!(%session, "a forged copy of its opening is left out: {}", in_one_line(&error));
            }
            Err(source) => return Err(ViewError::Opening { session, source: Box::new(source) }),
        }
    }
    Ok(None)
}

/// The other sessions that the disk knows, which voting rules reach across to. Those of another roster, or that
/// were never opened, are left out.
///
/// # Errors
/// Where the store cannot be read.
pub fn others(
    store: &Store,
    roster: &Arc<Roster>,
    me: &MemberName,
    session: SessionId,
) -> Result<Vec<View>, ViewError> {
    let mut others = Vec::new();
    for other in store.sessions()?.into_iter().filter(|other| *other != session) {
        match View::stored(store, roster, me, other) {
            Ok(view) => others.extend(view),
            Err(error @ ViewError::Opening { .. }) => {
                tracing::debug!(session = %other, "left out: {}", in_one_line(&error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(others)
}

/// Fetches a session's transcript, checks that the coordinator sticks to what it said before, and takes everything
/// in.
///
/// # Errors
/// Where the call fails, the coordinator contradicts itself, nothing opens the session, or the store fails.
pub async fn fetch(
    connection: &mut Connection,
    store: &Store,
    roster: &Arc<Roster>,
    me: &MemberName,
    session: SessionId,
) -> Result<View, ViewError> {
    let mut ledger = Ledger::open(store, session, connection.coordinator())?;
    let mut view: Option<View> = None;
    loop {
        let page = connection.transcript(session, ledger.next()).await?;
        ledger.follow(store, &page.entries)?;
        let received: Vec<Envelope> = page.entries.into_iter().map(|entry| entry.statement).collect();
        match &mut view {
            Some(view) => {
                view.absorb(store, &received)?;
                if view.left_out() > MAX_LEFT_OUT {
                    let url = connection.coordinator().url.clone();
                    return Err(CallError::Junk { url, found: view.left_out() }.into());
                }
            }
            None => view = View::open(store, roster, me, session, &received)?,
        }
        if page.is_last {
            return view
                .ok_or_else(|| ViewError::NotThere { session, url: connection.coordinator().url.clone() });
        }
    }
}

#[cfg(test)]
mod tests;
