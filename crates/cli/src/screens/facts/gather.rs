//! Gathers the facts about a session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use svdr_protocol::digest::Digest;
use svdr_protocol::equivocation::{self, Equivocation};
use svdr_protocol::failure::Told;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::Parameters;
use svdr_protocol::session::{NotProposable, Phase, Session};
use svdr_protocol::statement::{Body, ObstacleKind, Part, Proposal, Verified, abandonments_needed};

use super::restored::{RestorationFacts, steps_done};
use super::{
    BoundsFacts, DonationFacts, EquivocationFacts, EvidenceFacts, HeldRound, MemberFacts, MilestoneFacts,
    MisfitFacts, PartDifference, PartVersion, ProposalFacts, Remark, SessionFacts, newest_match, phase_name,
};
use crate::screens::{quoted, shown_proposal, shown_round, waiting};

impl SessionFacts {
    /// What there is to know about `session`.
    pub fn of(session: &Session) -> SessionFacts {
        let roster = session.roster();
        let round = shown_round(session);
        let shown = Shown::of(session, round);
        let differences = shown.differences();
        let mut waiting = waiting::Waiting::of(session);
        if !differences.is_empty()
            && matches!(session.phase(), Phase::Completed(_))
            && waiting.members.is_empty()
        {
            // The certificate allows an import, and the dumps do not.
            waiting.what =
                "the operators: dumps differ in a part that must be equal, so no dump may be imported"
                    .to_owned();
        }
        SessionFacts {
            session: session.id().to_string(),
            drill: session.drill(),
            network: roster.network().to_owned(),
            roster: roster.fingerprint(),
            opened_by: session.opened().signer().clone(),
            reason: session.opening().reason.clone(),
            migration_id: session.opening().migration_id,
            coordinators: coordinators(session),
            phase: phase_name(session.phase()),
            round,
            threshold: roster.threshold(),
            statements: session.len(),
            unknown_statements: session.unknown(),
            unknown_plan: session.unknown_plan().map(|unknown| Told::of(&unknown).in_one_line()),
            proposal: shown.proposal(),
            members: roster.members().iter().map(|one| shown.member(&one.name, one.convener)).collect(),
            waits_for: waiting.what,
            waits_for_members: waiting.members,
            bounds: bounds(session),
            donations: shown.donations(),
            differences,
            misfits: misfits(session),
            held: held(session, round),
            equivocations: session.equivocations().iter().map(equivocation).collect(),
            releases: releases(session),
            aborts: session.aborts().filter_map(|one| remark(one)).collect(),
            restoration: RestorationFacts::of(session),
            contacts: Vec::new(),
        }
    }

    /// As [`SessionFacts::of`], with the contradictions between what members signed in `session` and in `others`, the
    /// other sessions of the network that are known. A drill contradicts nothing outside of itself.
    pub fn among(session: &Session, others: &[&Session]) -> SessionFacts {
        let mut facts = SessionFacts::of(session);
        let all = others.iter().copied().chain([session]).flat_map(Session::statements);
        let here = |one: &Verified| one.session() == Some(session.id());
        for one in equivocation::find(all).iter().filter(|one| here(&one.first) != here(&one.second)) {
            facts.equivocations.push(equivocation(one));
            for member in facts.members.iter_mut().filter(|member| member.member == one.signer) {
                member.equivocated = true;
            }
        }
        facts
    }

    /// The facts about one member.
    pub fn member(&self, name: &MemberName) -> Option<&MemberFacts> {
        self.members.iter().find(|one| one.member == *name)
    }
}

/// The keys that may propose round 1; none if any key may.
fn coordinators(session: &Session) -> Vec<PublicKey> {
    let listed = &session.opening().coordinators;
    let appointed = session.appointments().keys().filter(|key| !listed.contains(*key));
    if listed.is_empty() { Vec::new() } else { listed.iter().chain(appointed).copied().collect() }
}

