//! What operators decide, and what comes of it.

use svdr_protocol::session::Phase;

use super::{before_newest, digests, done, held, operate, status, wait};
use svdr_tests::town::Town;

#[test]
fn a_rejected_round_is_followed_by_one_that_suits() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in &agents {
        assert!(agent.logs("round 1 waits for this SV's operator"), "{}", agent.log());
    }
    let reason = "our participant was restored at 21:22";
    for member in [2, 3] {
        operate(&town, member, &["reject", &id, "--reason", reason, "--yes"]);
    }
    operate(&town, 1, &["agree", &id, "--yes"]);
    // Said twice, it is one rejection.
    operate(&town, 2, &["reject", &id, "--reason", reason, "--yes"]);
    let seen = status(&town, 4, session);
    let members = seen["members"].as_array().unwrap();
    assert_eq!(members.iter().filter(|one| one["vote"] == "rejected").count(), 2, "{members:#?}");
    assert_eq!(members[1]["vote_reason"], reason);
    assert!(operate(&town, 2, &["status", &id]).contains("you have rejected this one"));

    let bound = before_newest(5).to_string();
    town.agents.convene(&["propose", &id, "--not-after", &bound]).unwrap();
    for agent in &agents {
        assert!(agent.logs("round 2 waits for this SV's operator"), "{}", agent.log());
    }
    // Three are enough; the fourth comes late, and follows.
    for member in 1..=3 {
        operate(&town, member, &["agree", &id, "--yes"]);
    }
    assert!(agents[3].logs("round 2 is completed"), "{}", agents[3].log());
    let said = operate(&town, 4, &["status", &id]);
    assert!(said.contains("the others have completed round 2, which covers you"), "{said}");
    operate(&town, 4, &["agree", &id, "--yes"]);
    for agent in agents {
        let document = done(agent);
        assert_eq!(document["round"], 2);
        assert_eq!(document["recovery_timestamp"], bound);
        assert_eq!(document["attested"], true);
    }
    let report = town.transcript(session);
    assert!(report.holds(), "{report:?}");
    assert_eq!(report.sessions[0].phase, Phase::Completed(2));
    assert_eq!(report.sessions[0].session.rejections(1, &first_proposal(&report)).len(), 2);
}

fn first_proposal(report: &svdr_protocol::transcript::Report) -> svdr_protocol::digest::Digest {
    report.sessions[0].session.proposals(1).next().unwrap().digest()
}

#[test]
fn who_abandons_a_round_never_attests_it_and_the_others_complete_it() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in &agents {
        assert!(agent.logs("round 1 waits for this SV's operator"), "{}", agent.log());
    }
    operate(&town, 3, &["agree", &id, "--yes"]);
    let said = operate(&town, 3, &["abandon", &id, "--reason", "the disk is full", "--yes"]);
    assert!(said.contains("the disk is full"), "{said}");
    for member in [1, 2, 4] {
        operate(&town, member, &["agree", &id, "--yes"]);
    }
    let documents: Vec<_> = agents.into_iter().map(done).collect();
    for (place, document) in documents.iter().enumerate() {
        assert_eq!(document["round"], 1);
        assert_eq!(document["attested"], place != 2, "{document}");
    }
    let advice = documents[2]["next"]["what"].as_str().unwrap();
    assert!(advice.contains("you promised never to attest round 1"), "{advice}");
    // It cannot release what it has not attested.
    let refused = town.agents.command(3, &["release", &id, "--reason", "x", "--yes"]).unwrap();
    assert_eq!(refused.status.code(), Some(3));
    let report = town.transcript(session);
    assert!(report.holds() && report.equivocations.is_empty());
    let completed = &report.sessions[0].completed[0];
    assert!(!completed.attestations().keys().any(|member| member.as_str() == "Example-SV-3"));
}

#[test]
fn who_rejected_what_the_others_completed_is_told_how_to_follow_them() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in &agents {
        assert!(agent.logs("round 1 waits for this SV's operator"), "{}", agent.log());
    }
    operate(&town, 4, &["reject", &id, "--reason", "our backup is older", "--yes"]);
    (1..=3).for_each(|member| drop(operate(&town, member, &["agree", &id, "--yes"])));
    let documents: Vec<_> = agents.into_iter().map(done).collect();
    assert_eq!(documents[3]["attested"], false);
    let commands = |document: &serde_json::Value| document["next"]["commands"].to_string();
    assert!(commands(&documents[3]).contains(&format!("svdr-agent agree {id}")), "{}", documents[3]["next"]);
    assert!(!documents[3]["next"].to_string().contains("donat"), "{}", documents[3]["next"]);
    // What it says is what helps.
    operate(&town, 4, &["agree", &id, "--yes"]);
    let followed = done(town.run(4));
    assert_eq!(followed["attested"], true);
    assert!(commands(&followed).contains("svdr-agent deliver"), "{}", followed["next"]);
}

#[test]
fn who_is_left_behind_is_told_so_and_the_others_go_without() {
    let town = Town::new(4);
    // The fourth member's participant has stopped before the others'.
    let log = town.agents.folder(4).join("participant.log");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&log, lines[..lines.len() * 3 / 4].join("\n") + "\n").unwrap();
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    assert!(agents[3].logs("it leaves this SV behind"), "{}", agents[3].log());
    let documents: Vec<_> = agents.into_iter().map(done).collect();
    assert_eq!(documents[3]["attested"], false);
    assert_eq!(documents[3]["dump"], serde_json::Value::Null);
    assert!(documents[..3].iter().all(|document| document["attested"] == true));
    let id = session.to_string();
    let said = operate(&town, 4, &["review", &id]);
    assert!(said.contains("This proposal leaves Example-SV-4 BEHIND"), "{said}");
    let said = operate(&town, 4, &["status", &id]);
    assert!(
        said.contains("Ask one of")
            && said.contains("svdr-agent donate")
            && said.contains("svdr-agent receive"),
        "{said}"
    );
    let report = town.transcript(session);
    assert!(report.holds());
    assert_eq!(report.sessions[0].phase, Phase::Completed(1));
}

#[test]
fn who_follows_gives_another_coordinator_what_it_lacks() {
    let mut town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let following = town.agents.run(1, &["--follow"], &[]).unwrap();
    let agents: Vec<_> = (2..=4).map(|member| town.run(member)).collect();
    for agent in agents {
        assert_eq!(done(agent)["attested"], true);
    }
    assert!(following.logs("signed attestation"), "{}", following.log());
    assert!(following.logs("round 1 is completed"), "{}", following.log());
    let all = digests(&town.transcript(session).sessions[0].session);
    wait("the first member has not all that there is", || held(&town.agents, 1, session).is_superset(&all));
    town.replace_coordinator();
    // The other coordinator is given one statement after the other.
    let given = || {
        let is_there = town.agents.convene(&["show", &id]).is_ok();
        let seen = || digests(&town.transcript(session).sessions[0].session);
        is_there && seen() == held(&town.agents, 1, session)
    };
    wait("the other coordinator has not been given all", given);
    svdr_tests::town::assert_sound(&town, session);
    following.signal("-TERM").unwrap();
    assert_eq!(following.finish().unwrap().status.code(), Some(1));
}
