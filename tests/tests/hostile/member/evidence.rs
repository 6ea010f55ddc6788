//! Evidence that is made to be hard work.

use std::collections::BTreeMap;

use svdr_protocol::evidence::{Evidence, Observations, Ticks};
use svdr_protocol::session::Phase;
use svdr_protocol::statement::Body;
use svdr_protocol::time::{Tick, Timestamp};

use super::stage::{HOSTILE, Hostile, all_finish};
use svdr_tests::town::Town;

const MINUTE: i64 = 60_000_000;
/// A time long before the logs begin, in microseconds since the Unix epoch.
const LONG_AGO: i64 = 1_700_000_000_000_000;
/// Irregular ticks about each counterparty: with nine bytes each, as many as a statement has room for.
const IRREGULAR: i64 = 140_000;

fn tick(micros: i64) -> Tick {
    Tick(Timestamp::from_micros(micros).unwrap())
}

/// So many ticks, long ago.
pub(crate) fn minutes(count: i64) -> Ticks {
    (0..count).map(|minute| tick(LONG_AGO + minute * MINUTE)).collect()
}

/// What the others match, and as many ticks besides as there is room for, none at an even distance from the last.
fn heavy(town: &Town, matched: &Ticks) -> Body {
    let network = &town.agents.network;
    let own = &network.roster.members()[HOSTILE - 1];
    let others = network.roster.members().iter().filter(|other| other.name != own.name);
    let about: BTreeMap<_, _> = others
        .enumerate()
        .map(|(place, other)| {
            let start = LONG_AGO + i64::try_from(place).unwrap();
            let irregular = (0..IRREGULAR).map(|n| tick(start + n * MINUTE + n * n % 7919 * 1000));
            let matches = irregular.chain(matched.iter()).collect();
            let mismatches = (0..100).map(|n| tick(start + n * MINUTE + 30_000_000)).collect();
            (other.name.clone(), Observations { matches, mismatches })
        })
        .collect();
    Body::Evidence(Evidence {
        member: own.name.clone(),
        participant: own.participant.clone(),
        synchronizers: [network.roster.synchronizer().short()].into(),
        log_span: None,
        about,
        unattributed_mismatches: 3,
    })
}

#[test]
fn evidence_as_heavy_as_a_statement_can_be_does_not_keep_the_others_from_finishing() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=3).map(|member| town.run(member)).collect();
    let mut hostile = Hostile::new(&town, session);
    let matched = hostile.ticks(3);
    let evidence = hostile.sign(heavy(&town, &matched));
    assert!(evidence.payload_len() > 3 << 20, "only {} bytes", evidence.payload_len());
    hostile.submit(&evidence).unwrap();
    all_finish(agents);
    let completed = hostile.folded();
    assert_eq!(completed.phase(), Phase::Completed(1));
    let Some(Body::Proposal(proposal)) = completed.proposals(1).next().map(|one| one.body()) else {
        unreachable!()
    };
    assert!(proposal.evidence.contains(&evidence.digest()));
    assert_eq!(proposal.candidate.covered.len(), 4);
}
