//! One session of the board: its transcript, its state, and how much of its limits each member has used.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use ed25519_dalek::SigningKey;
use svdr_proto::limits::{MAX_BYTES_PER_MEMBER, MAX_FOREIGN_PROPOSALS_PER_MEMBER, MAX_STATEMENTS_PER_MEMBER};
use svdr_proto::v1;
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::receipt::{Chain, JournalId, Receipt};
use svdr_protocol::session::Session;
use svdr_protocol::statement::AnyStatement;
use svdr_protocol::time::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::incoming::Incoming;
use crate::refusal::CallRefusal;

/// A statement with its place in the transcript.
#[derive(Debug)]
pub struct Placed {
    /// What was accepted.
    pub statement: AnyStatement,
    /// Its place.
    pub receipt: Receipt,
    signed: OnceLock<v1::Envelope>,
}

impl Placed {
    /// The receipt under the coordinator's signature, made when it is first asked for.
    pub fn signed_receipt(&self, key: &SigningKey) -> v1::Envelope {
        self.signed.get_or_init(|| self.receipt.sign(key).to_message()).clone()
    }
}

/// Who brings a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A member, over the wire.
    Member(MemberName),
    /// The coordinator itself: its own proposals, and what it finds in its journal.
    Itself,
}

/// Whether a statement was new.
#[derive(Debug)]
pub enum Accepted {
    /// It has a place now; it must be written.
    New(Arc<Placed>),
    /// It had a place already.
    Known(Arc<Placed>),
}

#[derive(Debug, Default)]
struct Used {
    statements: u64,
    bytes: u64,
    foreign_proposals: u64,
}

/// What a receipt says about its journal: which it is, and when the statement was accepted there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acceptance {
    pub(super) journal: Option<JournalId>,
    pub(super) accepted: Option<Timestamp>,
}

/// A session with its transcript.
#[derive(Debug)]
pub(super) struct Slot {
    /// The state, as far as it is on disk.
    pub(super) session: Session,
    /// Entries in order; those from `durable` on are on their way to the disk.
    entries: Vec<Arc<Placed>>,
    durable: u64,
    /// Tells watchers how many entries are on disk.
    pub(super) length: watch::Sender<u64>,
    chain: Chain,
    places: HashMap<Digest, u64>,
    used: BTreeMap<MemberName, Used>,
    /// When evidence of as many members as the threshold was there.
    pub(super) reached: Option<Instant>,
    /// The evidence of the latest try to propose.
    pub(super) tried: Option<BTreeSet<Digest>>,
    /// Whether the log says that this coordinator may not propose here.
    pub(super) is_without_mandate: bool,
}

impl Slot {
    pub(super) fn new(session: Session) -> Slot {
        Slot {
            chain: Chain::new(session.id()),
            session,
            entries: Vec::new(),
            durable: 0,
            length: watch::Sender::new(0),
            places: HashMap::new(),
            used: BTreeMap::new(),
            reached: None,
            tried: None,
            is_without_mandate: false,
        }
    }

    /// Gives a statement its place, if it belongs here and nobody has used too much.
    pub(super) fn accept(
        &mut self,
        incoming: Incoming,
        from: &From,
        acceptance: Acceptance,
    ) -> Result<Accepted, CallRefusal> {
        // Agents submit everything to every coordinator, so known statements are common and must cost nothing.
        let digest = incoming.statement.digest();
        if let Some(entry) = self.places.get(&digest).and_then(|&at| self.entries.get(at as usize)) {
            return Ok(Accepted::Known(Arc::clone(entry)));
        }
        self.session.admits(&incoming.statement)?;
        self.charge(&incoming.statement, from)?;
        let Acceptance { journal, accepted } = acceptance;
        let receipt = Receipt { journal, accepted, ..self.chain.append(digest) };
        self.places.insert(digest, receipt.position);
        let entry = Arc::new(Placed { statement: incoming.statement, receipt, signed: OnceLock::new() });
        self.entries.push(Arc::clone(&entry));
        Ok(Accepted::New(entry))
    }

    /// Counts a statement against its signer; another coordinator's proposal against the member that forwards it.
    fn charge(&mut self, statement: &AnyStatement, from: &From) -> Result<(), CallRefusal> {
        let session = self.session.id();
        // The key of another coordinator is in no roster, so its proposals are limited by who forwards them.
        let foreign = !statement.by_member();
        let payer = match (foreign, from) {
            (false, _) => statement.signer().clone(),
            (true, From::Member(member)) => member.clone(),
            (true, From::Itself) => return Ok(()),
        };
        let used = self.used.entry(payer.clone()).or_default();
        let bytes = statement.envelope().payload_len() as u64;
        if foreign && used.foreign_proposals >= MAX_FOREIGN_PROPOSALS_PER_MEMBER {
            return Err(CallRefusal::TooManyForeignProposals { client: payer, session });
        }
        if used.statements >= MAX_STATEMENTS_PER_MEMBER {
            return Err(CallRefusal::TooManyStatements { signer: payer, session });
        }
        if used.bytes + bytes > MAX_BYTES_PER_MEMBER {
            return Err(CallRefusal::TooManyBytes { signer: payer, session });
        }
        used.statements += 1;
        used.bytes += bytes;
        used.foreign_proposals += u64::from(foreign);
        Ok(())
    }

    /// The next entry in order is on disk: it counts from now on, and watchers may have it.
    pub(super) fn confirm(&mut self, entry: &Placed) {
        debug_assert_eq!(entry.receipt.position, self.durable);
        self.durable = entry.receipt.position + 1;
        // `accept` found that it belongs here, and that cannot change.
        let _ = self.session.add(&entry.statement);
        self.length.send_replace(self.durable);
    }

    /// How many entries are on disk.
    pub(super) const fn durable(&self) -> u64 {
        self.durable
    }

    /// The entries on disk from a position on, at most so many.
    pub(super) fn page(&self, from: u64, most: usize) -> Vec<Arc<Placed>> {
        // Only entries that are there become durable.
        let on_disk = &self.entries[..self.durable as usize];
        let start = usize::try_from(from).unwrap_or(usize::MAX);
        on_disk.iter().skip(start).take(most).cloned().collect()
    }

    /// The head of the chain, as far as it is on disk.
    pub(super) fn head(&self) -> Option<Digest> {
        let last = usize::try_from(self.durable).ok()?.checked_sub(1)?;
        self.entries.get(last).map(|entry| entry.receipt.head)
    }

    /// Statements of a member.
    pub(super) fn statements_of(&self, member: &MemberName) -> u64 {
        self.used.get(member).map_or(0, |used| used.statements)
    }
}
