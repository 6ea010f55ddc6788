//! A member that wants another SV left behind: as a coordinator, and with a proposal that comes early.

use svdr_protocol::session::Phase;
use svdr_protocol::statement::Body;
use svdr_tests::town::Town;

use super::stage::{HOSTILE, Hostile, NAME, all_finish};

/// Makes every agent wait for an hour.
fn patient(town: &Town) {
    for member in 1..=3 {
        let config = town.agents.config(member);
        let text = std::fs::read_to_string(&config).unwrap().replace("\"1ms\"", "\"1h\"");
        assert!(text.contains("grace = \"1h\""), "{text}");
        std::fs::write(config, text).unwrap();
    }
}

#[test]
fn nobody_poses_as_the_coordinator_and_an_early_proposal_waits_for_the_fourth() {
    let town = Town::new(4);
    patient(&town);
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=3).map(|member| town.run(member)).collect();
    let mut hostile = Hostile::new(&town, session);
    let ticks = hostile.ticks(3);
    let early = hostile.folded();
    let early = early.next_proposal(&early.parameters()).unwrap();
    let refused = hostile.submit(&hostile.by_impostor(early.clone())).unwrap_err();
    assert!(refused.to_string().contains("neither a member's key nor one that the opening"), "{refused}");
    // A coordinator that the opening lists may propose, and so may a convener. The agents wait all the same.
    hostile.submit(&hostile.by_coordinator(early)).unwrap();
    let waits = format!("automatic approval waits for the evidence of {NAME}");
    for agent in &agents {
        assert!(agent.logs(&waits), "{}", agent.log());
    }
    assert_eq!(hostile.folded().phase(), Phase::Proposed(1));
    let agreed = |body: &Body| matches!(body, Body::Agreement(_));
    assert!(!hostile.folded().statements().any(|one| agreed(one.body())));
    hostile.say(town.agents.network.evidence_at(HOSTILE, &ticks));
    all_finish(agents);
}
