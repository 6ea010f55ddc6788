//! A network of a few members for unit tests, and what they sign.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::evidence::{Evidence, Observations, Ticks};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, Header, Milestone, Open, PlanKind, SessionId, Statement, Verified};
use svdr_protocol::time::{Tick, Timestamp};

/// Members `SV-0`, `SV-1`, …, of whom the first is the convener.
pub(crate) struct Net {
    pub(crate) roster: Arc<Roster>,
    sequence: Cell<u64>,
}

pub(crate) fn key(member: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(member).unwrap() + 1; 32])
}

impl Net {
    pub(crate) fn new(members: usize) -> Net {
        Net::with_conveners(members, 1)
    }

    /// Members of whom the first ones are conveners.
    pub(crate) fn with_conveners(members: usize, conveners: usize) -> Net {
        let member = |at: usize| {
            let public = PublicKey::from(key(at).verifying_key());
            format!(
                "[[member]]\nname = \"SV-{at}\"\nparticipant = \"PAR::sv-{at}::abc\"\nkey = \"{public}\"\nconvener = {}\n",
                at < conveners
            )
        };
        let members: String = (0..members).map(member).collect();
        let text = format!("network = \"N\"\nsynchronizer = \"global::abc\"\n{members}");
        Net { roster: Arc::new(Roster::parse(&text).unwrap()), sequence: Cell::new(0) }
    }

    pub(crate) fn envelope(&self, member: usize, session: Option<SessionId>, body: Body) -> Envelope {
        self.sequence.set(self.sequence.get() + 1);
        let header = Header {
            session,
            roster: self.roster.fingerprint(),
            drill: false,
            signer: self.roster.members()[member].name.clone(),
            sequence: self.sequence.get(),
            software: "test 1".to_owned(),
        };
        Statement { header, body }.sign(&key(member)).unwrap()
    }

    pub(crate) fn opening(&self, nonce: u8) -> Envelope {
        self.opening_by(0, nonce)
    }

    pub(crate) fn opening_by(&self, convener: usize, nonce: u8) -> Envelope {
        let open = Open {
            reason: "CometBFT forked".to_owned(),
            margin: Duration::from_secs(900),
            migration_id: 6,
            predecessors: Default::default(),
            nonce: [nonce; 16],
            coordinators: Vec::new(),
            plan: PlanKind::Dump,
        };
        self.envelope(convener, None, Body::Open(open))
    }

    pub(crate) fn open(&self) -> Session {
        let opening = Verified::read(self.opening(1), &self.roster).unwrap();
        Session::open(Arc::new(opening), Arc::clone(&self.roster)).unwrap()
    }

    pub(crate) fn sign(&self, session: &Session, member: usize, body: Body) -> Arc<Verified> {
        let envelope = self.envelope(member, Some(session.id()), body);
        Arc::new(Verified::read(envelope, &self.roster).unwrap())
    }

    pub(crate) fn milestone(&self, session: SessionId, member: usize, note: &str) -> Envelope {
        let body = Body::Milestone(Milestone { name: "step".to_owned(), note: note.to_owned() });
        self.envelope(member, Some(session), body)
    }

    /// Matches with everybody else, every minute for an hour.
    pub(crate) fn evidence(&self, session: &Session, member: usize) -> Arc<Verified> {
        let of = &self.roster.members()[member];
        let minute = |n: i64| Timestamp::from_micros(1_776_000_000_000_000 + n * 60_000_000).unwrap();
        let ticks: Ticks = (0..60).map(minute).map(Tick).collect();
        let others = self.roster.members().iter().filter(|other| other.name != of.name);
        let about = others.map(|other| {
            (other.name.clone(), Observations { matches: ticks.clone(), mismatches: Ticks::default() })
        });
        let evidence = Evidence {
            member: of.name.clone(),
            participant: of.participant.clone(),
            synchronizers: [self.roster.synchronizer().short()].into(),
            log_span: None,
            about: about.collect(),
            unattributed_mismatches: 0,
        };
        self.sign(session, member, Body::Evidence(evidence))
    }
}
