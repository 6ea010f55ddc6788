//! What there is to know about a session, as one JSON document with stable keys.
//!
//! Screens are made from the same facts, so that what a script reads and what a person sees cannot differ.

use std::collections::BTreeMap;

use serde::Serialize;
use svdr_protocol::digest::Digest;
use svdr_protocol::evidence::Evidence;
use svdr_protocol::names::MemberName;
use svdr_protocol::proposal::Parameters;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{Body, ObstacleKind, Part, Verified, abandonments_needed};
use svdr_protocol::time::{Tick, Timestamp};

use super::{shown_proposal, shown_round, waiting};

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionFacts {
    /// Its id.
    pub session: String,
    /// Whether it is a rehearsal.
    pub drill: bool,
    /// The network.
    pub network: String,
    /// The roster's fingerprint.
    pub roster: Digest,
    /// Who opened it.
    pub opened_by: MemberName,
    /// Why.
    pub reason: String,
    /// The migration id that the network will have afterwards.
    pub migration_id: u64,
    /// `gathering`, `proposed`, `agreed`, `recovering`, `completed` or `aborted`.
    pub phase: &'static str,
    /// The round that the rest is about; `null` before the first proposal.
    pub round: Option<u32>,
    /// How many members have to agree and to attest.
    pub threshold: usize,
    /// How many statements it holds.
    pub statements: usize,
    /// The proposal of the round.
    pub proposal: Option<ProposalFacts>,
    /// What each member has done, in the order of the roster.
    pub members: Vec<MemberFacts>,
    /// What it waits for.
    pub waits_for: String,
    /// From whom.
    pub waits_for_members: Vec<MemberName>,
    /// The bounds that would suit everybody whose SV app cannot make the dump; `null` where none said so.
    pub bounds: Option<BoundsFacts>,
    /// Parts of the dumps that differ between members.
    pub differences: Vec<PartDifference>,
    /// Lower rounds that some member's attestation still holds open.
    pub held: Vec<HeldRound>,
    /// Who contradicted itself.
    pub equivocations: Vec<EquivocationFacts>,
    /// Who took back an attestation, in any round.
    pub releases: Vec<Remark>,
    /// Who ended it.
    pub aborts: Vec<Remark>,
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProposalFacts {
    /// Its digest.
    pub digest: Digest,
    /// Who signed it: a convener, or the name that a coordinator gives itself.
    pub by: MemberName,
    /// Whether a member of the roster did.
    pub by_member: bool,
    /// The tick.
    pub tick: Tick,
    /// The time that the network goes back to.
    pub recovery_timestamp: Timestamp,
    /// The migration id.
    pub migration_id: u64,
    /// Who recovers together.
    pub covered: Vec<MemberName>,
    /// Who does not.
    pub left_behind: Vec<MemberName>,
    /// Seconds of history that are lost.
    pub history_lost_seconds: i64,
    /// Whether every covered pair has a match at or before the recovery timestamp too.
    pub bracketed: bool,
    /// How many agreements count.
    pub agreements: usize,
    /// How many attestations count.
    pub attestations: usize,
    /// Other proposals of the same round.
    pub others: Vec<Digest>,
}

/// What a member has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberFacts {
    /// Who.
    pub member: MemberName,
    /// Whether it may open, propose and abort.
    pub convener: bool,
    /// `covered`, `left_behind`, `excluded` or `vouched`; `null` before the first proposal.
    pub role: Option<&'static str>,
    /// Its evidence that counts.
    pub evidence: Option<EvidenceFacts>,
    /// `agreed`, `rejected`, or `agreed_to_another` where it agreed to another proposal of the round; `null` where
    /// it has not voted.
    pub vote: Option<&'static str>,
    /// Why it rejected.
    pub vote_reason: Option<String>,
    /// `made`, `pruned`, `behind`, `abandoned` or `released`; `null` where nothing is known.
    pub dump: Option<&'static str>,
    /// What was said of it: an SV app's words, a reason.
    pub dump_reason: Option<String>,
    /// The size of the whole dump, in bytes.
    pub dump_size: Option<u64>,
    /// The digest of the whole dump. It differs between members by right: each holds its own identities.
    pub dump_digest: Option<Digest>,
    /// Steps of the runbook that it marked done, in the order in which it did.
    pub milestones: Vec<MilestoneFacts>,
    /// Checks of its node that passed, and how many there were.
    pub checks: Option<[usize; 2]>,
    /// Checks that did not pass, by name.
    pub failed_checks: Vec<String>,
    /// Whether it contradicted itself.
    pub equivocated: bool,
}

