//! What was promised in one session binds in the others of the network.

use svdr_protocol::session::Phase;

use super::{behind, done, operate};
use svdr_tests::town::Town;

#[test]
fn what_was_attested_in_one_session_binds_in_another() {
    // Only the first member's SV app can make the first session's dump.
    let town =
        Town::with_apps(4, "automatic", |place, options| if place == 0 { options } else { behind(options) });
    let first = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    assert!(agents[0].logs("signed attestation"), "{}", agents[0].log());
    for agent in &agents[1..] {
        assert!(agent.logs("signed obstacle"), "{}", agent.log());
    }
    for agent in agents {
        agent.kill().unwrap();
    }

    // A second session, with an earlier timestamp. The others' operators have still to decide.
    let second = town.agents.open(&["--margin", "20m"]).unwrap();
    let id = second.to_string();
    let here = ["--session", id.as_str()];
    let bound = town.agents.run(1, &here, &[]).unwrap();
    let asked = ["--session", &id, "--approval", "operator"];
    let others: Vec<_> = (2..=4).map(|member| town.agents.run(member, &asked, &[]).unwrap()).collect();
    assert!(bound.logs(&format!("this member has attested round 1 of session {first}")), "{}", bound.log());
    assert!(bound.logs("only 0 of the 2 members that it takes have abandoned it"), "{}", bound.log());
    operate(&town, 2, &["agree", &id, "--yes"]);
    assert!(bound.logs("only 1 of the 2 members that it takes have abandoned it"), "{}", bound.log());
    assert!(!bound.log().contains("signed agreement"), "{}", bound.log());
    // With the second one that leaves the first session, it is proved that nothing comes of it.
    operate(&town, 3, &["agree", &id, "--yes"]);
    assert!(bound.logs("signed agreement: round 1"), "{}", bound.log());
    assert_eq!(done(bound)["attested"], true);
    // The fourth one's operator comes late, and follows.
    operate(&town, 4, &["agree", &id, "--yes"]);
    for agent in others {
        assert_eq!(done(agent)["attested"], true);
    }

    // Who has left the first session is told that it is over there.
    let said = operate(&town, 2, &["status", &first.to_string()]);
    assert!(
        said.contains("is completed, and this session does not name that session as a predecessor"),
        "{said}"
    );
    for session in [first, second] {
        let report = town.transcript(session);
        assert!(report.holds() && report.equivocations.is_empty(), "{report:?}");
    }
    assert_eq!(town.transcript(second).sessions[0].phase, Phase::Completed(1));
    assert_eq!(town.transcript(first).sessions[0].phase, Phase::Recovering(1));
}

#[test]
fn after_a_completed_session_only_one_that_follows_it_is_joined() {
    let town = Town::new(4);
    let first = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in agents {
        assert_eq!(done(agent)["attested"], true);
    }
    let stranger = town.agents.open(&[]).unwrap().to_string();
    let agents: Vec<_> =
        (1..=4).map(|member| town.agents.run(member, &["--session", &stranger], &[]).unwrap()).collect();
    for agent in &agents {
        assert!(agent.logs("this session does not name that session as a predecessor"), "{}", agent.log());
        assert!(!agent.log().contains("signed agreement"), "{}", agent.log());
    }
    for agent in agents {
        agent.kill().unwrap();
    }
    let heir = town.agents.open(&["--follows", &first.to_string()]).unwrap();
    let here = heir.to_string();
    let agents: Vec<_> =
        (1..=4).map(|member| town.agents.run(member, &["--session", &here], &[]).unwrap()).collect();
    for agent in agents {
        assert_eq!(done(agent)["attested"], true);
    }
    let report = town.transcript(heir);
    assert!(report.holds() && report.equivocations.is_empty(), "{report:?}");
    assert_eq!(report.sessions[0].phase, Phase::Completed(1));
}
