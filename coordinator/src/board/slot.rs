//! One session as the board keeps it: its transcript, its state, and what everybody has used of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use ed25519_dalek::SigningKey;
use svdr_proto::limits::{MAX_BYTES_PER_MEMBER, MAX_FOREIGN_PROPOSALS_PER_MEMBER, MAX_STATEMENTS_PER_MEMBER};
use svdr_proto::v1;
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::receipt::{Chain, Receipt};
use svdr_protocol::session::Session;
use svdr_protocol::statement::Body;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::incoming::{Incoming, Kept};
use crate::refusal::Refusal;

/// A statement with its place in the transcript.
#[derive(Debug)]
pub struct Entry {
    /// What was accepted.
    pub statement: Kept,
    /// Where it stands.
    pub receipt: Receipt,
    signed: OnceLock<v1::Envelope>,
}

impl Entry {
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

/// What became of a statement.
#[derive(Debug)]
pub enum Accepted {
    /// It has a place now; it has to be written.
    New(Arc<Entry>),
    /// It had a place already.
    Known(Arc<Entry>),
}

#[derive(Debug, Default)]
struct Used {
    statements: u64,
    bytes: u64,
    foreign_proposals: u64,
}

/// A session with its transcript.
#[derive(Debug)]
pub(super) struct Slot {
    /// The state, as far as it is on disk.
    pub(super) session: Session,
    /// Entries in order; those from `durable` on are on their way to the disk.
    entries: Vec<Arc<Entry>>,
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
        }
    }

    /// Gives a statement its place, if it belongs here and nobody has used too much.
    pub(super) fn accept(&mut self, incoming: Incoming, from: &From) -> Result<Accepted, Refusal> {
        let digest = incoming.statement.digest();
        if let Some(entry) = self.places.get(&digest).and_then(|&at| self.entries.get(at as usize)) {
            return Ok(Accepted::Known(Arc::clone(entry)));
        }
        self.belongs(&incoming)?;
        self.charge(&incoming.statement, from)?;
        let receipt = self.chain.append(digest);
        self.places.insert(digest, receipt.position);
        let entry = Arc::new(Entry { statement: incoming.statement, receipt, signed: OnceLock::new() });
        self.entries.push(Arc::clone(&entry));
        Ok(Accepted::New(entry))
    }

    fn belongs(&self, incoming: &Incoming) -> Result<(), Refusal> {
        match &incoming.statement {
            // The opening itself names no session.
            Kept::Known(known) if matches!(known.body(), Body::Open(_)) => Ok(()),
            Kept::Known(known) => Ok(self.session.accepts(known)?),
            Kept::Unknown(_) if incoming.drill == self.session.drill() => Ok(()),
            Kept::Unknown(_) => Err(Refusal::UnknownKind {
                kind: incoming.statement.kind().to_owned(),
                signer: incoming.statement.signer().clone(),
            }),
        }
    }

    /// Counts a statement against its signer; a foreign coordinator's proposal against whoever brings it.
    fn charge(&mut self, statement: &Kept, from: &From) -> Result<(), Refusal> {
        let session = self.session.id();
        let foreign = !statement.by_member();
        let payer = match (foreign, from) {
            (false, _) => statement.signer().clone(),
            (true, From::Member(member)) => member.clone(),
            (true, From::Itself) => return Ok(()),
        };
        let used = self.used.entry(payer.clone()).or_default();
        let bytes = statement.envelope().payload_len() as u64;
        if foreign && used.foreign_proposals >= MAX_FOREIGN_PROPOSALS_PER_MEMBER {
            return Err(Refusal::TooManyForeignProposals { client: payer, session });
        }
        if used.statements >= MAX_STATEMENTS_PER_MEMBER {
            return Err(Refusal::TooManyStatements { signer: payer, session });
        }
        if used.bytes + bytes > MAX_BYTES_PER_MEMBER {
            return Err(Refusal::TooManyBytes { signer: payer, session });
        }
        used.statements += 1;
        used.bytes += bytes;
        used.foreign_proposals += u64::from(foreign);
        Ok(())
    }

    /// The next entry in order is on disk: it counts from now on, and watchers may have it.
    pub(super) fn confirm(&mut self, entry: &Entry) {
        debug_assert_eq!(entry.receipt.position, self.durable);
        self.durable = entry.receipt.position + 1;
        if let Kept::Known(known) = &entry.statement
            && !matches!(known.body(), Body::Open(_))
        {
            // It was found to belong here when it was accepted, and nothing about that can change.
            let _ = self.session.insert(Arc::clone(known));
        }
        self.length.send_replace(self.durable);
    }

    /// How many entries are on disk.
    pub(super) const fn durable(&self) -> u64 {
        self.durable
    }

    /// The entries on disk from a position on, at most so many.
    pub(super) fn page(&self, from: u64, most: usize) -> Vec<Arc<Entry>> {
        let on_disk = self.entries.get(..self.durable as usize).unwrap_or_default();
        let start = usize::try_from(from).unwrap_or(usize::MAX).min(on_disk.len());
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