/// A member's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceFacts {
    /// Its digest.
    pub digest: Digest,
    /// Ticks at which others' commitments were equal.
    pub matches: usize,
    /// Ticks at which they differed.
    pub mismatches: usize,
    /// The newest of the matches.
    pub newest_match: Option<Tick>,
}

/// A step of the runbook that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MilestoneFacts {
    /// The step.
    pub name: String,
    /// What else was said.
    pub note: String,
}

/// Bounds of the recovery timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BoundsFacts {
    /// The earliest that everybody's SV app can serve.
    pub not_before: Option<Timestamp>,
    /// The latest.
    pub not_after: Option<Timestamp>,
    /// Whether there is no time between them.
    pub empty: bool,
    /// The recovery timestamp that the rule chooses within them.
    pub would_choose: Option<Timestamp>,
    /// Why it chooses none.
    pub would_fail: Option<String>,
    /// Who is pruned beyond an earlier time.
    pub pruned: Vec<MemberName>,
    /// Who has not caught up to a later one.
    pub behind: Vec<MemberName>,
}

/// A part that should be equal in every member's dump, and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartDifference {
    /// The part's name.
    pub part: String,
    /// Each version with the members that have it, the most frequent first.
    pub versions: Vec<PartVersion>,
}

/// One version of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartVersion {
    /// Its digest; `null` where the members have no such part.
    pub digest: Option<Digest>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Who has it.
    pub members: Vec<MemberName>,
}

/// A lower round in which attestations stand: those who made them move on only once it cannot complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldRound {
    /// The round.
    pub round: u32,
    /// Whose attestations stand.
    pub attested_by: Vec<MemberName>,
    /// Who has abandoned it.
    pub abandoned_by: Vec<MemberName>,
    /// How many abandonments show that it cannot complete.
    pub needed: usize,
}

/// Two statements that one signer may not both sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EquivocationFacts {
    /// Who.
    pub member: MemberName,
    /// What it signed.
    pub what: String,
    /// One statement.
    pub first: Digest,
    /// The other.
    pub second: Digest,
}

/// What somebody said to everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Who.
    pub by: MemberName,
    /// About which round; `null` where it is about the whole session.
    pub round: Option<u32>,
    /// In its own words.
    pub reason: String,
}

/// The phase's name in JSON.
pub const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Gathering => "gathering",
        Phase::Proposed(_) => "proposed",
        Phase::Agreed(_) => "agreed",
        Phase::Recovering(_) => "recovering",
        Phase::Completed(_) => "completed",
        Phase::Aborted => "aborted",
    }
}

impl SessionFacts {
    /// What there is to know about `session`.
    pub fn of(session: &Session) -> SessionFacts {
        let roster = session.roster();
        let round = shown_round(session);
        let waiting = waiting::Waiting::of(session);
        let shown = Shown::of(session, round);
        SessionFacts {
            session: session.id().to_string(),
            drill: session.drill(),
            network: roster.network().to_owned(),
            roster: roster.fingerprint(),
            opened_by: session.opened().signer().clone(),
            reason: session.opening().reason.clone(),
            migration_id: session.opening().migration_id,
            phase: phase_name(session.phase()),
            round,
            threshold: roster.threshold(),
            statements: session.len(),
            proposal: shown.proposal(),
            members: roster.members().iter().map(|one| shown.member(&one.name, one.convener)).collect(),
            waits_for: waiting.what,
            waits_for_members: waiting.members,
            bounds: bounds(session),
            differences: shown.differences(),
            held: held(session, round),
            equivocations: session
                .equivocations()
                .into_iter()
                .map(|one| EquivocationFacts {
                    member: one.signer.clone(),
                    what: one.contradiction.to_string(),
                    first: one.first.digest(),
                    second: one.second.digest(),
                })
                .collect(),
            releases: releases(session),
            aborts: session.aborts().filter_map(|one| remark(one)).collect(),
        }
    }

