//! What was verified, as the JSON document of `verify --output json`; its keys are stable.

use std::collections::HashMap;

use serde::Serialize;
use svdr_cli::screens::facts::{Remark, SessionFacts, phase_name};
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::failure::Told;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{ReceivedDump, Unconfirmed};
use svdr_protocol::statement::{Body, Verified};
use svdr_protocol::time::Timestamp;
use svdr_protocol::transcript::{ChainReport, Content, Line, Recomputed, Report, SessionReport};

use super::Places;

/// Everything that `verify` says.
#[derive(Debug, Serialize)]
pub(super) struct VerifyDocument {
    /// Whether all of it holds.
    pub(super) holds: bool,
    /// Every statement, and every line that is neither statement nor receipt.
    pub(super) statements: Vec<Checked>,
    /// How many receipts there are.
    pub(super) receipts: usize,
    /// Sessions that are opened in it.
    pub(super) sessions: Vec<SessionEntry>,
    /// Hash chains of coordinators.
    pub(super) chains: Vec<ChainEntry>,
    /// Members that contradicted themselves.
    pub(super) equivocations: Vec<EquivocationEntry>,
    /// Coordinators that did.
    pub(super) forks: Vec<ForkEntry>,
}

/// One statement and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) holds: bool,
    pub(super) kind: Option<String>,
    pub(super) signer: Option<MemberName>,
    pub(super) session: Option<String>,
    pub(super) drill: Option<bool>,
    pub(super) sequence: Option<u64>,
    pub(super) digest: Option<Digest>,
    pub(super) says: Option<String>,
    pub(super) error: Option<String>,
}

/// A session.
#[derive(Debug, Serialize)]
pub(super) struct SessionEntry {
    pub(super) session: String,
    pub(super) drill: bool,
    pub(super) reason: String,
    pub(super) phase: &'static str,
    pub(super) statements: usize,
    pub(super) threshold: usize,
    pub(super) members: usize,
    pub(super) proposals: Vec<ProposalEntry>,
    pub(super) completed: Vec<Completed>,
    pub(super) donations: Vec<DonationEntry>,
    pub(super) received: Vec<ReceivedDumpEntry>,
    pub(super) releases: Vec<Remark>,
    pub(super) aborts: Vec<Remark>,
}

/// A proposal that somebody agreed to.
#[derive(Debug, Serialize)]
pub(super) struct ProposalEntry {
    pub(super) round: u32,
    pub(super) proposal: Digest,
    /// `true` where it follows from its evidence, `false` where not, `null` where the evidence is not here.
    pub(super) follows: Option<bool>,
    pub(super) reason: Option<String>,
    pub(super) agreed_by: Vec<MemberName>,
    pub(super) certified: bool,
}

/// A completion certificate.
#[derive(Debug, Serialize)]
pub(super) struct Completed {
    pub(super) round: u32,
    pub(super) recovery_timestamp: Timestamp,
    pub(super) migration_id: u64,
    pub(super) agreed_by: Vec<MemberName>,
    pub(super) attested_by: Vec<MemberName>,
}

/// A snapshot that a member donates.
#[derive(Debug, Serialize)]
pub(super) struct DonationEntry {
    pub(super) donor: MemberName,
    pub(super) donation: Digest,
    pub(super) round: u32,
    /// Whether it is of an agreed plan, by a member that is covered and has agreed, and its latest.
    pub(super) counts: bool,
    pub(super) recovery_timestamp: Timestamp,
    pub(super) party: String,
    pub(super) size: u64,
    pub(super) sha256: Digest,
    pub(super) url: Option<String>,
}

/// An attestation of a received dump.
#[derive(Debug, Serialize)]
pub(super) struct ReceivedDumpEntry {
    pub(super) member: MemberName,
    pub(super) attestation: Digest,
    pub(super) round: u32,
    pub(super) from: MemberName,
    pub(super) donation: Digest,
    /// `true` where it is what was donated, `false` where not, `null` where the donation is not here.
    pub(super) fits: Option<bool>,
    pub(super) reason: Option<String>,
}

/// A coordinator's chain over one session, in one journal.
#[derive(Debug, Serialize)]
pub(super) struct ChainEntry {
    pub(super) coordinator: String,
    /// `null` in receipts of earlier versions.
    pub(super) journal: Option<String>,
    pub(super) session: String,
    pub(super) length: u64,
    pub(super) error: Option<String>,
}

