//! A made-up network on disk: a folder with a roster and everybody's keys, and what its members sign.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_cli::signing_key;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::evidence::{Evidence, Observations, Ticks};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Body, Header, Milestone, Open, PlanKind, SessionId, Statement};
use svdr_protocol::time::{Tick, Timestamp};
use tempfile::TempDir;

use crate::members::{members, roster_toml};

/// Anything that goes wrong while a network is made; tests give up on it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A network in a temporary folder: `roster.toml`, `coordinator.key`, `member-N.key` from 1, `observer.key`.
pub struct Network {
    folder: TempDir,
    /// The roster in the folder.
    pub roster: Roster,
    keys: Vec<SigningKey>,
    /// The observer's key.
    pub observer: SigningKey,
}

impl Network {
    /// Makes one with `count` members, of which the first is the convener, and an observer.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn new(count: usize) -> Result<Network, Failure> {
        let folder = tempfile::tempdir()?;
        let key = |name: &str| -> Result<SigningKey, Failure> {
            let path = folder.path().join(name);
            signing_key::create(&path).and_then(|_| signing_key::read(&path)).map_err(Into::into)
        };
        key("coordinator.key")?;
        let observer = key("observer.key")?;
        let keys = (1..=count).map(|n| key(&format!("member-{n}.key"))).collect::<Result<Vec<_>, _>>()?;
        let public: Vec<String> = keys.iter().map(public_text).collect();
        let mut text = roster_toml(&members(count), &public);
        text +=
            &format!("\n[[observer]]\nname = \"Example-Observer\"\nkey = \"{}\"\n", public_text(&observer));
        fs::write(folder.path().join("roster.toml"), &text)?;
        let roster = Roster::parse(&text)?;
        Ok(Network { folder, roster, keys, observer })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The key of a member, from 1.
    ///
    /// # Panics
    /// Where there is no such member.
    pub fn key(&self, member: usize) -> &SigningKey {
        &self.keys[member - 1]
    }

    /// Writes `agent-N.toml` for a member, from 1, with that coordinator.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write_config(&self, member: usize, url: &str, coordinator_key: &str) -> io::Result<()> {
        let text = format!(
            "roster = \"roster.toml\"\n[signing]\nkey = \"member-{member}.key\"\n\
             [[coordinator]]\nurl = \"{url}\"\nkey = \"{coordinator_key}\"\n[sv_app]\nmigration_id = 6\n"
        );
        fs::write(self.path().join(format!("agent-{member}.toml")), text)
    }

    fn header(&self, member: usize, session: Option<SessionId>, drill: bool, sequence: u64) -> Header {
        Header {
            session,
            roster: self.roster.fingerprint(),
            drill,
            signer: self.roster.members()[member - 1].name.clone(),
            sequence,
            software: "svdr-tests".to_owned(),
        }
    }

    /// Signs a statement as a member, from 1.
    ///
    /// # Errors
    /// Where it cannot be signed.
    pub fn sign(
        &self,
        member: usize,
        session: Option<SessionId>,
        sequence: u64,
        body: Body,
    ) -> Result<Envelope, Failure> {
        let header = self.header(member, session, false, sequence);
        Ok(Statement { header, body }.sign(self.key(member))?)
    }

    /// Signs a statement that says it is a drill's.
    ///
    /// # Errors
    /// Where it cannot be signed.
    pub fn sign_drill(
        &self,
        member: usize,
        session: Option<SessionId>,
        sequence: u64,
        body: Body,
    ) -> Result<Envelope, Failure> {
        let header = self.header(member, session, true, sequence);
        Ok(Statement { header, body }.sign(self.key(member))?)
    }

    /// A member's evidence of matches with everybody at every minute of an hour.
    ///
    /// # Panics
    /// Where there is no such member.
    pub fn evidence(&self, member: usize) -> Body {
        self.evidence_of(member, 60)
    }

    /// A member's evidence of matches with everybody at so many minutes.
    ///
    /// # Panics
    /// Where there is no such member.
    pub fn evidence_of(&self, member: usize, minutes: i64) -> Body {
        self.evidence_at(member, &(0..minutes).filter_map(minute).map(Tick).collect())
    }

    /// A member's evidence of matches with everybody at these ticks.
    ///
    /// # Panics
    /// Where there is no such member.
    pub fn evidence_at(&self, member: usize, ticks: &Ticks) -> Body {
        let own = &self.roster.members()[member - 1];
        let others = self.roster.members().iter().filter(|other| other.name != own.name);
        let about = others.map(|other| {
            (other.name.clone(), Observations { matches: ticks.clone(), mismatches: Ticks::default() })
        });
        Body::Evidence(Evidence {
            member: own.name.clone(),
            participant: own.participant.clone(),
            synchronizers: [self.roster.synchronizer().short()].into(),
            log_span: None,
            about: about.collect(),
            unattributed_mismatches: 0,
        })
    }
}

/// Opens a session; its id is `SessionId::of_open` of the envelope's digest.
pub fn opening(nonce: u8) -> Body {
    Body::Open(Open {
        reason: "the synchronizer lost its state".to_owned(),
        margin: Duration::from_secs(900),
        migration_id: 6,
        predecessors: Default::default(),
        nonce: [nonce; 16],
        coordinators: Vec::new(),
        plan: PlanKind::Dump,
    })
}

/// Marks a step of the runbook.
pub fn milestone(name: &str) -> Body {
    Body::Milestone(Milestone { name: name.to_owned(), note: String::new() })
}

fn minute(n: i64) -> Option<Timestamp> {
    Timestamp::from_micros(1_776_816_000_000_000 + n * 60_000_000)
}

fn public_text(key: &SigningKey) -> String {
    PublicKey::from(key.verifying_key()).to_string()
}
