//! A session for people and for programs: where it stands, and who has done what. Pure: state in, text out.

use std::fmt::Write as _;

use serde::Serialize;
use svdr_cli::output;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{Body, Verified};
use svdr_protocol::time::Timestamp;

/// A session, as it is printed in JSON.
#[derive(Debug, Serialize)]
pub struct Overview {
    session: String,
    drill: bool,
    reason: String,
    opened_by: MemberName,
    state: &'static str,
    round: u32,
    statements: usize,
    threshold: usize,
    proposals: Vec<ProposalOverview>,
    members: Vec<MemberOverview>,
    equivocations: Vec<String>,
    aborted: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ProposalOverview {
    digest: String,
    proposed_by: MemberName,
    recovery_timestamp: Timestamp,
    covered: Vec<MemberName>,
    left_behind: Vec<MemberName>,
    agreements: usize,
}

#[derive(Debug, Serialize)]
struct MemberOverview {
    member: MemberName,
    evidence: bool,
    agreed: bool,
    rejected: Option<String>,
    obstacle: Option<String>,
    attested: bool,
    abandoned: bool,
    released: bool,
    equivocated: bool,
}

/// The state's name, as programs read it.
pub const fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Gathering => "gathering",
        Phase::Proposed(_) => "proposed",
        Phase::Agreed(_) => "agreed",
        Phase::Recovering(_) => "recovering",
        Phase::Completed(_) => "completed",
        Phase::Aborted => "aborted",
    }
}

/// What is to be shown of a session.
pub fn overview(session: &Session) -> Overview {
    let round = session.latest_round();
    Overview {
        session: session.id().to_string(),
        drill: session.drill(),
        reason: session.opening().reason.clone(),
        opened_by: session.opened().signer().clone(),
        state: state(session.phase()),
        round,
        statements: session.len(),
        threshold: session.roster().threshold(),
        proposals: session.proposals(round).filter_map(|one| proposal(session, one)).collect(),
        members: members(session, round),
        equivocations: session.equivocations().iter().map(ToString::to_string).collect(),
        aborted: session.aborts().filter_map(|one| abort_reason(one)).collect(),
    }
}

fn proposal(session: &Session, one: &Verified) -> Option<ProposalOverview> {
    let Body::Proposal(body) = one.body() else { return None };
    Some(ProposalOverview {
        digest: one.digest().to_string(),
        proposed_by: one.signer().clone(),
        recovery_timestamp: body.plan.recovery_timestamp(),
        covered: body.candidate.covered.iter().cloned().collect(),
        left_behind: body.candidate.left_behind.iter().cloned().collect(),
        agreements: session.agreements(body.round, &one.digest()).len(),
    })
}

fn abort_reason(one: &Verified) -> Option<String> {
    let Body::Abort(abort) = one.body() else { return None };
    Some(format!("{}: {}", one.signer(), abort.reason))
}

fn members(session: &Session, round: u32) -> Vec<MemberOverview> {
    let proposals: Vec<_> = session.proposals(round).map(|one| one.digest()).collect();
    let evidence = session.evidence();
    let equivocations = session.equivocations();
    let abandonments = session.abandonments(round);
    let of = |name: &MemberName| MemberOverview {
        member: name.clone(),
        evidence: evidence.contains_key(name),
        agreed: proposals.iter().any(|digest| session.agreements(round, digest).contains_key(name)),
        rejected: proposals.iter().find_map(|digest| {
            match session.rejections(round, digest).get(name).map(|one| one.body()) {
                Some(Body::Rejection(rejection)) => Some(rejection.reason.clone()),
                _ => None,
            }
        }),
        obstacle: session
            .obstacles(round)
            .find(|(member, _)| *member == name)
            .map(|(_, obstacle)| obstacle.text.clone()),
        attested: proposals.iter().any(|digest| session.attestations(round, digest).contains_key(name)),
        abandoned: abandonments.contains_key(name),
        released: session.released(round, name),
        equivocated: equivocations.iter().any(|one| one.signer == *name),
    };
    session.roster().members().iter().map(|member| of(&member.name)).collect()
}

