//! Model checking of the voting rules: every interleaving of what members can sign, over the real
//! `protocol::vote`, `protocol::session` and `protocol::certificate`, with real statements and signatures.
//!
//! The network is the worst there can be. At every step an agent has just crashed and knows nothing but its own
//! disk; then it is shown *any part* of all that was ever signed. That is what crashes, repeated and reordered
//! messages, any number of coordinators, and coordinators that withhold come to, so that none of them needs a
//! state of its own: the state is what the members have signed. One member may sign whatever it likes.
//!
//! Parts are enumerated up to the size that a decision can need, and only where a decision waits for something:
//! that more knowledge never turns a refusal into a signature, nor one signature into another, is itself tested
//! below, on random knowledge.
//!
//! Real drills, recorded, are runs of the same model: see `recorded`.
//!
//! Recorded sessions of the real programs are runs of the same model: see `recorded`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod laws;
mod network;
mod recorded;
mod recovery;

use stateright::{Checker as _, Model as _};

use network::Network;
use recovery::Recovery;

/// Explores everything, and fails where a property does not hold or an example of a reachable state is missing.
fn explore(name: &str, model: Recovery) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    eprintln!("{name}: {} states, {} distinct", checker.state_count(), checker.unique_state_count());
    checker.assert_properties();
}

#[test]
fn four_honest_members_never_complete_two_timestamps() {
    explore("four honest", Recovery::new(Network::rounds(4, 2)).abandoning(2));
}

#[test]
fn three_honest_members_never_complete_two_timestamps() {
    explore("three honest", Recovery::new(Network::rounds(3, 2)).abandoning(3));
}

#[test]
fn a_release_opens_a_locked_round_of_four() {
    explore("four with releases", Recovery::new(Network::rounds(4, 2)).with_releases());
}

#[test]
fn one_equivocator_of_four_is_named_by_the_certificates() {
    explore("one equivocator of four", Recovery::new(Network::rounds(4, 2)).with_equivocator());
}

#[test]
fn one_equivocator_of_three_is_named_by_the_certificates() {
    explore("one equivocator of three", Recovery::new(Network::rounds(3, 2)).with_equivocator());
}

#[test]
fn one_equivocator_agrees_to_both_proposals_of_a_round() {
    explore("two proposals", Recovery::new(Network::proposals(3)).with_equivocator());
}

#[test]
fn a_member_that_proposes_as_it_likes_steers_nobody() {
    explore("a proposer of three", Recovery::new(Network::steered(3)).with_equivocator());
}

#[test]
fn two_sessions_of_one_network_never_complete_two_timestamps() {
    explore("two sessions of three", Recovery::new(Network::sessions(3)));
}

#[test]
fn an_equivocator_across_two_sessions_is_named_by_the_certificates() {
    explore("an equivocator across two sessions", Recovery::new(Network::sessions(3)).with_equivocator());
}