    /// The facts about one member.
    pub fn member(&self, name: &MemberName) -> Option<&MemberFacts> {
        self.members.iter().find(|one| one.member == *name)
    }
}

fn remark(one: &Verified) -> Option<Remark> {
    let (round, reason) = match one.body() {
        Body::Release(release) => (Some(release.round), &release.reason),
        Body::Abort(abort) => (None, &abort.reason),
        _ => return None,
    };
    Some(Remark { by: one.signer().clone(), round, reason: reason.clone() })
}

fn releases(session: &Session) -> Vec<Remark> {
    let rounds = 1..=session.latest_round();
    rounds.flat_map(|round| session.releases(round)).filter_map(|(_, one)| remark(one)).collect()
}

fn held(session: &Session, round: Option<u32>) -> Vec<HeldRound> {
    let lower = 1..round.unwrap_or_default();
    let held = lower.filter_map(|round| {
        let proposals = session.proposals(round);
        let attested = proposals.flat_map(|one| session.attestations(round, &one.digest()).into_keys());
        let attested_by: Vec<MemberName> = attested.cloned().collect();
        (!attested_by.is_empty()).then(|| HeldRound {
            round,
            attested_by,
            abandoned_by: session.abandonments(round).into_keys().cloned().collect(),
            needed: abandonments_needed(session.roster()),
        })
    });
    held.collect()
}

fn bounds(session: &Session) -> Option<BoundsFacts> {
    let mut by_kind: BTreeMap<bool, Vec<MemberName>> = BTreeMap::new();
    for (member, obstacle) in (1..=session.latest_round()).flat_map(|round| session.obstacles(round)) {
        let members = by_kind.entry(obstacle.kind == ObstacleKind::Pruned).or_default();
        if !members.contains(member) {
            members.push(member.clone());
        }
    }
    if by_kind.is_empty() {
        return None;
    }
    let bounds = session.bounds();
    let parameters =
        Parameters { not_before: bounds.not_before, not_after: bounds.not_after, ..session.parameters() };
    let next = if bounds.are_empty() { None } else { Some(session.next_proposal(&parameters)) };
    Some(BoundsFacts {
        would_choose: next.as_ref().and_then(|next| Some(next.as_ref().ok()?.plan.recovery_timestamp())),
        would_fail: next.and_then(|next| Some(next.err()?.to_string())),
        not_before: bounds.not_before,
        not_after: bounds.not_after,
        empty: bounds.are_empty(),
        pruned: by_kind.remove(&true).unwrap_or_default(),
        behind: by_kind.remove(&false).unwrap_or_default(),
    })
}

/// The round and the proposal that the facts are about.
struct Shown<'a> {
    session: &'a Session,
    round: Option<u32>,
    proposal: Option<(&'a Verified, &'a svdr_protocol::statement::Proposal)>,
    agreed: BTreeMap<&'a MemberName, &'a std::sync::Arc<Verified>>,
    rejected: BTreeMap<&'a MemberName, &'a std::sync::Arc<Verified>>,
    attested: BTreeMap<&'a MemberName, &'a std::sync::Arc<Verified>>,
    abandoned: BTreeMap<&'a MemberName, &'a std::sync::Arc<Verified>>,
    evidence: BTreeMap<&'a MemberName, &'a std::sync::Arc<Verified>>,
    equivocators: Vec<MemberName>,
}

