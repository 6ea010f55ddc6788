#![allow(clippy::unwrap_used)]

use std::time::Instant;

use super::document::RollForwardDocument;
use super::*;
use crate::fixture::Net;
use crate::sequencing::{Fence, TopologyTimes};
use crate::text::listed;

/// `micros` after an arbitrary time.
pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_790_935_200_000_000 + micros).unwrap()
}

pub(super) fn psid(roster: &Roster, serial: u32) -> PhysicalSynchronizerId {
    PhysicalSynchronizerId::new(roster.synchronizer(), 35, serial)
}

/// Evidence of the old synchronizer with serial 1.
pub(super) fn seen(roster: &Roster, member: usize, last: i64, topology: Option<(i64, i64)>) -> Sequencing {
    Sequencing {
        member: roster.members()[member].name.clone(),
        physical_synchronizer: psid(roster, 1),
        protocol_version: Some(35),
        sequencer: None,
        last_sequenced: at(last),
        block_height: None,
        topology: topology.map(|(sequenced, effective)| TopologyTimes {
            sequenced: at(sequenced),
            effective: at(effective),
        }),
        participant_record_time: None,
        announcement: None,
        fence: None,
        sources: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

/// Four members that have seen the same.
struct Four {
    roster: std::sync::Arc<Roster>,
    evidence: Vec<Sequencing>,
    parameters: Parameters,
}

fn four() -> Four {
    let roster = Net::new(4).roster;
    let evidence = (0..4).map(|member| seen(&roster, member, 100, Some((90, 95)))).collect();
    Four { roster, evidence, parameters: Parameters::new(2, 35) }
}

impl Four {
    fn propose(&self) -> Result<Outcome, RollForwardError> {
        propose(&self.roster, &self.evidence, &psid(&self.roster, 1), &self.parameters)
    }

    fn chosen(&self) -> Candidate {
        self.propose().unwrap().chosen().unwrap().clone()
    }

    fn refusal(&self) -> String {
        let error = self.propose().unwrap_err();
        assert_eq!(error.exit(), Exit::Refused, "{error}");
        failure::split(&error.to_string()).0
    }

    fn name(&self, member: usize) -> MemberName {
        self.roster.members()[member].name.clone()
    }

    fn fence(&mut self, member: usize, fence: i64, reached: bool) {
        self.evidence[member].fence = Some(Fence { at: at(fence), reached });
    }

    fn announce(&mut self, member: usize, serial: u32, upgrade_time: i64) {
        self.evidence[member].announcement = Some(Announcement {
            successor: psid(&self.roster, serial),
            effective: at(50),
            upgrade_time: at(upgrade_time),
        });
    }
}

#[test]
fn the_earliest_times_are_one_microsecond_after_what_was_seen() {
    let mut four = four();
    four.evidence[1].participant_record_time = Some(at(104));
    four.evidence[2].topology = Some(TopologyTimes { sequenced: at(90), effective: at(300) });
    let values = four.chosen().values;
    assert_eq!(values.exports(), Some(Exports { topology: at(90), traffic: at(100) }));
    assert_eq!(values.max_sequencing_time(), at(105));
    assert_eq!(values.lower_bound(), at(300));
    assert_eq!(values.upgrade_time(), at(300));
    four.evidence[2].topology = None;
    assert_eq!(four.chosen().values.lower_bound(), at(105));
}

#[test]
fn whoever_is_not_covered_counts_for_the_fence_but_not_for_the_exports() {
    let mut four = four();
    four.evidence[3] = seen(&four.roster, 3, 40, None);
    four.evidence[3].participant_record_time = Some(at(200));
    let chosen = four.chosen();
    assert_eq!(chosen.values.exports().unwrap().traffic, at(100));
    assert_eq!(chosen.values.max_sequencing_time(), at(201));
    assert_eq!(
        chosen.left_behind,
        [LeftBehind { member: four.name(3), reason: Reason::NoTopology { last_sequenced: at(40) } }]
    );
}

#[test]
fn everybody_who_is_not_covered_is_left_behind_with_a_reason() {
    let roster = Net::new(9).roster;
    let mut evidence: Vec<Sequencing> = (0..8).map(|one| seen(&roster, one, 100, Some((90, 95)))).collect();
    evidence[5] = seen(&roster, 5, 80, Some((70, 75)));
    evidence[6] = seen(&roster, 6, 100, Some((70, 75)));
    evidence[7].physical_synchronizer = psid(&roster, 0);
    let mut parameters = Parameters::new(2, 35);
    parameters.excluded.insert(roster.members()[0].name.clone());
    let outcome = propose(&roster, &evidence, &psid(&roster, 1), &parameters).unwrap();
    let first = &outcome.candidates[0];
    let reasons: Vec<String> = first.left_behind.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        [
            "SV-0 (excluded by the parameters)",
            "SV-5 (its sequencer has processed events until 2026-10-02T10:00:00.000080Z only, 10µs before the topology \
             export time)",
            "SV-6 (its newest topology transaction is of 2026-10-02T10:00:00.000070Z, 20µs before the topology export \
             time)",
            "SV-7 (its evidence is of another physical synchronizer, global::abc::35-0)",
            "SV-8 (no evidence)",
        ]
    );
    assert_eq!(listed(&first.covered), "SV-1, SV-2, SV-3 and SV-4");
    // Six of nine are enough, and CometBFT needs seven.
    let chosen = outcome.chosen().unwrap();
    assert_eq!(outcome.choice, Choice::Candidate(1));
    assert_eq!(chosen.lost_topology_until, Some(at(90)));
    let members = (1..5).chain([6]).map(|one| roster.members()[one].name.clone()).collect();
    assert_eq!(chosen.divergence, Some(Divergence { from: at(80), until: at(100), members }));
    assert!(outcome.warnings.contains(&Warning::TwoThirds { covered: 6, members: 9 }));
}

#[test]
fn parameters_that_break_the_order_are_refused() {
    type Change = fn(&mut Parameters);
    let set: [(Change, &str); 7] = [
        (|it| it.new_serial = 1, "the new serial 1 is not larger than 1"),
        (
            |it| it.max_sequencing_time = Some(at(100)),
            "the max sequencing time 2026-10-02T10:00:00.000100Z is not later",
        ),
        (
            |it| it.lower_bound = Some(at(100)),
            "the lower bound 2026-10-02T10:00:00.000100Z is earlier than the max sequencing",
        ),
        (
            |it| it.upgrade_time = Some(at(100)),
            "the upgrade time 2026-10-02T10:00:00.000100Z is earlier than the lower bound",
        ),
        (
            |it| {
                it.max_sequencing_time = Some(at(102));
                it.lower_bound = Some(at(101));
            },
            "the lower bound",
        ),
        (
            |it| {
                it.lower_bound = Some(at(200));
                it.upgrade_time = Some(at(199));
            },
            "the upgrade time",
        ),
        (
            |it| {
                it.max_sequencing_time = Some(at(200));
                it.upgrade_time = Some(at(199));
            },
            "the upgrade time",
        ),
    ];
    for (set, expected) in set {
        let mut four = four();
        set(&mut four.parameters);
        assert!(four.refusal().starts_with(expected), "{}", four.refusal());
        // Whether or not there is a candidate.
        four.evidence.truncate(1);
        assert!(four.refusal().starts_with(expected), "{}", four.refusal());
    }
    let mut four = four();
    four.evidence[0].topology = Some(TopologyTimes { sequenced: at(90), effective: at(500) });
    four.parameters.lower_bound = Some(at(499));
    assert!(four.refusal().contains("at which a topology transaction becomes effective, as SV-0 reports"));
    four.parameters.lower_bound = Some(at(500));
    assert_eq!(four.chosen().values.upgrade_time(), at(500));
    four.evidence.clear();
    four.parameters.upgrade_time = Some(at(499));
    assert!(four.refusal().starts_with("the upgrade time"));
}

#[test]
fn no_time_is_after_the_last_one() {
    let mut four = four();
    four.evidence[1].last_sequenced = Timestamp::MAX;
    assert!(four.refusal().contains("after which there is no time"), "{}", four.refusal());
    four.parameters.excluded.insert(four.name(1));
    assert!(four.propose().is_ok());
    four.parameters.corroboration = Duration::MAX;
    assert!(four.propose().is_ok());
}

#[test]
fn evidence_that_contradicts_itself_or_the_roster_is_refused() {
    let mut four = four();
    four.evidence[2].topology = Some(TopologyTimes { sequenced: at(101), effective: at(101) });
    // Even of a member that does not count.
    four.parameters.excluded.insert(four.name(2));
    assert!(four.refusal().starts_with("the evidence of SV-2 is invalid: topology_sequenced"));
    four.evidence[2] = four.evidence[1].clone();
    assert_eq!(four.refusal(), "there are two evidences of SV-1");
    four.evidence[2].member = "X".parse().unwrap();
    assert!(four.refusal().contains("not a member of the roster"));
}

#[test]
fn the_old_synchronizer_is_the_rosters_and_names_are_members() {
    let mut four = four();
    let other: PhysicalSynchronizerId = "other::abc::35-1".parse().unwrap();
    let error = propose(&four.roster, &four.evidence, &other, &four.parameters).unwrap_err();
    assert_eq!(error.exit(), Exit::Refused);
    assert!(error.to_string().contains("other::abc::35-1 is not of the synchronizer global::abc"));
    four.parameters.excluded.insert("X".parse().unwrap());
    assert_eq!(four.propose().unwrap_err().exit(), Exit::Usage);
}

#[test]
fn without_the_threshold_it_says_who_is_missing() {
    let mut four = four();
    four.evidence[1] = seen(&four.roster, 1, 42, None);
    four.evidence.truncate(3);
    let outcome = four.propose().unwrap();
    assert_eq!(outcome.candidates.len(), 1);
    assert_eq!(outcome.candidates[0].covered.len(), 2);
    assert_eq!(
        outcome.reason(),
        "3 members must be covered, but only SV-0 and SV-2 can be: they report topology times of the old physical \
         synchronizer. Missing: SV-1 (its evidence has no topology times; its sequencer has processed events until \
         2026-10-02T10:00:00.000042Z), SV-3 (no evidence)"
    );
    assert_eq!(RollForwardDocument::from(&outcome).chosen, None);
    four.evidence.clear();
    assert!(four.propose().unwrap().reason().contains("nobody reports topology times"));
    four.parameters.excluded = [four.name(0), four.name(1)].into();
    assert_eq!(four.propose().unwrap().reason(), "3 members must be covered, but only 2 are not excluded");
}

#[test]
fn one_member_alone_is_no_candidate() {
    let mut four = four();
    four.evidence[0] = seen(&four.roster, 0, 100, Some((91, 95)));
    let outcome = four.propose().unwrap();
    assert_eq!(outcome.candidates.len(), 1);
    assert_eq!(outcome.candidates[0].covered.len(), 4);
    assert_eq!(outcome.candidates[0].lost_topology_until, Some(at(91)));
}

#[test]
fn times_that_too_few_confirm_are_said() {
    let mut four = four();
    let minutes = |minutes: i64| minutes * 60_000_000;
    four.evidence[1].last_sequenced = at(100 + minutes(5));
    assert_eq!(four.chosen().uncorroborated, []);
    four.evidence[1].last_sequenced = at(101 + minutes(5));
    assert_eq!(four.chosen().uncorroborated, [four.name(1)]);
    // f is 1: a second one confirms it.
    four.evidence[2].last_sequenced = at(101);
    assert_eq!(four.chosen().uncorroborated, []);
    four.evidence[3].participant_record_time = Some(at(102 + minutes(5)));
    assert_eq!(four.chosen().uncorroborated, [four.name(3)]);
    four.evidence[3].participant_record_time = None;
    four.evidence[3].topology = Some(TopologyTimes { sequenced: at(90), effective: at(102 + minutes(5)) });
    assert_eq!(four.chosen().uncorroborated, [four.name(3)]);
    let warnings = four.propose().unwrap().warnings;
    let members = vec![four.name(3)];
    assert!(warnings.contains(&Warning::Uncorroborated { members, corroboration: 300 }));
    four.parameters.corroboration += Duration::from_micros(1);
    assert_eq!(four.chosen().uncorroborated, []);
}

#[test]
fn a_fence_in_the_future_is_provisional_until_all_covered_have_reached_it() {
    let mut four = four();
    four.parameters.max_sequencing_time = Some(at(101));
    assert!(!four.chosen().provisional);
    four.parameters.max_sequencing_time = Some(at(102));
    assert!(four.chosen().provisional);
    for member in 0..4 {
        four.fence(member, 102, member != 2);
    }
    let open = vec![four.name(2)];
    let warnings = four.propose().unwrap().warnings;
    assert!(warnings.contains(&Warning::Provisional { max_sequencing_time: at(102), open }));
    four.fence(2, 102, true);
    assert!(!four.chosen().provisional);
    // Only the covered ones must have reached it.
    four.evidence[3] = seen(&four.roster, 3, 50, None);
    assert!(!four.chosen().provisional);
}

#[test]
fn another_fence_than_one_that_is_applied_is_refused() {
    let mut four = four();
    four.fence(1, 102, false);
    assert!(four.refusal().contains("which the sequencer of SV-1 already has"), "{}", four.refusal());
    four.parameters.max_sequencing_time = Some(at(102));
    assert!(four.propose().is_ok());
    four.fence(2, 103, false);
    assert!(four.refusal().contains("which the sequencer of SV-2 already has"), "{}", four.refusal());
    four.parameters.excluded.insert(four.name(2));
    assert!(four.propose().is_ok());
}

#[test]
fn an_announced_successor_is_not_the_new_synchronizer() {
    let mut four = four();
    four.announce(1, 2, 500);
    assert!(four.refusal().contains("is already announced in the topology, as SV-1 reports"));
    four.parameters.new_serial = 3;
    let outcome = four.propose().unwrap();
    let announcement = four.evidence[1].announcement.clone().unwrap();
    assert!(outcome.warnings.contains(&Warning::Announced { members: vec![four.name(1)], announcement }));
    four.parameters.new_serial = 2;
    four.parameters.excluded.insert(four.name(1));
    assert!(four.propose().is_ok());
}

#[test]
fn a_failed_announced_upgrade_has_no_export_times() {
    let mut four = four();
    four.parameters.announced = true;
    let outcome = four.propose().unwrap();
    assert!(outcome.candidates.is_empty());
    assert!(outcome.reason().contains("nobody reports any"), "{}", outcome.reason());
    for member in 0..3 {
        // Topology times do not matter here.
        four.evidence[member] = seen(&four.roster, member, 100, None);
        four.announce(member, 2, 500);
    }
    four.announce(3, 2, 501);
    assert!(four.refusal().starts_with("the new serial 2 is not larger than 2, the serial of the announced"));
    four.parameters.new_serial = 3;
    let outcome = four.propose().unwrap();
    let chosen = outcome.chosen().unwrap();
    assert_eq!(outcome.candidates.len(), 1);
    assert_eq!(chosen.values.exports(), None);
    assert_eq!(chosen.values.max_sequencing_time(), at(101));
    assert_eq!((chosen.lost_topology_until, chosen.divergence.as_ref()), (None, None));
    assert_eq!(listed(&chosen.covered), "SV-0, SV-1 and SV-2");
    assert_eq!(
        chosen.left_behind[0].reason.to_string(),
        "it reports another announced upgrade, to global::abc::35-2 at 2026-10-02T10:00:00.000501Z"
    );
    let document = serde_json::to_value(RollForwardDocument::from(&outcome)).unwrap();
    assert!(document["candidates"][0]["topology_export_time"].is_null());
    assert!(document["candidates"][0]["traffic_export_time"].is_null());
    four.evidence[2].announcement = None;
    let outcome = four.propose().unwrap();
    assert!(outcome.candidates.is_empty());
    assert!(outcome.reason().contains("only SV-0 and SV-1 report the one to"), "{}", outcome.reason());
    assert!(outcome.reason().contains("SV-2 (it reports no announced upgrade)"), "{}", outcome.reason());
}

#[test]
fn the_document_has_every_key_and_nothing_is_absent() {
    let document = RollForwardDocument::from(&four().propose().unwrap());
    assert_eq!(
        serde_json::to_string(&document).unwrap(),
        "{\"plan\":\"roll_forward\",\"threshold\":3,\"old_psid\":\"global::abc::35-1\",\
         \"new_psid\":\"global::abc::35-2\",\"candidates\":[{\"topology_export_time\":\"2026-10-02T10:00:00.000090Z\",\
         \"traffic_export_time\":\"2026-10-02T10:00:00.000100Z\",\
         \"max_sequencing_time_exclusive\":\"2026-10-02T10:00:00.000101Z\",\
         \"lower_bound_exclusive\":\"2026-10-02T10:00:00.000101Z\",\"upgrade_time\":\"2026-10-02T10:00:00.000101Z\",\
         \"covered\":[\"SV-0\",\"SV-1\",\"SV-2\",\"SV-3\"],\"left_behind\":[],\"lost_topology_until\":null,\
         \"divergence\":null,\"uncorroborated\":[]}],\"chosen\":0,\
         \"reason\":\"newest topology export time that 4 of 4 members have processed\",\"warnings\":[\
         \"no upgrade time is given, so that it is the lower bound 2026-10-02T10:00:00.000101Z. A session needs one \
         that leaves time to transfer the traffic state\"]}"
    );
}

#[test]
fn a_full_roster_takes_well_under_a_second() {
    let roster = Net::new(128).roster;
    let evidence: Vec<Sequencing> = (0..128u32)
        .map(|member| {
            let (at, member) = (i64::from(member) * 7_000_000, usize::try_from(member).unwrap());
            seen(&roster, member, at + 1_000_000, Some((at, at + 250_000)))
        })
        .collect();
    let start = Instant::now();
    let outcome = propose(&roster, &evidence, &psid(&roster, 1), &Parameters::new(2, 35)).unwrap();
    assert_eq!(outcome.candidates.len(), 127);
    assert_eq!(outcome.chosen().unwrap().covered.len(), roster.threshold());
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}
