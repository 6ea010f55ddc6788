//! Transcripts: a session's statements as coordinators acknowledged them, enough to verify everything offline.
//!
//! A transcript is text, one DSSE envelope in JSON a line: statements, and receipts of the coordinators that
//! acknowledged them. [`write()`] puts each receipt after its statement, but the order has no meaning: transcripts of
//! several coordinators, certificates and single statements may be in one file. [`verify`] checks
//! everything that can be checked with nothing but the roster:
//!
//! * every signature, and every statement's content;
//! * each coordinator's hash chain in each of its journals: positions without gaps from 0, heads that follow from the
//!   statements;
//! * every proposal that somebody agreed to, computed again;
//! * both certificates, counted;
//! * every attestation of a received dump, compared with the donation that it names;
//! * equivocations, of members within and across sessions, and of coordinators.
//!
//! An invalid line is reported with its number, and not used for anything else. A statement of a newer version is not an
//! error: it is reported, coordinators may acknowledge it, and it has no other effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::certificate::CompletionCertificate;
use crate::digest::Digest;
use crate::dsse::{Envelope, EnvelopeError};
use crate::equivocation::{self, Equivocation};
use crate::keys::PublicKey;
use crate::receipt::{self, Broken, Chain, Fork, JournalId, ReceiptError, VerifiedReceipt};
use crate::roster::Roster;
use crate::session::{NotAdmitted, Phase, Session, Unconfirmed};
use crate::statement::{AnyStatement, Body, RoundOf, SessionId, StatementError, Unknown, Verified};

/// What a transcript contains, and what of it is invalid.
#[derive(Debug)]
pub struct Report {
    /// Every line that was read, in their order.
    pub lines: Vec<Line>,
    /// The sessions opened in it, in the order of their ids.
    pub sessions: Vec<SessionReport>,
    /// Coordinators' transcripts, as far as receipts tell.
    pub chains: Vec<ChainReport>,
    /// Members that contradicted themselves, within and across sessions.
    pub equivocations: Vec<Equivocation>,
    /// Coordinators that did.
    pub forks: Vec<Fork>,
}

/// One line.
#[derive(Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// Its content.
    pub content: Content,
}

/// The content of a line.
#[derive(Debug)]
pub enum Content {
    /// A valid statement.
    Statement(Arc<Verified>),
    /// A valid receipt.
    Receipt(Box<VerifiedReceipt>),
    /// A statement of a newer version.
    Unknown(Arc<Unknown>),
    /// Neither.
    Refused(LineError),
}

/// Why a line is invalid.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not a valid statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// It is not a valid receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The statement contradicts the opening of its session, or is malformed.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
}

/// A session in a transcript.
#[derive(Debug)]
pub struct SessionReport {
    /// The session.
    pub session: Session,
    /// Its phase.
    pub phase: Phase,
    /// The proposals that somebody agreed to, computed again.
    pub proposals: Vec<Recomputed>,
    /// Its completion certificates; more than one only if members equivocated or released.
    pub completed: Vec<CompletionCertificate>,
}

/// A proposal that was computed again.
#[derive(Debug)]
pub struct Recomputed {
    /// Its digest.
    pub proposal: Digest,
    /// Its round.
    pub round: RoundOf,
    /// Whether it has an agreement certificate.
    pub certified: bool,
    /// Why it does not follow from its evidence. A certificate alone has no evidence to compute it from.
    pub refused: Option<Unconfirmed>,
}

/// One coordinator's chain over one session, in one of its journals.
#[derive(Debug)]
pub struct ChainReport {
    /// The coordinator's key.
    pub coordinator: PublicKey,
    /// The journal; `None` in receipts of earlier versions.
    pub journal: Option<JournalId>,
    /// The session.
    pub session: SessionId,
    /// How many of its statements follow each other from the beginning.
    pub len: u64,
    /// Why the chain is broken, if it is.
    pub broken: Option<ChainError>,
}

/// Why a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A receipt does not follow.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The statement that it acknowledges is not in the transcript.
    #[error(
        "the coordinator acknowledged statement {statement} at position {position}, but the transcript does not have \
         that statement\nhelp: get the whole transcript"
    )]
    Withheld {
        /// Its digest.
        statement: Digest,
        /// Its position.
        position: u64,
    },
}

