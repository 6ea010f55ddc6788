//! Agreements and attestations that are not enough, for all that a coordinator makes of them.

use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::statement::{Body, SessionId};

use super::stage::{REAL, Stage, agreement, attestation};

#[test]
fn only_the_signatures_of_enough_members_count() {
    let stage = Stage::new();
    let agent = stage.run();
    stage.gather();
    let proposal = stage.proposal();
    let at = proposal.plan.recovery_timestamp();
    let proposed = stage.by_nobody(proposal);
    stage.liar.show(stage.session, &proposed);
    let proposed = proposed.digest();
    stage.submitted("agreement");

    // Two of three: again under another number, by a stranger, to something else, and elsewhere.
    stage.say(3, agreement(1, proposed));
    stage.say(3, agreement(1, proposed));
    stage.liar.show(stage.session, &stage.by_stranger(&stage.sign(4, agreement(1, proposed))));
    stage.say(4, agreement(1, Digest::of(b"another")));
    let network = &stage.agents.network;
    let elsewhere = Some(SessionId::from_bytes([9; 16]));
    for foreign in [
        network.sign(1, elsewhere, 50, agreement(1, proposed)).unwrap(),
        network.sign_drill(1, Some(stage.session), 51, agreement(1, proposed)).unwrap(),
    ] {
        stage.liar.show(stage.session, &foreign);
    }
    stage.seen(&agent);
    assert!(agent.logs("2 of 3 members have agreed to round 1: waiting for 1 more of"), "{}", agent.log());
    assert!(!agent.log().contains("making the dump"), "{}", agent.log());
    assert_eq!(stage.signed(), ["evidence", "agreement"]);

    // The third makes the certificate; then the same with attestations.
    stage.say(1, agreement(1, proposed));
    stage.submitted("attestation");
    stage.say(3, attestation(1, proposed, at));
    stage.say(3, attestation(1, proposed, at));
    stage.liar.show(stage.session, &stage.by_stranger(&stage.sign(1, attestation(1, proposed, at))));
    // Member 4 has not agreed to it, so that its attestation counts for nothing.
    stage.say(4, attestation(1, proposed, at));
    let foreign = network.sign(1, elsewhere, 52, attestation(1, proposed, at)).unwrap();
    stage.liar.show(stage.session, &foreign);
    stage.seen(&agent);
    let certificate = stage.agents.state(REAL).join(stage.session.to_string()).join("completed-1.jsonl");
    assert!(!certificate.exists());
    let delivered = stage.agents.command(REAL, &["deliver", &stage.session.to_string()]).unwrap();
    assert!(!delivered.status.success());

    stage.say(1, attestation(1, proposed, at));
    let finished = agent.finish().unwrap();
    assert!(finished.status.success(), "{}", finished.log);
    assert_eq!(stage.signed(), ["evidence", "agreement", "attestation"]);
    let text = std::fs::read_to_string(certificate).unwrap();
    assert_only_the_whole_holds(&stage, &text.lines().map(str::to_owned).collect::<Vec<_>>());
}

/// The certificate that the agent keeps holds for anybody, and nothing that somebody makes of it does.
fn assert_only_the_whole_holds(stage: &Stage, lines: &[String]) {
    let folder = stage.agents.network.path();
    let verify = |lines: &[String]| {
        let file = folder.join("certificate.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let mut command = std::process::Command::new(svdr_tests::binaries::agent());
        command.args(["verify", "--completed", "--roster"]).arg(folder.join("roster.toml")).arg(file);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = verify(lines);
    assert_eq!(code, Some(0), "{said}");
    let (last, rest) = lines.split_last().unwrap();
    let attested = Envelope::from_json(last.as_bytes()).unwrap();
    let forged = stage.by_stranger(&attested).to_json();
    let repeated = rest.last().unwrap().clone();
    for wrong in [None, Some(repeated), Some(forged)] {
        let lines: Vec<String> = rest.iter().cloned().chain(wrong.clone()).collect();
        let (code, said) = verify(&lines);
        assert_eq!(code, Some(3), "{wrong:?}: {said}");
    }
}

#[test]
fn two_proposals_do_not_share_their_agreements() {
    let stage = Stage::new();
    let agent = stage.run();
    stage.gather();
    let proposal = stage.proposal();
    let first = stage.by_nobody(proposal.clone());
    stage.liar.show(stage.session, &first);
    stage.submitted("agreement");
    let second = stage.say(1, Body::Proposal(proposal));
    stage.say(3, agreement(1, first.digest()));
    stage.say(4, agreement(1, second));
    stage.say(1, agreement(1, second));
    stage.seen(&agent);
    assert!(agent.logs("2 of 3 members have agreed to round 1"), "{}", agent.log());
    assert!(!agent.log().contains("making the dump"), "{}", agent.log());
    assert_eq!(stage.signed(), ["evidence", "agreement"]);
}
