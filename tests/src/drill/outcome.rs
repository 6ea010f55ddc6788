//! Whether a session came out as the protocol promises for what had happened: judged from the exported transcript,
//! what the agents reported, and the story.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use svdr_cli::screens::facts::SessionFacts;
use svdr_protocol::digest::Digest;
use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::LeftBehind;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{Attestation, Body, ObstacleKind, Proposal};
use svdr_protocol::transcript::{self, SessionReport};

use super::DrillError;
use super::network::{Network, failed};
use super::operators::places;
use super::receiving::{RECEIVED, Received};
use super::session::{Held, roster};
use super::steps::{Chosen, Dump, text, unexpected};

mod account;

/// A verified session that is as it should be.
pub(super) struct Outcome {
    pub(super) chosen: Chosen,
    pub(super) dumps: Vec<Dump>,
    /// What happened, in words, a line each.
    pub(super) told: Vec<String>,
}

/// The completed round, with what belongs to it.
struct Completed<'a> {
    network: &'a Network,
    session: &'a Session,
    round: u32,
    digest: Digest,
    proposal: &'a Proposal,
    /// Why each is left behind, computed again here.
    left_behind: Vec<LeftBehind>,
}

/// Judges the session from its exported transcript.
pub(super) fn judge(network: &Network, held: &Held) -> Result<Outcome, DrillError> {
    let path = network.folder.join("transcript.jsonl");
    let text = fs::read(&path).map_err(failed(&path, "reading it"))?;
    let lines = text.split(|&byte| byte == b'\n').enumerate().map(|(at, line)| (at + 1, line));
    let report = transcript::verify(lines, &Arc::new(roster(network)?));
    let [session] = report.sessions.as_slice() else {
        return Err(differs("the sessions in the transcript", "one", report.sessions.len()));
    };
    if !report.holds() {
        return Err(unexpected("the transcript", "one that holds", "see what verify says"));
    }
    let completed = Completed::of(network, session)?;
    completed.choice()?;
    completed.first_round()?;
    completed.vouched()?;
    let dumps = completed.dumps(held)?;
    let covered = completed.proposal.candidate.covered.iter().map(ToString::to_string).collect();
    let recovery_timestamp = completed.proposal.plan.recovery_timestamp();
    completed.restored(&dumps)?;
    let told = completed.account(held);
    Ok(Outcome { chosen: Chosen { recovery_timestamp, covered }, dumps, told })
}

fn differs(what: &str, expected: impl ToString, found: impl ToString) -> DrillError {
    unexpected(what, &expected.to_string(), &found.to_string())
}