impl Report {
    /// Whether everything in it is valid.
    pub fn holds(&self) -> bool {
        let lines = self.lines.iter().all(|line| !matches!(line.content, Content::Refused(_)));
        let acknowledged: BTreeSet<SessionId> = self.chains.iter().map(|chain| chain.session).collect();
        let proposals = self.sessions.iter().flat_map(|session| &session.proposals);
        // A certificate alone has no evidence; a coordinator's transcript has all of it.
        let follows = |one: &Recomputed| match &one.refused {
            None => true,
            Some(Unconfirmed::Missing { .. }) => !acknowledged.contains(&one.round.session),
            Some(_) => false,
        };
        lines
            && self.equivocations.is_empty()
            && self.forks.is_empty()
            && self.chains.iter().all(|chain| chain.broken.is_none())
            && proposals.into_iter().all(follows)
            && self.sessions.iter().all(|session| session.completed.len() <= 1)
            && self.sessions.iter().all(|one| one.session.received().iter().all(|dump| dump.misfit.is_none()))
    }
}

/// Writes a transcript: each statement with its receipts after it, one envelope a line.
pub fn write<'a>(
    entries: impl IntoIterator<Item = (&'a Envelope, &'a [Envelope])>,
    mut line: impl FnMut(&str),
) {
    for (statement, receipts) in entries {
        line(&statement.to_json());
        for receipt in receipts {
            line(&receipt.to_json());
        }
    }
}

/// Verifies lines of envelopes in JSON, each with its number from 1; blank ones are passed over.
pub fn verify<'a>(lines: impl IntoIterator<Item = (usize, &'a [u8])>, roster: &Arc<Roster>) -> Report {
    let mut verifier = Verifier::new(Arc::clone(roster));
    for (number, line) in lines {
        verifier.line(number, line);
    }
    verifier.finish()
}

/// Verifies a transcript line by line, so that it need not be in memory as text.
#[derive(Debug)]
pub struct Verifier {
    roster: Arc<Roster>,
    lines: Vec<Line>,
}

impl Verifier {
    /// A verifier that has seen nothing.
    pub const fn new(roster: Arc<Roster>) -> Verifier {
        Verifier { roster, lines: Vec::new() }
    }

    /// Reads a line, without its end.
    pub fn line(&mut self, number: usize, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let content = match Envelope::from_json(line) {
            Ok(envelope) => self.envelope(envelope),
            Err(error) => Content::Refused(refused(error)),
        };
        self.lines.push(Line { number, content });
    }

    fn envelope(&self, envelope: Envelope) -> Content {
        if envelope.payload_type() == receipt::PAYLOAD_TYPE {
            return match VerifiedReceipt::read(envelope, None) {
                Ok(receipt) => Content::Receipt(Box::new(receipt)),
                Err(error) => Content::Refused(error.into()),
            };
        }
        match AnyStatement::read(envelope, &self.roster) {
            Ok(AnyStatement::Known(statement)) => Content::Statement(statement),
            Ok(AnyStatement::Unknown(unknown)) => Content::Unknown(unknown),
            Err(error) => Content::Refused(error.into()),
        }
    }

    /// Puts together what was read.
    pub fn finish(mut self) -> Report {
        let sessions = self.sessions();
        let statements = || {
            self.lines.iter().filter_map(|line| match &line.content {
                Content::Statement(statement) => Some(statement),
                _ => None,
            })
        };
        let equivocations = equivocation::find(statements());
        // Coordinators acknowledge those of newer versions as well.
        let of_newer = self.lines.iter().filter_map(|line| match &line.content {
            Content::Unknown(unknown) => Some(unknown.digest()),
            _ => None,
        });
        let known: BTreeSet<Digest> = statements().map(|one| one.digest()).chain(of_newer).collect();
        let (chains, forks) = self.chains(&known);
        let sessions = sessions.into_values().map(session_report).collect();
        Report { lines: self.lines, sessions, chains, equivocations, forks }
    }

    /// The sessions opened, with all their statements. A statement that contradicts its opening becomes a refused
    /// line.
    fn sessions(&mut self) -> BTreeMap<SessionId, Session> {
        let mut sessions = BTreeMap::new();
        for line in &self.lines {
            if let Content::Statement(one) = &line.content
                && let Ok(session) = Session::open(Arc::clone(one), Arc::clone(&self.roster))
            {
                sessions.insert(session.id(), session);
            }
        }
        for line in &mut self.lines {
            let statement = match &line.content {
                Content::Statement(one) => AnyStatement::Known(Arc::clone(one)),
                Content::Unknown(unknown) => AnyStatement::Unknown(Arc::clone(unknown)),
                Content::Receipt(_) | Content::Refused(_) => continue,
            };
            let added = match statement.session().and_then(|id| sessions.get_mut(&id)) {
                Some(session) => session.add(&statement).map(drop).map_err(LineError::from),
                None => alone(&statement),
            };
            if let Err(error) = added {
                line.content = Content::Refused(error);
            }
        }
        sessions
    }

