//! What a session waits for, and from whom: the question of everybody on a recovery call.

use svdr_protocol::failure::Told;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::Body;
use svdr_protocol::text::listed;

use super::{shown_proposal, shown_round};

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// In a sentence, without the point.
    pub what: String,
    /// The members who can end the wait; empty where nobody has to do anything.
    pub members: Vec<MemberName>,
}

impl Waiting {
    /// What `session` waits for.
    pub fn of(session: &Session) -> Waiting {
        if session.unknown_plan().is_some() && session.phase() == Phase::Gathering {
            let what = "a version of svdr that knows the plan".to_owned();
            return Waiting { what, members: Vec::new() };
        }
        match session.phase() {
            Phase::Gathering => gathering(session),
            Phase::Proposed(round) => proposed(session, round),
            Phase::Agreed(_) | Phase::Recovering(_) => recovering(session),
            Phase::Completed(_) | Phase::Verified(_) => completed(session),
            Phase::Aborted => {
                Waiting { what: "nothing: a convener aborted the session".to_owned(), members: Vec::new() }
            }
        }
    }
}

/// Members of the roster for whom `done` is false, in its order.
fn others(session: &Session, done: impl Fn(&MemberName) -> bool) -> Vec<MemberName> {
    let members = session.roster().members().iter().map(|member| &member.name);
    members.filter(|name| !done(name)).cloned().collect()
}

fn gathering(session: &Session) -> Waiting {
    let evidence = session.evidence();
    let members = others(session, |name| evidence.contains_key(name));
    let (have, all) = (evidence.len(), session.roster().members().len());
    if !members.is_empty() {
        let what = format!("evidence of {} ({have} of {all} reported)", listed(&members));
        return Waiting { what, members };
    }
    match session.next_proposal(&session.parameters()) {
        Ok(_) => Waiting { what: "a proposal: all members have reported".to_owned(), members },
        Err(error) => {
            let why = Told::of(&error).in_one_line();
            let what =
                format!("a convener, because no proposal follows from the evidence of all members: {why}");
            Waiting { what, members: conveners(session) }
        }
    }
}

fn conveners(session: &Session) -> Vec<MemberName> {
    let members = session.roster().members().iter();
    members.filter(|member| member.convener).map(|member| member.name.clone()).collect()
}

fn proposed(session: &Session, round: u32) -> Waiting {
    let Some((proposal, _)) = shown_proposal(session, round) else { return nobody() };
    let agreed = session.agreements(round, &proposal.digest());
    let rejected = session.rejections(round, &proposal.digest());
    let threshold = session.roster().threshold();
    let rejecting: Vec<MemberName> =
        rejected.keys().filter(|name| !agreed.contains_key(*name)).map(|name| (*name).clone()).collect();
    let elsewhere = |name: &MemberName| {
        let mut proposals = session.proposals(round);
        proposals.any(|one| session.agreements(round, &one.digest()).contains_key(name))
    };
    let members = others(session, |name| elsewhere(name) || rejected.contains_key(name));
    let count = format!("{} of {threshold} agreed", agreed.len());
    // Who has rejected may still agree, but has said not to.
    let rejections = match rejecting.as_slice() {
        [] => String::new(),
        names => format!(", rejected by {}", listed(names)),
    };
    if agreed.len() + members.len() < threshold {
        let what = format!(
            "a convener, because no proposal of round {round} can reach {threshold} agreements now \
             ({count}{rejections})"
        );
        return Waiting { what, members: conveners(session) };
    }
    let what = format!("agreement to round {round} by {} ({count}{rejections})", listed(&members));
    Waiting { what, members }
}

fn recovering(session: &Session) -> Waiting {
    let round = shown_round(session).unwrap_or_default();
    let Some((proposal, _)) = shown_proposal(session, round) else { return nobody() };
    let agreed = session.agreements(round, &proposal.digest());
    let attested = session.attestations(round, &proposal.digest());
    let abandoned = session.abandonments(round);
    let threshold = session.roster().threshold();
    let stopped: Vec<MemberName> = session.obstacles(round).map(|(member, _)| member.clone()).collect();
    let gone = |name: &MemberName| stopped.contains(name) || abandoned.contains_key(name);
    let members: Vec<MemberName> = agreed
        .keys()
        .filter(|name| !attested.contains_key(*name) && !gone(name))
        .map(|name| (*name).clone())
        .collect();
    let count = format!("{} of {threshold} dumps of round {round} attested", attested.len());
    // Somebody who has not agreed yet may still do so.
    let open = others(session, |name| agreed.contains_key(name) || gone(name));
    if attested.len() + members.len() + open.len() < threshold {
        let what = format!(
            "a convener, because round {round} cannot be completed now: {count}, and too few others can make a \
             dump"
        );
        return Waiting { what, members: conveners(session) };
    }
    let short = attested.len() + members.len() < threshold;
    let (pending, more) = match (members.as_slice(), short) {
        ([], _) => (String::new(), format!("agreement and dumps of {}", listed(&open))),
        (names, true) => (
            format!("the dumps of {}, and ", listed(names)),
            format!("agreement and dumps of {}", listed(&open)),
        ),
        (names, false) => (String::new(), format!("the dumps of {}", listed(names))),
    };
    let waited_for = if short { members.into_iter().chain(open).collect() } else { members };
    Waiting { what: format!("{pending}{more} ({count})"), members: waited_for }
}

fn completed(session: &Session) -> Waiting {
    let Some(certificate) = session.completion_certificate() else { return nobody() };
    let covered = match certificate.agreement().proposal().body() {
        Body::Proposal(proposal) => &proposal.candidate.covered,
        _ => return nobody(),
    };
    let attested = certificate.attestations();
    let members: Vec<MemberName> =
        covered.iter().filter(|name| !attested.contains_key(*name)).cloned().collect();
    let restoration = session.restoration();
    let (confirmed, together) =
        restoration.map_or((0, 0), |restored| (restored.confirmed.len(), restored.together.len()));
    let threshold = session.roster().threshold();
    let what = match members.as_slice() {
        _ if together >= threshold => {
            format!("nothing: {together} members agree with each other on the new synchronizer")
        }
        _ if confirmed > 0 => {
            let members = others(session, |name| session.confirmations().contains_key(name));
            let what = match members.as_slice() {
                [] => "matching commitments on the new synchronizer".to_owned(),
                names => format!("confirmations of {}", listed(names)),
            };
            return Waiting { what: format!("{what} ({together} of {threshold} agree)"), members };
        }
        [] => "nothing: all covered members have attested their dumps, which may be imported".to_owned(),
        names => format!("nothing: dumps may be imported. Not attested yet: {}", listed(names)),
    };
    Waiting { what, members: Vec::new() }
}

fn nobody() -> Waiting {
    Waiting { what: "nothing".to_owned(), members: Vec::new() }
}