impl<'a> Completed<'a> {
    fn of(network: &'a Network, report: &'a SessionReport) -> Result<Completed<'a>, DrillError> {
        let session = &report.session;
        let expected =
            if network.story.pruned().is_empty() { "round 1" } else { "a later round than the first" };
        let round = match report.phase {
            Phase::Verified(round) if (round == 1) == network.story.pruned().is_empty() => round,
            phase => return Err(differs("the session", format!("{expected} is verified"), phase)),
        };
        let [certificate] = report.completed.as_slice() else {
            return Err(differs("the completion certificates", "one", report.completed.len()));
        };
        let proposal = certificate.agreement().proposal();
        let digest = proposal.digest();
        let Body::Proposal(proposal) = proposal.body() else {
            return Err(unexpected("the certificate's proposal", "a proposal", proposal.body().kind()));
        };
        let recomputed = session.recompute(proposal);
        let outcome =
            recomputed.map_err(|error| unexpected("the proposal", "confirmed", &error.to_string()))?;
        let left_behind = outcome.chosen().map(|one| one.left_behind.clone()).unwrap_or_default();
        Ok(Completed { network, session, round, digest, proposal, left_behind })
    }

    /// The proposal is what the story asks for.
    fn choice(&self) -> Result<(), DrillError> {
        let Proposal { candidate, parameters, plan, .. } = self.proposal;
        let Some(expected) = self.network.story.expected(parameters.margin) else {
            return Err(unexpected("the story", "a time to go back to", "none"));
        };
        if (candidate.tick.0, plan.recovery_timestamp()) != (expected.tick, expected.recovery_timestamp) {
            return Err(differs(
                "the recovery timestamp",
                expected.recovery_timestamp,
                plan.recovery_timestamp(),
            ));
        }
        let found = places(self.network, &candidate.left_behind);
        if found != expected.left_behind.iter().copied().collect() {
            let names = self.network.names(&expected.left_behind).join(", ");
            return Err(unexpected("who is left behind", &names, &list(&candidate.left_behind)));
        }
        Ok(())
    }

    /// Where SV apps are pruned: they said so, the others made their dumps, and the last round suits all.
    fn first_round(&self) -> Result<(), DrillError> {
        let story = &self.network.story;
        if story.pruned().is_empty() {
            return Ok(());
        }
        let obstacles = self.session.obstacles(1);
        let said = obstacles.filter(|(_, obstacle)| obstacle.kind == ObstacleKind::Pruned);
        let said = places(self.network, said.map(|(member, _)| member));
        if said != story.pruned().iter().copied().collect() {
            let found: Vec<usize> = said.into_iter().collect();
            return Err(unexpected(
                "who said that it is pruned",
                &self.network.names(story.pruned()).join(", "),
                &self.network.names(&found).join(", "),
            ));
        }
        let bounds = self.session.bounds();
        let at = self.proposal.plan.recovery_timestamp();
        if bounds.not_before.is_none_or(|from| at < from) || story.pruned_until().is_none_or(|from| at < from)
        {
            return Err(differs("the last round's recovery timestamp", "one that all SV apps serve", at));
        }
        let attested: usize =
            self.session.proposals(1).map(|one| self.session.attestations(1, &one.digest()).len()).sum();
        if attested + 1 != story.threshold() {
            return Err(differs("the attestations of round 1", story.threshold() - 1, attested));
        }
        Ok(())
    }

    /// An SV whose logs are lost is covered by the others' word.
    fn vouched(&self) -> Result<(), DrillError> {
        let Some(place) = self.network.story.vouched() else { return Ok(()) };
        let vouched = places(self.network, &self.proposal.parameters.vouched);
        let evidence = self.session.evidence();
        let reported = places(self.network, evidence.keys().copied());
        if vouched != BTreeSet::from([place]) || reported.contains(&place) {
            let found: Vec<usize> = vouched.into_iter().collect();
            return Err(differs(
                "who is vouched for",
                self.network.name(place),
                self.network.names(&found).join(", "),
            ));
        }
        Ok(())
    }

    /// The dumps that were attested: at least as many as are needed, each by a covered member, each as its agent
    /// reported it.
    fn dumps(&self, held: &Held) -> Result<Vec<Dump>, DrillError> {
        let attested = self.session.attestations(self.round, &self.digest);
        let needed = self.network.story.threshold();
        if attested.len() < needed {
            return Err(differs("the dumps that were attested", needed, attested.len()));
        }
        // Every SV app makes the same genesis state here.
        if let Some(part) = SessionFacts::of(self.session).differences.first() {
            return Err(unexpected(
                "the dumps' parts",
                "the same for all",
                &format!("{} differs", part.part),
            ));
        }
        let mut dumps = Vec::new();
        for (place, (sv, report)) in self.network.svs.iter().zip(&held.reports).enumerate() {
            let name = &sv.member.name;
            let time = text(report, "/recovery_timestamp")?;
            let agreed = self.proposal.plan.recovery_timestamp().to_string();
            if time != agreed {
                return Err(unexpected(&format!("the recovery timestamp of {name}'s agent"), &agreed, &time));
            }
            let own = attested.iter().find(|(member, _)| member.as_str() == name);
            if let Some(received) = held.received.iter().find(|one| one.sv == place) {
                let own = own.map(|(member, one)| (*member, one.body()));
                dumps.push(self.received(received, place, own)?);
                continue;
            }
            let said = report["attested"] == serde_json::Value::Bool(true);
            let Some((member, Body::Attestation(attestation))) =
                own.map(|(member, one)| (*member, one.body()))
            else {
                if said {
                    return Err(unexpected(&format!("{name}'s attestation"), "in the transcript", "missing"));
                }
                continue;
            };
            if !said || !self.proposal.candidate.covered.contains(member) {
                return Err(unexpected(&format!("{name}'s attestation"), "one of a covered SV", "another"));
            }
            let path = text(report, "/dump")?;
            dumps.push(self.dump(place, "session", &path, attestation));
        }
        Ok(dumps)
    }

    fn dump(&self, place: usize, how: &'static str, path: &str, attestation: &Attestation) -> Dump {
        let inside = Path::new(path).strip_prefix(&self.network.folder);
        Dump {
            member: place,
            name: self.network.name(place).to_owned(),
            how,
            path: inside.map_or_else(|_elsewhere| path.to_owned(), |path| path.display().to_string()),
            size: attestation.dump.size,
            sha256: attestation.dump.digest.to_string(),
            took: None,
        }
    }

    /// The dump of an SV that was left behind: attested as received from the donor.
    fn received(
        &self,
        received: &Received,
        place: usize,
        own: Option<(&MemberName, &Body)>,
    ) -> Result<Dump, DrillError> {
        let name = self.network.name(place);
        match own {
            Some((member, Body::Attestation(attestation)))
                if !self.proposal.candidate.covered.contains(member)
                    && attestation
                        .received
                        .as_ref()
                        .is_some_and(|one| one.from.as_str() == received.donor) =>
            {
                Ok(self.dump(place, RECEIVED, &received.dump, attestation))
            }
            Some(_) => Err(unexpected(&format!("{name}'s attestation"), "one of a received dump", "another")),
            None => Err(unexpected(&format!("{name}'s attestation"), "in the transcript", "missing")),
        }
    }

    /// Every SV with a dump delivered it, restarted and confirmed; they agree with each other on the new synchronizer.
    fn restored(&self, dumps: &[Dump]) -> Result<(), DrillError> {
        let Some(restoration) = self.session.restoration() else {
            return Err(unexpected("the confirmations", "some", "none"));
        };
        let expected: BTreeSet<usize> = dumps.iter().map(|dump| dump.member).collect();
        let together = places(self.network, &restoration.together);
        if together != expected || !restoration.mismatching.is_empty() {
            let names = |places: BTreeSet<usize>| {
                self.network.names(&places.into_iter().collect::<Vec<_>>()).join(", ")
            };
            return Err(differs("who agrees on the new synchronizer", names(expected), names(together)));
        }
        for (dump, step) in dumps.iter().flat_map(|dump| Step::ALL.map(|step| (dump, step))) {
            // The attestation and the confirmation are these two steps.
            let is_marked = matches!(step, Step::DumpMade | Step::Verified)
                || self
                    .session
                    .milestones()
                    .keys()
                    .any(|(member, name)| member.as_str() == dump.name && name == step.name());
            if !is_marked {
                return Err(unexpected(&format!("the steps of {}", dump.name), step.name(), "not marked"));
            }
        }
        Ok(())
    }
}

fn list(names: &BTreeSet<MemberName>) -> String {
    names.iter().map(MemberName::as_str).collect::<Vec<_>>().join(", ")
}