    fn chains(&self, known: &BTreeSet<Digest>) -> (Vec<ChainReport>, Vec<Fork>) {
        let mut chains: BTreeMap<_, BTreeMap<u64, &VerifiedReceipt>> = BTreeMap::new();
        let mut forks = Vec::new();
        for line in &self.lines {
            let Content::Receipt(one) = &line.content else { continue };
            let (coordinator, receipt) = (one.coordinator().to_string(), one.receipt());
            let chain = chains.entry((coordinator, receipt.session, receipt.journal)).or_default();
            // The first receipt of a position stays; a second one is the same, or proves a fork.
            let first = chain.entry(receipt.position).or_insert(one);
            if first.contradicts(one) {
                forks.push(Fork { first: (*first).clone(), second: VerifiedReceipt::clone(one) });
            }
        }
        forks.extend(self.second_histories());
        let chains = chains.into_values().filter_map(|receipts| chain_report(&receipts, known));
        (chains.collect(), forks)
    }

    /// Coordinators that went on with an older journal after they had made a newer one: at most one proof for each journal.
    fn second_histories(&self) -> Vec<Fork> {
        let mut latest: BTreeMap<_, &VerifiedReceipt> = BTreeMap::new();
        for line in &self.lines {
            let Content::Receipt(one) = &line.content else { continue };
            let found = latest.entry((one.coordinator().to_string(), one.receipt().journal)).or_insert(one);
            if found.receipt().accepted < one.receipt().accepted {
                *found = one;
            }
        }
        // In the order of the journals: the next one of the same coordinator is the first that is newer.
        let pairs = latest.values().zip(latest.values().skip(1));
        pairs
            .filter(|(older, newer)| older.contradicts(newer))
            .map(|(older, newer)| Fork {
                first: VerifiedReceipt::clone(older),
                second: VerifiedReceipt::clone(newer),
            })
            .collect()
    }
}

/// Checks a statement whose session is not opened in the transcript.
fn alone(statement: &AnyStatement) -> Result<(), LineError> {
    let AnyStatement::Unknown(unknown) = statement else { return Ok(()) };
    if let Some(error) = unknown.malformed() {
        return Err(NotAdmitted::Malformed(Arc::clone(error)).into());
    }
    // Only an opening says which other keys may sign.
    if unknown.by_member() {
        Ok(())
    } else {
        Err(StatementError::Stranger { key: unknown.key().to_string() }.into())
    }
}

fn refused(error: EnvelopeError) -> LineError {
    LineError::Statement(error.into())
}

fn chain_report(receipts: &BTreeMap<u64, &VerifiedReceipt>, known: &BTreeSet<Digest>) -> Option<ChainReport> {
    let (_, first) = receipts.first_key_value()?;
    let (session, journal) = (first.receipt().session, first.receipt().journal);
    let mut chain = Chain::new(session);
    let mut broken = None;
    for one in receipts.values() {
        let (statement, position) = (one.receipt().statement, one.receipt().position);
        if let Err(error) = chain.follow(one.receipt()) {
            broken = Some(error.into());
        } else if !known.contains(&statement) {
            broken = Some(ChainError::Withheld { statement, position });
        }
        if broken.is_some() {
            break;
        }
    }
    Some(ChainReport { coordinator: first.coordinator(), journal, session, len: chain.len(), broken })
}

fn session_report(session: Session) -> SessionReport {
    let mut proposals = Vec::new();
    for round in 1..=session.latest_round() {
        let certified = session.agreement_certificate(round).map(|one| one.proposal().digest());
        for one in session.proposals(round) {
            let digest = one.digest();
            let Body::Proposal(proposal) = one.body() else { continue };
            if session.agreements(round, &digest).is_empty() {
                continue;
            }
            proposals.push(Recomputed {
                proposal: digest,
                round: session.round_of(round),
                certified: certified == Some(digest),
                refused: session.recompute(proposal).err(),
            });
        }
    }
    let completed = session.completion_certificates().collect();
    SessionReport { phase: session.phase(), session, proposals, completed }
}

#[cfg(test)]
mod tests;