impl<'a> Shown<'a> {
    fn of(session: &'a Session, round: Option<u32>) -> Shown<'a> {
        let proposal = round.and_then(|round| shown_proposal(session, round));
        let (mut agreed, mut rejected, mut attested) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        if let (Some(round), Some((verified, _))) = (round, proposal) {
            let digest = verified.digest();
            agreed = session.agreements(round, &digest);
            rejected = session.rejections(round, &digest);
            attested = session.attestations(round, &digest);
        }
        Shown {
            session,
            round,
            proposal: proposal.map(|(verified, content)| (verified.as_ref(), content)),
            agreed,
            rejected,
            attested,
            abandoned: round.map(|round| session.abandonments(round)).unwrap_or_default(),
            evidence: session.evidence(),
            equivocators: session.equivocations().into_iter().map(|one| one.signer).collect(),
        }
    }

    fn proposal(&self) -> Option<ProposalFacts> {
        let ((verified, content), round) = (self.proposal?, self.round?);
        let candidate = &content.candidate;
        let all = self.session.proposals(round).map(|one| one.digest());
        Some(ProposalFacts {
            digest: verified.digest(),
            by: verified.signer().clone(),
            by_member: verified.by_member(),
            tick: candidate.tick,
            recovery_timestamp: content.plan.recovery_timestamp(),
            migration_id: content.plan.migration_id(),
            covered: candidate.covered.iter().cloned().collect(),
            left_behind: candidate.left_behind.iter().cloned().collect(),
            history_lost_seconds: candidate.history_lost_seconds,
            bracketed: candidate.bracketed,
            agreements: self.agreed.len(),
            attestations: self.attested.len(),
            others: all.filter(|digest| *digest != verified.digest()).collect(),
        })
    }

    fn member(&self, name: &MemberName, convener: bool) -> MemberFacts {
        let (vote, vote_reason) = self.vote(name);
        let (dump, dump_reason) = self.dump(name);
        let attestation = self.attested.get(name).and_then(|one| match one.body() {
            Body::Attestation(attestation) => Some(attestation),
            _ => None,
        });
        let readiness = self.session.readiness().get(name).and_then(|one| match one.body() {
            Body::Readiness(readiness) => Some(&readiness.checks),
            _ => None,
        });
        MemberFacts {
            member: name.clone(),
            convener,
            role: self.role(name),
            evidence: self.evidence.get(name).and_then(|one| evidence(one)),
            vote,
            vote_reason,
            dump,
            dump_reason,
            dump_size: attestation.map(|one| one.dump.size),
            dump_digest: attestation.map(|one| one.dump.digest),
            milestones: self.milestones(name),
            checks: readiness
                .map(|checks| [checks.iter().filter(|check| check.passed).count(), checks.len()]),
            failed_checks: readiness
                .into_iter()
                .flatten()
                .filter(|check| !check.passed)
                .map(|check| check.name.clone())
                .collect(),
            equivocated: self.equivocators.contains(name),
        }
    }

    fn role(&self, name: &MemberName) -> Option<&'static str> {
        let (_, proposal) = self.proposal?;
        Some(if proposal.parameters.excluded.contains(name) {
            "excluded"
        } else if proposal.parameters.vouched.contains(name) {
            "vouched"
        } else if proposal.candidate.covered.contains(name) {
            "covered"
        } else {
            "left_behind"
        })
    }

    fn vote(&self, name: &MemberName) -> (Option<&'static str>, Option<String>) {
        if self.agreed.contains_key(name) {
            return (Some("agreed"), None);
        }
        if let Some(Body::Rejection(rejection)) = self.rejected.get(name).map(|one| one.body()) {
            return (Some("rejected"), Some(rejection.reason.clone()));
        }
        let round = self.round.unwrap_or_default();
        let mut proposals = self.session.proposals(round);
        let another = proposals.any(|one| self.session.agreements(round, &one.digest()).contains_key(name));
        (another.then_some("agreed_to_another"), None)
    }

