//! Two statements that one signer may not both sign, in each form.

use svdr_protocol::digest::Digest;
use svdr_protocol::session::Phase;
use svdr_protocol::statement::{Abandonment, Body};

use super::stage::{HOSTILE, Hostile, NAME, agree, agreement, all_finish, attestation, proposed, seen};
use svdr_tests::town::Town;

/// What `verify` says of a transcript.
fn verified(town: &Town, sessions: &[svdr_protocol::statement::SessionId]) -> (Option<i32>, String) {
    let folder = town.agents.network.path();
    let mut command = std::process::Command::new(svdr_tests::binaries::agent());
    command.args(["verify", "--roster"]).arg(folder.join("roster.toml"));
    for session in sessions {
        let out = folder.join(format!("{session}.jsonl"));
        town.agents
            .convene(&["export", &session.to_string(), "--out", out.to_str().unwrap(), "--force"])
            .unwrap();
        command.arg(out);
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn whoever_contradicts_itself_is_named_on_every_screen_and_the_others_finish() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let (agents, mut hostile, proposal) = proposed(&town, session);
    let folded = hostile.folded();
    let Body::Proposal(body) = folded.statement(&proposal).unwrap().body().clone() else { unreachable!() };
    let at = body.plan.recovery_timestamp();
    let other = hostile.by_coordinator(body);
    hostile.submit(&other).unwrap();

    for minutes in [3, 4] {
        let ticks = super::evidence::minutes(minutes);
        let again = hostile.sign_as(5000, town.agents.network.evidence_at(HOSTILE, &ticks));
        hostile.submit(&again).unwrap();
    }
    hostile.say(agreement(1, proposal));
    hostile.say(agreement(1, other.digest()));
    hostile.say(attestation(1, proposal, at, b"one"));
    hostile.say(attestation(1, proposal, at, b"another"));
    hostile.say(Body::Abandonment(Abandonment { round: 1, reason: "pruned".to_owned() }));
    hostile.say(agreement(2, Digest::of(b"a later proposal")));

    for agent in &agents {
        assert!(agent.logs(&format!("EQUIVOCATION: {NAME} signed")), "{}", agent.log());
    }
    let id = session.to_string();
    let document: serde_json::Value =
        serde_json::from_str(&seen(&town, 1, &["status", &id, "--output", "json"])).unwrap();
    let named = document["equivocations"].as_array().unwrap();
    let kinds = [
        "agreements to two proposals in",
        "two different evidences with the sequence number 5000",
        "an attestation and an abandonment of",
        "that abandons it",
        "two attestations of",
    ];
    assert_eq!(named.len(), kinds.len(), "{named:#?}");
    for kind in kinds {
        let about = |one: &serde_json::Value| one["what"].as_str().unwrap().contains(kind);
        assert!(named.iter().any(|one| one["member"] == NAME && about(one)), "{kind}: {named:#?}");
    }
    for screen in ["status", "review"] {
        let said = seen(&town, 2, &[screen, &id]);
        assert!(said.contains(&format!("EQUIVOCATION: {NAME} signed")), "{said}");
        assert!(said.contains(&format!("{NAME} contradicted itself 2 more times")), "{said}");
    }

    agree(&town, session);
    all_finish(agents);
    assert_eq!(hostile.folded().phase(), Phase::Completed(1));
    let completed = hostile.folded().completion_certificate().unwrap();
    assert!(!completed.attestations().keys().any(|member| member.as_str() == NAME));
    let (code, said) = verified(&town, &[session]);
    assert_eq!(code, Some(3), "{said}");
    for kind in kinds {
        assert!(said.contains(kind), "{kind}: {said}");
    }
    assert!(said.contains(&format!("EQUIVOCATION: {NAME} signed")), "{said}");
}

#[test]
fn whoever_agrees_in_two_sessions_as_if_there_were_one_is_named_in_both() {
    let town = Town::with_approval(4, "operator");
    let first = town.agents.open(&[]).unwrap();
    let (agents, mut hostile, proposal) = proposed(&town, first);
    hostile.say(agreement(1, proposal));
    let second = town.agents.open(&[]).unwrap();
    let mut elsewhere = Hostile::new(&town, second);
    elsewhere.say(agreement(1, Digest::of(b"a proposal there")));
    // Member 1 has looked at both.
    seen(&town, 1, &["status", &second.to_string()]);
    for session in [first, second] {
        let said = seen(&town, 1, &["status", &session.to_string()]);
        assert!(said.contains(&format!("EQUIVOCATION: {NAME} signed agreements in")), "{said}");
        assert!(said.contains("of which neither follows the other"), "{said}");
    }
    let said = seen(&town, 1, &["review", &first.to_string()]);
    assert!(said.contains(&format!("EQUIVOCATION: {NAME} signed agreements in")), "{said}");
    agree(&town, first);
    all_finish(agents);
    let (code, said) = verified(&town, &[first, second]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&format!("EQUIVOCATION: {NAME} signed agreements in")), "{said}");
}

#[test]
fn a_proposal_from_evidence_that_its_signer_contradicts_is_replaced_by_the_convener() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let (agents, mut hostile, _) = proposed(&town, session);
    let folded = hostile.folded();
    let of_hostile = folded.evidence().into_iter().find(|(member, _)| member.as_str() == NAME).unwrap().1;
    let ticks = super::evidence::minutes(3);
    let sequence = of_hostile.header().sequence;
    let other = hostile.sign_as(sequence, town.agents.network.evidence_at(HOSTILE, &ticks));
    hostile.submit(&other).unwrap();
    for agent in &agents {
        assert!(agent.logs(&format!("have a convener propose again without {NAME}")), "{}", agent.log());
        assert!(!agent.log().contains("signed agreement"), "{}", agent.log());
    }
    let id = session.to_string();
    let refused = town.agents.command(1, &["agree", &id, "--yes"]).unwrap();
    assert_eq!(refused.status.code(), Some(3));
    town.agents.convene(&["propose", &id, "--exclude", NAME]).unwrap();
    for agent in &agents {
        assert!(agent.logs("round 2 waits for this SV's operator"), "{}", agent.log());
    }
    agree(&town, session);
    all_finish(agents);
    assert_eq!(hostile.folded().phase(), Phase::Completed(2));
}

#[test]
fn contradictions_without_end_hide_nothing_else() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let (agents, mut hostile, _) = proposed(&town, session);
    for sequence in 5000..5040 {
        for minutes in [3, 4] {
            let ticks = super::evidence::minutes(minutes);
            let again = hostile.sign_as(sequence, town.agents.network.evidence_at(HOSTILE, &ticks));
            hostile.submit(&again).unwrap();
        }
    }
    let said = seen(&town, 1, &["status", &session.to_string()]);
    assert_eq!(said.matches("EQUIVOCATION: ").count(), 4, "{said}");
    assert!(said.contains(&format!("{NAME} contradicted itself 37 more times")), "{said}");
    agree(&town, session);
    all_finish(agents);
}
