//! A session as its statements alone: what members have to sign for it to be completed, made without any process.

use std::collections::BTreeMap;
use std::sync::Arc;

use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Abandonment, Body, Part, SessionId, Verified};
use svdr_protocol::vote::{Decision, Dump, Record, Voter};

use crate::network::{Failure, Network, opening};

/// A session of a network, and everything that was said in it, in order.
pub struct Completed<'n> {
    network: &'n Network,
    drill: bool,
    sequences: BTreeMap<usize, u64>,
    /// The session.
    pub session: Session,
    /// Its statements.
    pub said: Vec<Envelope>,
}

impl<'n> Completed<'n> {
    /// A session that everybody has agreed in, and nobody attested.
    ///
    /// # Errors
    /// Where a statement cannot be made.
    pub fn agreed(network: &'n Network, drill: bool) -> Result<Completed<'n>, Failure> {
        let opened = if drill {
            network.sign_drill(1, None, 1, opening(7))?
        } else {
            network.sign(1, None, 1, opening(7))?
        };
        let roster = Arc::new(network.roster.clone());
        let session = Session::open(Arc::new(Verified::read(opened.clone(), &roster)?), roster)?;
        let sequences = BTreeMap::from([(1, 1)]);
        let mut completed = Completed { network, drill, sequences, session, said: vec![opened] };
        let members = network.roster.members().len();
        for member in 1..=members {
            completed.say(member, network.evidence(member))?;
        }
        let proposal = completed.session.next_proposal(&completed.session.parameters())?;
        let proposal = completed.say(1, Body::Proposal(proposal))?;
        for member in 1..=members {
            completed.agree(member, &proposal)?;
        }
        Ok(completed)
    }

    /// The same, with attestations by the first members, so many.
    ///
    /// # Errors
    /// Where a statement cannot be made.
    pub fn attested(network: &'n Network, drill: bool, by: usize) -> Result<Completed<'n>, Failure> {
        let mut completed = Completed::agreed(network, drill)?;
        for member in 1..=by {
            completed.attest(member)?;
        }
        Ok(completed)
    }

    /// Signs a statement of a member, from 1, and adds it.
    ///
    /// # Errors
    /// Where it cannot be signed, or does not belong to the session.
    pub fn say(&mut self, member: usize, body: Body) -> Result<Digest, Failure> {
        let sequence = self.sequences.entry(member).or_default();
        *sequence += 1;
        let (session, sequence) = (Some(self.session.id()), *sequence);
        let envelope = match self.drill {
            true => self.network.sign_drill(member, session, sequence, body)?,
            false => self.network.sign(member, session, sequence, body)?,
        };
        let one = Verified::read(envelope.clone(), &self.network.roster)?;
        let digest = one.digest();
        self.session.insert(Arc::new(one))?;
        self.said.push(envelope);
        Ok(digest)
    }

    fn agree(&mut self, member: usize, proposal: &Digest) -> Result<(), Failure> {
        let me = self.name(member)?;
        let decision = Voter::new(&me, &Record::new(), &self.session, &[]).agree(proposal);
        match decision {
            Decision::Sign(agreement) => self.say(member, Body::Agreement(agreement)).map(drop),
            other => Err(format!("{me} does not agree: {other:?}").into()),
        }
    }

    /// Attests the first round as a member, from 1, with a dump that is made up.
    ///
    /// # Errors
    /// Where the rules do not let it.
    pub fn attest(&mut self, member: usize) -> Result<(), Failure> {
        let me = self.name(member)?;
        let record = Record::new();
        let voter = Voter::new(&me, &record, &self.session, &[]);
        let Decision::Sign(plan) = voter.dump(1) else { return Err(format!("{me} makes no dump").into()) };
        let at = plan.recovery_timestamp();
        let part = |name: &str| Part {
            name: name.to_owned(),
            digest: Digest::of(name.as_bytes()),
            size: 7,
            file: None,
        };
        let dump = Dump {
            recovery_timestamp: at,
            migration_id: plan.migration_id(),
            whole: part(""),
            parts: vec![part("acs_snapshot")],
            started: at,
            finished: at,
            received: None,
        };
        match voter.attest(1, &dump) {
            Decision::Sign(attestation) => self.say(member, Body::Attestation(attestation)).map(drop),
            other => Err(format!("{me} does not attest: {other:?}").into()),
        }
    }

    /// Abandons the first round as a member, whatever it has signed before.
    ///
    /// # Errors
    /// Where it cannot be signed.
    pub fn abandon(&mut self, member: usize) -> Result<(), Failure> {
        let abandonment = Abandonment { round: 1, reason: "pruned after all".to_owned() };
        self.say(member, Body::Abandonment(abandonment)).map(drop)
    }

    fn name(&self, member: usize) -> Result<svdr_protocol::names::MemberName, Failure> {
        let member = self.network.roster.members().get(member.saturating_sub(1));
        member.map(|member| member.name.clone()).ok_or_else(|| "there is no such member".into())
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.session.id()
    }

    /// Its completion certificate.
    pub fn certificate(&self) -> Option<CompletionCertificate> {
        self.session.completion_certificate()
    }

    /// The lines of the file of its certificate; none where it is not completed.
    pub fn certificate_lines(&self) -> Vec<String> {
        let certificate = self.certificate();
        let statements = certificate.iter().flat_map(CompletionCertificate::statements);
        statements.map(|one| one.envelope().to_json()).collect()
    }
}