    /// What is known of a member's dump; what it said last of all that matters comes first.
    fn dump(&self, name: &MemberName) -> (Option<&'static str>, Option<String>) {
        let Some(round) = self.round else { return (None, None) };
        let release = self.session.releases(round).find(|(member, _)| *member == name);
        if let Some(Body::Release(release)) = release.map(|(_, one)| one.body()) {
            return (Some("released"), Some(release.reason.clone()));
        }
        if self.attested.contains_key(name) {
            return (Some("made"), None);
        }
        match self.abandoned.get(name).map(|one| one.body()) {
            Some(Body::Abandonment(abandonment)) => {
                return (Some("abandoned"), Some(abandonment.reason.clone()));
            }
            Some(_) => return (Some("abandoned"), None),
            None => {}
        }
        let obstacle = self.session.obstacles(round).find(|(member, _)| *member == name);
        obstacle.map_or((None, None), |(_, obstacle)| match obstacle.kind {
            ObstacleKind::Pruned => (Some("pruned"), Some(obstacle.text.clone())),
            ObstacleKind::Behind => (Some("behind"), Some(obstacle.text.clone())),
        })
    }

    fn milestones(&self, name: &MemberName) -> Vec<MilestoneFacts> {
        let own = self.session.milestones().iter().filter(|((member, _), _)| member == name);
        let mut own: Vec<&Verified> = own.map(|(_, one)| one.as_ref()).collect();
        own.sort_by_key(|one| one.header().sequence);
        let fact = |one: &&Verified| match one.body() {
            Body::Milestone(done) => {
                Some(MilestoneFacts { name: done.name.clone(), note: done.note.clone() })
            }
            _ => None,
        };
        own.iter().filter_map(fact).collect()
    }

    /// Parts that are not the same in all of the attestations that count.
    fn differences(&self) -> Vec<PartDifference> {
        let mut parts: BTreeMap<&str, BTreeMap<Option<(Digest, u64)>, Vec<MemberName>>> = BTreeMap::new();
        let attested: Vec<(&MemberName, &[Part])> = self
            .attested
            .iter()
            .filter_map(|(member, one)| match one.body() {
                Body::Attestation(attestation) => Some((*member, attestation.parts.as_slice())),
                _ => None,
            })
            .collect();
        let names = attested.iter().flat_map(|(_, parts)| parts.iter().map(|part| part.name.as_str()));
        for name in names.collect::<std::collections::BTreeSet<_>>() {
            let versions = parts.entry(name).or_default();
            for (member, parts) in &attested {
                let version =
                    parts.iter().find(|part| part.name == name).map(|part| (part.digest, part.size));
                versions.entry(version).or_default().push((*member).clone());
            }
        }
        let differing = parts.into_iter().filter(|(_, versions)| versions.len() > 1);
        differing
            .map(|(part, versions)| {
                let mut versions: Vec<PartVersion> = versions
                    .into_iter()
                    .map(|(version, members)| PartVersion {
                        digest: version.map(|(digest, _)| digest),
                        size: version.map(|(_, size)| size),
                        members,
                    })
                    .collect();
                versions.sort_by_key(|version| std::cmp::Reverse(version.members.len()));
                PartDifference { part: part.to_owned(), versions }
            })
            .collect()
    }
}

fn evidence(one: &Verified) -> Option<EvidenceFacts> {
    let Body::Evidence(evidence) = one.body() else { return None };
    let about = || evidence.about.values();
    Some(EvidenceFacts {
        digest: one.digest(),
        matches: about().map(|about| about.matches.len()).sum(),
        mismatches: about().map(|about| about.mismatches.len()).sum(),
        newest_match: newest_match(evidence),
    })
}

/// The newest tick at which an evidence reports a match with anybody.
pub fn newest_match(evidence: &Evidence) -> Option<Tick> {
    evidence.about.values().filter_map(|about| about.matches.newest()).max()
}