/// Two statements that one signer may not both sign.
#[derive(Debug, Serialize)]
pub(super) struct EquivocationEntry {
    pub(super) signer: MemberName,
    pub(super) what: String,
    pub(super) first: ProofEntry,
    pub(super) second: ProofEntry,
}

/// One of the two, with the envelope itself: the proof is complete without the files.
#[derive(Debug, Serialize)]
pub(super) struct ProofEntry {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) digest: Digest,
    pub(super) says: String,
    pub(super) envelope: serde_json::Value,
}

/// Two receipts that one coordinator may not both sign.
#[derive(Debug, Serialize)]
pub(super) struct ForkEntry {
    pub(super) coordinator: String,
    pub(super) what: String,
    pub(super) first: serde_json::Value,
    pub(super) second: serde_json::Value,
}

impl VerifyDocument {
    pub(super) fn of(report: &Report, places: &Places) -> VerifyDocument {
        let mut by_digest: HashMap<Digest, usize> = HashMap::new();
        for Line { number, content } in &report.lines {
            if let Content::Statement(one) = content {
                by_digest.entry(one.digest()).or_insert(*number);
            }
        }
        let proof = |one: &Verified| {
            let number = by_digest.get(&one.digest()).copied().unwrap_or_default();
            let (path, line) = places.of(number);
            let says = format!("{}: {}", one.body().kind(), one.body());
            ProofEntry { path, line, digest: one.digest(), says, envelope: json(one.envelope()) }
        };
        VerifyDocument {
            holds: report.holds(),
            statements: report.lines.iter().filter_map(|line| checked(line, places)).collect(),
            receipts: report.lines.iter().filter(|one| matches!(one.content, Content::Receipt(_))).count(),
            sessions: report.sessions.iter().map(session).collect(),
            chains: report.chains.iter().map(chain).collect(),
            equivocations: report
                .equivocations
                .iter()
                .map(|one| EquivocationEntry {
                    signer: one.signer.clone(),
                    what: one.contradiction.to_string(),
                    first: proof(&one.first),
                    second: proof(&one.second),
                })
                .collect(),
            forks: report
                .forks
                .iter()
                .map(|fork| ForkEntry {
                    coordinator: fork.first.coordinator().to_string(),
                    what: fork.to_string(),
                    first: json(fork.first.envelope()),
                    second: json(fork.second.envelope()),
                })
                .collect(),
        }
    }

    /// What does not hold, each in a few words.
    pub(super) fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let mut count = |number: usize, one: &str, many: &str| match number {
            0 => {}
            1 => findings.push(format!("1 {one}")),
            number => findings.push(format!("{number} {many}")),
        };
        let failed = self.statements.iter().filter(|one| !one.holds).count();
        count(failed, "line is invalid", "lines are invalid");
        count(self.equivocations.len(), "equivocation", "equivocations");
        count(self.forks.len(), "coordinator's contradiction", "coordinators' contradictions");
        let broken = self.chains.iter().filter(|one| one.error.is_some()).count();
        count(broken, "hash chain is broken", "hash chains are broken");
        let proposals = self.sessions.iter().flat_map(|one| &one.proposals);
        let acknowledged =
            |session: &SessionEntry| self.chains.iter().any(|chain| chain.session == session.session);
        let missing = self.sessions.iter().filter(|one| acknowledged(one)).flat_map(|one| &one.proposals);
        let missing = missing.filter(|one| one.follows.is_none()).count();
        let unfollowed = proposals.filter(|one| one.follows == Some(false)).count();
        count(
            unfollowed,
            "proposal does not follow from its evidence",
            "proposals do not follow from their evidence",
        );
        count(missing, "proposal's evidence is missing", "proposals' evidence is missing");
        let received = self.sessions.iter().flat_map(|one| &one.received);
        let misfits = received.filter(|one| one.fits == Some(false)).count();
        count(
            misfits,
            "received dump differs from its donation",
            "received dumps differ from their donations",
        );
        let twice = self.sessions.iter().filter(|one| one.completed.len() > 1).count();
        count(twice, "session is completed twice", "sessions are completed twice");
        findings
    }
}

fn json(envelope: &Envelope) -> serde_json::Value {
    // The text is JSON that was made here.
    serde_json::from_str(&envelope.to_json()).unwrap_or_default()
}