/// The overview as a table.
pub fn text(overview: &Overview) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    if overview.drill {
        let _ = writeln!(text, "DRILL         nothing signed in this session counts for a real recovery");
    }
    let _ = writeln!(text, "session       {}", overview.session);
    let _ = writeln!(text, "opened by     {}: {}", overview.opened_by, overview.reason);
    let _ = writeln!(text, "state         {}", standing(overview));
    let _ = writeln!(text, "statements    {}", overview.statements);
    for aborted in &overview.aborted {
        let _ = writeln!(text, "aborted by    {aborted}");
    }
    for one in &overview.proposals {
        let names =
            |names: &[MemberName]| names.iter().map(MemberName::as_str).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\nproposal      {} by {}", one.digest, one.proposed_by);
        let _ = writeln!(text, "go back to    {}", one.recovery_timestamp);
        let _ = writeln!(text, "covered       {}", names(&one.covered));
        if !one.left_behind.is_empty() {
            let _ = writeln!(text, "left behind   {}", names(&one.left_behind));
        }
        let _ = writeln!(text, "agreements    {} of {} needed", one.agreements, overview.threshold);
    }
    for equivocation in &overview.equivocations {
        let _ = writeln!(text, "\nEQUIVOCATION  {equivocation}");
    }
    let mut table = output::table(&["member", "evidence", "agreement", "dump", "remarks"]);
    for member in &overview.members {
        table.add_row([
            member.member.to_string(),
            if member.evidence { "yes" } else { "" }.to_owned(),
            if member.agreed { "yes" } else { "" }.to_owned(),
            if member.attested { "attested" } else { "" }.to_owned(),
            remarks(member),
        ]);
    }
    let _ = writeln!(text, "\n{table}");
    svdr_cli::exit::shown(&text)
}

fn standing(overview: &Overview) -> String {
    match overview.round {
        0 => overview.state.to_owned(),
        round => format!("{}, round {round}", overview.state),
    }
}

fn remarks(member: &MemberOverview) -> String {
    let mut remarks = Vec::new();
    if member.equivocated {
        remarks.push("EQUIVOCATED".to_owned());
    }
    if member.released {
        remarks.push("RELEASED its attestation".to_owned());
    }
    if member.abandoned {
        remarks.push("abandoned the round".to_owned());
    }
    remarks.extend(member.rejected.iter().map(|reason| format!("rejected: {reason}")));
    remarks.extend(member.obstacle.iter().map(|text| format!("obstacle: {text}")));
    remarks.join("; ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use svdr_protocol::statement::{Abort, Obstacle, ObstacleKind, Rejection};

    use super::*;
    use crate::fixture::Net;

    #[test]
    fn a_session_reads_well() {
        let net = Net::new(4);
        let mut session = net.open();
        for member in 0..3 {
            session.insert(net.evidence(&session, member)).unwrap();
        }
        let proposal = session.next_proposal(&session.parameters()).unwrap();
        let recovery_timestamp = proposal.plan.recovery_timestamp();
        let proposal = net.sign(&session, 0, Body::Proposal(proposal));
        let digest = proposal.digest();
        session.insert(proposal).unwrap();
        let rejection = Rejection { round: 1, proposal: digest, reason: "too late".to_owned() };
        session.insert(net.sign(&session, 1, Body::Rejection(rejection))).unwrap();
        let obstacle =
            Obstacle { round: 1, kind: ObstacleKind::Pruned, recovery_timestamp, text: "pruned".to_owned() };
        session.insert(net.sign(&session, 2, Body::Obstacle(obstacle))).unwrap();
        let abort = Abort { reason: "another way was found".to_owned() };
        session.insert(net.sign(&session, 0, Body::Abort(abort))).unwrap();
        insta::assert_snapshot!(text(&overview(&session)));
    }
}
