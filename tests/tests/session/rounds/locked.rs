//! A round that too few can attest and too few can abandon, and the way out of it.

use svdr_protocol::session::Phase;
use svdr_protocol::statement::Body;

use super::{before_newest, behind, done, operate, status};
use svdr_tests::town::Town;

#[test]
fn a_locked_round_is_released_by_its_operators_and_the_next_one_completes() {
    let town =
        Town::with_apps(4, "automatic", |place, options| if place < 2 { options } else { behind(options) });
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let mut agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    // Two attest; two cannot, and of those one dies.
    for (agent, said) in agents.iter().zip(["attestation", "attestation", "obstacle", "obstacle"]) {
        assert!(agent.logs(&format!("signed {said}")), "{}", agent.log());
    }
    agents.pop().unwrap().kill().unwrap();
    assert!(
        agents[2].logs(&format!("svdr-coordinator session propose {id} --not-after")),
        "{}",
        agents[2].log()
    );
    let bound = before_newest(10).to_string();
    town.agents.convene(&["propose", &id, "--not-after", &bound]).unwrap();
    assert!(agents[2].logs("signed agreement: round 2"), "{}", agents[2].log());
    for agent in &agents[..2] {
        assert!(agent.logs("only 1 of the 2 members that it takes have abandoned it"), "{}", agent.log());
        assert!(!agent.log().contains("signed agreement: round 2"), "{}", agent.log());
    }
    // The operator is shown both ways out, the last resort last; and without a yes nothing is released.
    let said = operate(&town, 1, &["status", &id]);
    assert!(said.contains(&format!("svdr-agent release {id} --round 1")), "{said}");
    let release = ["release", &id, "--round", "1", "--reason", "two of four are gone"];
    let unasked = town.agents.command(1, &release).unwrap();
    assert!(!unasked.status.success());
    let said = operate(&town, 1, &[&release[..], &["--yes"]].concat());
    assert!(said.contains("This can split the network.") && said.contains("Do this first:"), "{said}");

    // With that release the second member has its proof as well: nobody else has to take anything back.
    for agent in &agents[..2] {
        assert!(agent.logs("signed agreement: round 2"), "{}", agent.log());
    }
    for agent in agents {
        let document = done(agent);
        assert_eq!(document["round"], 2);
        assert_eq!(document["recovery_timestamp"], bound);
        assert_eq!(document["attested"], true);
    }
    let seen = status(&town, 3, session);
    assert_eq!(seen["releases"][0]["by"], "Example-SV-1");
    assert!(operate(&town, 2, &["status", &id]).contains("RELEASE: Example-SV-1 withdrew its attestation"));
    let report = town.transcript(session);
    assert!(report.holds() && report.equivocations.is_empty(), "{report:?}");
    let session = &report.sessions[0];
    assert_eq!((session.phase, session.completed.len()), (Phase::Completed(2), 1));
    let releases = session.session.statements().filter(|one| matches!(one.body(), Body::Release(_)));
    assert_eq!(releases.count(), 1);
}

#[test]
fn a_round_that_enough_abandon_needs_no_release() {
    let town =
        Town::with_apps(4, "automatic", |place, options| if place < 2 { options } else { behind(options) });
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for (agent, said) in agents.iter().zip(["attestation", "attestation", "obstacle", "obstacle"]) {
        assert!(agent.logs(&format!("signed {said}")), "{}", agent.log());
    }
    town.agents.convene(&["propose", &id, "--not-after", &before_newest(10).to_string()]).unwrap();
    for agent in agents {
        let document = done(agent);
        assert_eq!((&document["round"], &document["attested"]), (&2.into(), &true.into()));
    }
    let report = town.transcript(session);
    assert!(report.holds() && report.equivocations.is_empty(), "{report:?}");
    assert_eq!(report.sessions[0].phase, Phase::Completed(2));
}
