//! Receipts that are not what they should be, for a statement that the agent has handed in.

use std::time::Instant;

use svdr_tests::agents::LIMIT;
use svdr_tests::liar::OnSubmit;

use super::stage::{Stage, ended};

#[test]
fn a_receipt_that_does_not_hold_ends_the_run() {
    let lies = [
        (OnSubmit::OtherKey, "the receipt is signed by ed25519:", false),
        (OnSubmit::Damaged, "sent an invalid receipt", false),
        (OnSubmit::OtherStatement, "with the receipt for sha256:", false),
        (OnSubmit::OtherSession, "was acknowledged as one of session 07070707070707070707070707070707", true),
        (OnSubmit::OtherHead, "signed two receipts for position 1", true),
    ];
    for (lie, words, leaves_proof) in lies {
        let stage = Stage::new();
        stage.liar.on_submit(lie);
        let log = ended(stage.run());
        assert!(log.contains(words), "{lie:?}: {log}");
        assert_eq!(stage.proofs(), usize::from(leaves_proof), "{lie:?}");
        assert_eq!(stage.signed(), ["evidence"], "{lie:?}");
    }
}

#[test]
fn a_statement_that_is_acknowledged_and_not_shown_is_noticed_and_waited_for() {
    for lie in [OnSubmit::Withhold, OnSubmit::FarAhead] {
        let stage = Stage::new();
        stage.liar.on_submit(lie);
        let agent = stage.run();
        let evidence = stage.submitted("evidence");
        // It says that it has nothing new, again and again.
        let end = Instant::now() + LIMIT;
        while !agent.log().contains("withholds statements") {
            stage.liar.keep_alive();
            assert!(Instant::now() < end, "{}", agent.log());
            std::thread::yield_now();
        }
        assert!(agent.log().contains("it acknowledged one at position"), "{}", agent.log());
        assert_eq!(stage.signed(), ["evidence"]);
        // Nothing is lost by it: the same bytes come again.
        if lie == OnSubmit::FarAhead {
            stage.liar.on_submit(OnSubmit::Accept);
            let digest = evidence.digest();
            assert!(stage.liar.wait_for_count(2, |one| one.digest() == digest));
        }
    }
}