fn equivocation(one: &Equivocation) -> EquivocationFacts {
    EquivocationFacts {
        member: one.signer.clone(),
        what: one.contradiction.to_string(),
        first: one.first.digest(),
        second: one.second.digest(),
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

fn misfits(session: &Session) -> Vec<MisfitFacts> {
    let misfits = session.received().into_iter().filter_map(|one| {
        Some(MisfitFacts {
            member: one.member.clone(),
            round: one.round,
            from: one.received.from.clone(),
            what: one.misfit?.to_string(),
        })
    });
    misfits.collect()
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
        Parameters { not_before: bounds.not_before, not_after: bounds.not_after, ..last_parameters(session) };
    let next = if bounds.are_empty() { None } else { Some(within(session, &parameters)) };
    let (margin, next) = next.unzip();
    let shorter = margin.filter(|margin| *margin < parameters.margin);
    Some(BoundsFacts {
        would_choose: next.as_ref().and_then(|next| Some(next.as_ref().ok()?.plan.recovery_timestamp())),
        shorter_margin_seconds: shorter.map(|margin| margin.as_secs()),
        would_fail: next.and_then(|next| Some(next.err()?.to_string())),
        command: margin.map(|margin| propose_command(session, &Parameters { margin, ..parameters })),
        not_before: bounds.not_before,
        not_after: bounds.not_after,
        empty: bounds.are_empty(),
        pruned: by_kind.remove(&true).unwrap_or_default(),
        behind: by_kind.remove(&false).unwrap_or_default(),
    })
}

/// What the convener of the last proposal chose, its bounds aside: they are what has to change.
fn last_parameters(session: &Session) -> Parameters {
    let last = shown_proposal(session, session.latest_round());
    let last = last.map(|(_, proposal)| proposal.parameters.clone());
    Parameters { not_before: None, not_after: None, ..last.unwrap_or_else(|| session.parameters()) }
}

/// What the rule chooses with these parameters, and with which margin. The newest time that a margin leaves can be
/// too old for an SV app that is pruned: then shorter ones are tried, half of it, and half of that, down to a minute.
fn within(session: &Session, parameters: &Parameters) -> (Duration, Result<Proposal, NotProposable>) {
    let first = session.next_proposal(parameters);
    if first.is_err() && parameters.not_before.is_some() {
        let mut minutes = parameters.margin.as_secs() / 120;
        while minutes > 0 {
            let margin = Duration::from_secs(minutes * 60);
            if let Ok(found) = session.next_proposal(&Parameters { margin, ..parameters.clone() }) {
                return (margin, Ok(found));
            }
            minutes /= 2;
        }
    }
    (parameters.margin, first)
}

/// The convener's command that proposes with these parameters.
fn propose_command(session: &Session, parameters: &Parameters) -> String {
    let Parameters { margin, threshold, not_before, not_after, excluded, vouched } = parameters;
    let own = session.parameters();
    let mut command = format!("svdr-coordinator session propose {}", session.id());
    if *margin != own.margin {
        // Without the spaces that people read better.
        command += &format!(" --margin {}", svdr_protocol::span::print(margin.as_secs()).replace(' ', ""));
    }
    if *threshold != own.threshold {
        command += &format!(" --threshold {threshold}");
    }
    for (flag, at) in [("--not-before", not_before), ("--not-after", not_after)] {
        if let Some(at) = at {
            command += &format!(" {flag} {at}");
        }
    }
    for (flag, names) in [("--exclude", excluded), ("--vouch", vouched)] {
        for name in names {
            command += &format!(" {flag} {}", quoted(name));
        }
    }
    command
}

/// The round and the proposal that the facts are about.
struct Shown<'a> {
    session: &'a Session,
    round: Option<u32>,
    proposal: Option<(&'a Verified, &'a Proposal)>,
    agreed: BTreeMap<&'a MemberName, &'a Arc<Verified>>,
    rejected: BTreeMap<&'a MemberName, &'a Arc<Verified>>,
    attested: BTreeMap<&'a MemberName, &'a Arc<Verified>>,
    abandoned: BTreeMap<&'a MemberName, &'a Arc<Verified>>,
    evidence: BTreeMap<&'a MemberName, &'a Arc<Verified>>,
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
            key: verified.key(),
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
        let mut facts = MemberFacts {
            member: name.clone(),
            convener,
            role: self.role(name),
            evidence: self.evidence.get(name).and_then(|one| evidence(one)),
            vote,
            vote_reason,
            dump,
            dump_reason,
            received_from: attestation.and_then(|one| Some(one.received.as_ref()?.from.clone())),
            dump_size: attestation.map(|one| one.dump.size),
            dump_digest: attestation.map(|one| one.dump.digest),
            milestones: self.milestones(name),
            steps: Vec::new(),
            checks: readiness
                .map(|checks| [checks.iter().filter(|check| check.passed).count(), checks.len()]),
            failed_checks: readiness
                .into_iter()
                .flatten()
                .filter(|check| !check.passed)
                .map(|check| check.name.clone())
                .collect(),
            equivocated: self.equivocators.contains(name),
        };
        facts.steps = steps_done(self.session, &facts).into_iter().map(Step::name).collect();
        facts
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
        match self.attested.get(name).map(|one| one.body()) {
            Some(Body::Attestation(attestation)) if attestation.received.is_some() => {
                return (Some("received"), None);
            }
            Some(_) => return (Some("made"), None),
            None => {}
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

    /// The donations of the proposal that count.
    fn donations(&self) -> Vec<DonationFacts> {
        let (Some(round), Some((verified, _))) = (self.round, self.proposal) else { return Vec::new() };
        let all = self.session.donations(round, &verified.digest());
        let facts = all.into_iter().map(|(donor, (digest, donation))| DonationFacts {
            donor: donor.clone(),
            digest,
            party: donation.party.clone(),
            recovery_timestamp: donation.recovery_timestamp,
            size: donation.snapshot.size,
            sha256: donation.snapshot.digest,
            url: donation.url.clone(),
        });
        facts.collect()
    }

    /// Parts that must be the same in all of the attestations that count, and are not. Received dumps are another cut of
    /// the ledger.
    fn differences(&self) -> Vec<PartDifference> {
        /// Who has which version; none where a member has no such part.
        type Versions = BTreeMap<Option<(Digest, u64)>, Vec<MemberName>>;
        let mut parts: BTreeMap<&str, Versions> = BTreeMap::new();
        let attested: Vec<(&MemberName, &[Part])> = self
            .attested
            .iter()
            .filter_map(|(member, one)| match one.body() {
                Body::Attestation(attestation) if attestation.received.is_none() => {
                    Some((*member, attestation.parts.as_slice()))
                }
                _ => None,
            })
            .collect();
        let compared =
            attested.iter().flat_map(|(_, parts)| parts.iter().filter(|part| part.is_equal_for_all()));
        let names = compared.map(|part| part.name.as_str());
        for name in names.collect::<BTreeSet<_>>() {
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
