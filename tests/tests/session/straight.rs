//! Whole sessions, with the real programs: from the logs to a completion certificate.

use svdr_tests::members::SYNCHRONIZER;
use svdr_tests::town::{Town, assert_sound, documents};

/// What an agent logs once it has passed each phase of a session.
const PHASES: [&str; 5] =
    ["joined session", "signed evidence", "signed agreement", "making the dump", "signed attestation"];

#[test]
fn four_agents_recover_to_one_timestamp() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    let finished: Vec<_> = agents.into_iter().map(|agent| agent.finish().unwrap()).collect();
    let documents = documents(&finished);
    for document in &documents {
        assert_eq!(document["session"], session.to_string());
        assert_eq!(document["recovery_timestamp"], documents[0]["recovery_timestamp"]);
        assert_eq!(document["attested"], true);
    }
    assert_sound(&town, session);
}

#[test]
fn an_agent_killed_in_any_phase_goes_on_where_it_was() {
    for phase in PHASES {
        let town = Town::new(4);
        let session = town.agents.open(&[]).unwrap();
        let others: Vec<_> = (2..=4).map(|member| town.run(member)).collect();
        let first = town.run(1);
        assert!(first.logs(phase), "{phase}: {}", first.log());
        first.kill().unwrap();
        let again = town.run(1);
        for agent in others.into_iter().chain([again]) {
            let finished = agent.finish().unwrap();
            assert!(finished.status.success(), "{phase}: {}", finished.log);
        }
        assert_sound(&town, session);
    }
}

#[test]
fn a_coordinator_killed_in_any_phase_and_started_again_changes_nothing() {
    for phase in PHASES {
        let mut town = Town::new(4);
        let session = town.agents.open(&[]).unwrap();
        let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
        assert!(agents[0].logs(phase), "{phase}: {}", agents[0].log());
        town.restart_coordinator();
        for agent in agents {
            let finished = agent.finish().unwrap();
            assert!(finished.status.success(), "{phase}: {}", finished.log);
        }
        assert_sound(&town, session);
    }
}

#[test]
fn an_empty_coordinator_in_place_of_a_lost_one_is_given_everything() {
    let mut town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    // Three are enough to agree only with the fourth's evidence, which is there; the fourth comes later.
    let fourth = town.run(4);
    assert!(fourth.logs("signed evidence"));
    fourth.kill().unwrap();
    let agents: Vec<_> = (1..=3).map(|member| town.run(member)).collect();
    assert!(agents[0].logs("signed evidence"), "{}", agents[0].log());
    town.replace_coordinator();
    let fourth = town.run(4);
    for agent in agents.into_iter().chain([fourth]) {
        let finished = agent.finish().unwrap();
        assert!(finished.status.success(), "{}", finished.log);
    }
    assert_sound(&town, session);
}

#[test]
fn connections_that_are_cut_are_made_again() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for phase in ["signed evidence", "signed agreement"] {
        assert!(agents[2].logs(phase), "{}", agents[2].log());
        town.relay.cut();
    }
    for agent in agents {
        let finished = agent.finish().unwrap();
        assert!(finished.status.success(), "{}", finished.log);
    }
    assert_sound(&town, session);
}

#[test]
fn an_agent_that_is_told_to_stop_ends_in_good_order_and_goes_on_later() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    for signal in ["-TERM", "-INT"] {
        let agent = town.run(1);
        assert!(agent.logs("joined session"));
        agent.signal(signal).unwrap();
        let finished = agent.finish().unwrap();
        assert_eq!(finished.status.code(), Some(1), "{}", finished.log);
        assert!(finished.log.contains("stopped by a signal"), "{}", finished.log);
    }
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in agents {
        assert!(agent.finish().unwrap().status.success());
    }
    assert_sound(&town, session);
}

#[test]
fn drills_and_real_sessions_are_kept_apart() {
    let town = Town::new(4);
    let session = town.agents.open(&["--drill"]).unwrap();
    let refused = town.agents.run(1, &["--session", &session.to_string()], &[]).unwrap().finish().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", refused.log);
    assert!(refused.log.contains("is a drill"), "{}", refused.log);
    // Without a name, a real run waits for a real session.
    let waiting = town.run(2);
    assert!(waiting.logs("no session is open"), "{}", waiting.log());
    waiting.kill().unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.agents.run(member, &["--drill"], &[]).unwrap()).collect();
    let finished: Vec<_> = agents.into_iter().map(|agent| agent.finish().unwrap()).collect();
    assert!(documents(&finished).iter().all(|document| document["drill"] == true));
    assert_sound(&town, session);
}

#[test]
fn an_aborted_session_ends_the_run() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let agent = town.run(2);
    assert!(agent.logs("signed evidence"));
    town.agents.convene(&["abort", &session.to_string(), "--reason", "wrong network"]).unwrap();
    let finished = agent.finish().unwrap();
    assert_eq!(finished.status.code(), Some(4), "{}", finished.log);
    assert!(finished.log.contains("wrong network"), "{}", finished.log);
}

#[test]
fn the_operator_is_asked_where_the_configuration_says_so() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    assert!(agents[0].logs(&format!("svdr-agent agree {session}")), "{}", agents[0].log());
    assert!(!agents[0].log().contains("signed agreement"));
}

#[test]
fn what_the_sv_app_cannot_serve_is_told_to_the_others() {
    use svdr_protocol::time::Timestamp;
    let far = Timestamp::from_micros(1_900_000_000_000_000);
    let town = Town::with_apps(4, "automatic", |place, options| svdr_tests::sv_app::Options {
        pruned_until: if place == 3 { far } else { None },
        ..options
    });
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    assert!(agents[3].logs("signed obstacle"), "{}", agents[3].log());
    assert!(agents[3].logs("--not-before"), "{}", agents[3].log());
    let mut agents = agents.into_iter();
    for agent in agents.by_ref().take(3) {
        assert!(agent.finish().unwrap().status.success());
    }
    let seen = town.transcript(session);
    let obstacles = seen.sessions[0].session.obstacles(1).count();
    assert_eq!(obstacles, 1);
}

#[test]
fn an_agent_signs_no_evidence_of_two_participants_until_one_is_chosen() {
    let town = Town::new(4);
    town.agents.open(&[]).unwrap();
    let log = town.agents.folder(1).join("two.log");
    let line = |participant: &str| {
        format!(
            "2026-04-21 22:01:04,120 [t] INFO  c.d.c.p.p.AcsCommitmentProcessor:participant={participant}/psid=\
             {SYNCHRONIZER}::34-0 tid:1 - Commitment correct for sender PAR::x::1220aaaaaaaa... and period \
             CommitmentPeriod(fromExclusive = 2026-04-21T22:00:00Z, toInclusive = 2026-04-21T22:01:00Z)\n"
        )
    };
    std::fs::write(&log, line("alice") + &line("bob")).unwrap();
    let log = log.to_str().unwrap();
    let refused = town.agents.run(1, &["--log", log], &[]).unwrap().finish().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", refused.log);
    for said in ["the participants alice and bob", "logger_participant in [evidence]"] {
        assert!(refused.log.contains(said), "{said}: {}", refused.log);
    }
    let chosen = town.agents.run(1, &["--log", log], &[("SVDR_LOGGER_PARTICIPANT", "alice")]).unwrap();
    assert!(chosen.logs("signed evidence"), "{}", chosen.log());
    chosen.kill().unwrap();
}