/// `None` for a receipt, which says nothing by itself.
fn checked(Line { number, content }: &Line, places: &Places) -> Option<Checked> {
    let (path, line) = places.of(*number);
    let mut checked = Checked {
        path,
        line,
        holds: true,
        kind: None,
        signer: None,
        session: None,
        drill: None,
        sequence: None,
        digest: None,
        says: None,
        error: None,
    };
    match content {
        Content::Receipt(_) => return None,
        Content::Statement(one) => {
            checked.kind = Some(one.body().kind().to_owned());
            checked.signer = Some(one.signer().clone());
            checked.session = one.session().map(|session| session.to_string());
            checked.drill = Some(one.header().drill);
            checked.sequence = Some(one.header().sequence);
            checked.digest = Some(one.digest());
            checked.says = Some(one.body().to_string());
        }
        Content::Unknown(unknown) => {
            let header = unknown.header();
            checked.says = Some(format!(
                "the signature is valid, but only a newer version of svdr ({}) can read the statement",
                header.software
            ));
            checked.kind = Some(unknown.kind().to_owned());
            checked.signer = Some(header.signer.clone());
            checked.session = header.session.map(|session| session.to_string());
            checked.drill = Some(header.drill);
            checked.sequence = Some(header.sequence);
            checked.digest = Some(unknown.digest());
        }
        Content::Refused(error) => {
            checked.holds = false;
            checked.error = Some(Told::of(error).in_one_line());
        }
    }
    Some(checked)
}

fn session(report: &SessionReport) -> SessionEntry {
    let SessionReport { session, phase, proposals, completed } = report;
    let facts = SessionFacts::of(session);
    SessionEntry {
        session: facts.session,
        drill: facts.drill,
        reason: facts.reason,
        phase: phase_name(*phase),
        statements: facts.statements,
        threshold: facts.threshold,
        members: session.roster().members().len(),
        proposals: proposals.iter().map(|one| proposal(session, one)).collect(),
        completed: completed.iter().map(certificate).collect(),
        donations: session.statements().filter_map(|one| donation(session, one)).collect(),
        received: session.received().iter().map(received).collect(),
        releases: facts.releases,
        aborts: facts.aborts,
    }
}

fn proposal(session: &svdr_protocol::session::Session, one: &Recomputed) -> ProposalEntry {
    let round = one.round.round;
    let (follows, reason) = match &one.refused {
        None => (Some(true), None),
        Some(Unconfirmed::Missing { missing }) => {
            (None, Some(format!("missing evidence in these files: {}", missing.len())))
        }
        Some(error) => (Some(false), Some(Told::of(error).in_one_line())),
    };
    ProposalEntry {
        round,
        proposal: one.proposal,
        follows,
        reason,
        agreed_by: session.agreements(round, &one.proposal).into_keys().cloned().collect(),
        certified: one.certified,
    }
}

fn certificate(one: &CompletionCertificate) -> Completed {
    Completed {
        round: one.round().round,
        recovery_timestamp: one.recovery_timestamp(),
        migration_id: one.agreement().plan().migration_id(),
        agreed_by: one.agreement().agreements().keys().cloned().collect(),
        attested_by: one.attestations().keys().cloned().collect(),
    }
}

fn donation(session: &svdr_protocol::session::Session, one: &Verified) -> Option<DonationEntry> {
    let Body::Donation(body) = one.body() else { return None };
    let counted = session.donations(body.round, &body.proposal);
    Some(DonationEntry {
        donor: one.signer().clone(),
        donation: one.digest(),
        round: body.round,
        counts: counted.values().any(|(digest, _)| *digest == one.digest()),
        recovery_timestamp: body.recovery_timestamp,
        party: body.party.clone(),
        size: body.snapshot.size,
        sha256: body.snapshot.digest,
        url: body.url.clone(),
    })
}

fn received(one: &ReceivedDump<'_>) -> ReceivedDumpEntry {
    ReceivedDumpEntry {
        member: one.member.clone(),
        attestation: one.attestation,
        round: one.round,
        from: one.received.from.clone(),
        donation: one.received.donation,
        fits: match (&one.misfit, one.donation) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        },
        reason: one.misfit.as_ref().map(ToString::to_string),
    }
}

fn chain(report: &ChainReport) -> ChainEntry {
    ChainEntry {
        coordinator: report.coordinator.to_string(),
        journal: report.journal.map(|journal| journal.to_string()),
        session: report.session.to_string(),
        length: report.len,
        error: report.broken.as_ref().map(ToString::to_string),
    }
}
