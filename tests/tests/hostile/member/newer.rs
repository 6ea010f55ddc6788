//! A member with a newer version: the others keep what only it can read, and finish.

use prost::Message as _;
use svdr_proto::v1;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::session::Phase;
use svdr_protocol::statement::{Body, Open, PlanKind, SessionId, Statement};
use svdr_tests::town::Town;

use super::stage::{HOSTILE, Hostile, NAME, all_finish, seen};

/// A statement in the session that only a newer version reads.
fn newer(town: &Town, session: SessionId, kind: &str, sequence: u64) -> Envelope {
    let header = v1::Header {
        session: session.as_bytes().to_vec(),
        roster: town.agents.network.roster.fingerprint().as_bytes().to_vec(),
        drill: false,
        signer: NAME.to_owned(),
        sequence,
        software: "svdr 99".to_owned(),
    };
    let message = v1::Obstacle { header: Some(header), round: 1, kind: 9, ..Default::default() };
    let payload_type = format!("application/vnd.svdr.v1.{kind}+protobuf");
    Envelope::sign(payload_type, message.encode_to_vec(), town.agents.network.key(HOSTILE))
}

#[test]
fn what_only_a_newer_version_reads_passes_everywhere_and_stops_nothing() {
    let mut town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=3).map(|member| town.run(member)).collect();
    let said = [newer(&town, session, "prophecy", 900), newer(&town, session, "obstacle", 901)];
    let mut hostile = Hostile::new(&town, session);
    for one in &said {
        hostile.submit(one).unwrap();
    }
    let ticks = hostile.ticks(3);
    hostile.say(town.agents.network.evidence_at(HOSTILE, &ticks));
    drop(hostile);
    all_finish(agents);
    // The coordinator reads them again from its journal, and hands them on.
    town.restart_coordinator();
    let report = town.transcript(session);
    assert!(report.holds(), "{report:?}");
    assert_eq!(report.sessions[0].phase, Phase::Completed(1));
    assert_eq!(report.sessions[0].session.unknown(), 2);
    let status = seen(&town, 1, &["status", &session.to_string()]);
    assert!(status.contains("2 statements of newer versions of svdr are kept"), "{status}");
    // An agent that had them from one coordinator gives them to another.
    let mirrored =
        std::fs::read_to_string(town.agents.state(1).join(session.to_string()).join("mirror.jsonl"));
    let mirrored = mirrored.unwrap();
    for one in &said {
        assert!(mirrored.contains(&one.to_json()), "{mirrored}");
    }
}

#[test]
fn nobody_takes_part_in_a_session_whose_plan_only_a_newer_version_knows() {
    let town = Town::new(4);
    let known = town.agents.network.sign(1, None, 1, svdr_tests::network::opening(9)).unwrap();
    let read = svdr_protocol::statement::Verified::read(known, &town.agents.network.roster).unwrap();
    let Body::Open(opening) = read.body().clone() else { unreachable!() };
    let body = Body::Open(Open { plan: PlanKind::Unknown(7), ..opening });
    let statement = Statement { header: read.header().clone(), body };
    let opened = statement.sign(town.agents.network.key(1)).unwrap();
    let session = SessionId::of_open(&opened.digest());
    let mut hostile = Hostile::new(&town, session);
    hostile.submit(&opened).unwrap();
    // An attestation without a dump would be malformed in any session whose plan is known.
    let attested = newer(&town, session, "attestation", 900);
    hostile.submit(&attested).unwrap();
    let agent = town.agents.run(2, &["--session", &session.to_string()], &[]).unwrap();
    assert!(agent.logs("does not know the plan of session"), "{}", agent.log());
    assert!(agent.logs("use svdr-tests, with which"), "{}", agent.log());
    let folder = town.agents.state(2).join(session.to_string());
    let mirrored = std::fs::read_to_string(folder.join("mirror.jsonl")).unwrap();
    assert!(mirrored.contains(&attested.to_json()), "{mirrored}");
    let signed = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(signed.filter(|name| name.to_string_lossy().starts_with("0000")).count(), 0);
    agent.kill().unwrap();
    let report = town.transcript(session);
    assert!(report.holds(), "{report:?}");
}
