//! The clients of Canton's nodes against stand-ins over real gRPC.

use svdr_canton::{
    Announcement, CallError, Connection, NewestTopology, NodeSettings, NodeState, Reason, Sequencer,
    TrafficTransfer, WaitsFor,
};
use svdr_protocol::time::Timestamp;
use svdr_tests::canton_node::{NodeOptions, NodeStandIn, SequencerNode, Traffic};

const PSID: &str = "global-domain::1220be58::35-1";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn node() -> SequencerNode {
    SequencerNode {
        uid: "sv-1::1220aa".to_owned(),
        physical_synchronizer: PSID.to_owned(),
        protocol_version: 35,
        is_initialized: true,
        transactions: vec![
            (at("2026-10-02T09:00:00.000001Z"), at("2026-10-02T09:00:00.250001Z")),
            (at("2026-10-01T09:00:00Z"), at("2026-10-02T11:00:00Z")),
        ],
        announcement: None,
        is_current: true,
        last_block: at("2026-10-02T10:00:02.100Z"),
        traffic: Traffic::Own,
    }
}

async fn client(node: SequencerNode) -> (NodeStandIn, Sequencer) {
    let node = NodeStandIn::sequencer(node, NodeOptions::default()).unwrap();
    let settings = NodeSettings::new(node.url().parse().unwrap());
    let sequencer = Sequencer::new(Connection::open(&settings).await.unwrap());
    (node, sequencer)
}

#[tokio::test]
async fn a_sequencer_says_who_it_is_or_what_it_waits_for() {
    let (_running, sequencer) = client(node()).await;
    let NodeState::Initialized(state) = sequencer.state().await.unwrap() else { panic!() };
    assert_eq!(state.id, "SEQ::sv-1::1220aa");
    assert_eq!((state.physical_synchronizer.as_str(), state.protocol_version), (PSID, 35));
    let (_running, sequencer) = client(SequencerNode { is_initialized: false, ..node() }).await;
    let version = Some("3.5.4".to_owned());
    let waiting = NodeState::Waiting { waits_for: WaitsFor::Initialization, version };
    assert_eq!(sequencer.state().await.unwrap(), waiting);
}

#[tokio::test]
async fn the_newest_topology_is_found_days_later_and_on_older_releases() {
    let expected = NewestTopology {
        sequenced: at("2026-10-02T09:00:00.000001Z"),
        effective: at("2026-10-02T11:00:00Z"),
    };
    // At once, after two ranges without any, and with the call of an older release.
    for (now, is_current, calls) in [
        ("2026-10-02T12:00:00Z", true, 1),
        ("2026-10-05T12:00:00Z", true, 3),
        ("2026-10-02T12:00:00Z", false, 2),
    ] {
        let (running, sequencer) = client(SequencerNode { is_current, ..node() }).await;
        assert_eq!(sequencer.newest_topology(PSID, at(now)).await.unwrap(), Some(expected));
        assert_eq!(running.calls().len(), calls, "{:?}", running.calls());
    }
    let (_running, sequencer) = client(SequencerNode { transactions: Vec::new(), ..node() }).await;
    assert_eq!(sequencer.newest_topology(PSID, at("2026-10-02T12:00:00Z")).await.unwrap(), None);
    let other = sequencer.newest_topology("other::1220::35-1", at("2026-10-02T12:00:00Z")).await;
    assert_eq!(other.unwrap_err().reason(), Some(Reason::TopologyStoreNotFound));
}

#[tokio::test]
async fn an_announcement_is_read_with_its_times() {
    let (_running, sequencer) = client(node()).await;
    assert_eq!(sequencer.announcement(PSID).await.unwrap(), None);
    let (effective, upgrade_time) = (at("2026-10-02T09:00:00Z"), at("2026-10-03T09:00:00Z"));
    let announced = ("global-domain::1220be58::35-2".to_owned(), effective, upgrade_time);
    let (_running, sequencer) = client(SequencerNode { announcement: Some(announced), ..node() }).await;
    let expected =
        Announcement { successor: "global-domain::1220be58::35-2".to_owned(), effective, upgrade_time };
    assert_eq!(sequencer.announcement(PSID).await.unwrap(), Some(expected));
}

#[tokio::test]
async fn exports_are_of_a_time_that_the_sequencer_has_processed() {
    let (_running, sequencer) = client(node()).await;
    let mut exported = Vec::new();
    let time = at("2026-10-01T10:00:00Z");
    sequencer.export_topology(PSID, time, |chunk| exported.extend_from_slice(chunk)).await.unwrap();
    assert_eq!(String::from_utf8(exported).unwrap(), "2026-10-01T09:00:00Z;");
    let state = sequencer.lsu_traffic_state(at("2026-10-02T10:00:02.100Z")).await.unwrap();
    assert_eq!(String::from_utf8(state).unwrap(), "traffic at 2026-10-02T10:00:02.100Z");
    let error = sequencer.lsu_traffic_state(at("2026-10-02T10:00:02.100001Z")).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::SequencerLsuNotAtUpgradeTimeOrBeyond));
    let told = error.to_string();
    assert!(told.contains("currently observed time is Some(2026-10-02T10:00:02.100Z)"), "{told}");
    assert!(told.contains("\nhelp: wait until this sequencer has caught up"), "{told}");
}

#[tokio::test]
async fn traffic_is_transferred_once_and_never_after_the_upgrade_time() {
    let (_running, successor) = client(SequencerNode { traffic: Traffic::Awaited, ..node() }).await;
    assert_eq!(successor.traffic_transfer("PAR::a::1220").await.unwrap(), TrafficTransfer::NotSet);
    successor.set_lsu_traffic_state(vec![1]).await.unwrap();
    assert_eq!(successor.traffic_transfer("PAR::a::1220").await.unwrap(), TrafficTransfer::Set);
    let again = successor.set_lsu_traffic_state(vec![1]).await.unwrap_err();
    assert_eq!(again.reason(), Some(Reason::SequencerLsuTrafficAlreadyInitialized));
    let (_running, late) = client(SequencerNode { traffic: Traffic::Missed, ..node() }).await;
    let missed = late.set_lsu_traffic_state(vec![1]).await.unwrap_err();
    assert_eq!(missed.reason(), Some(Reason::SequencerLsuPastUpgradeTime));
}

#[tokio::test]
async fn members_are_listed_with_how_far_they_have_read_and_tests_are_sent() {
    let (_running, sequencer) = client(node()).await;
    let positions = sequencer.read_positions().await.unwrap();
    let acknowledged: Vec<_> = positions.iter().map(|position| position.last_acknowledged).collect();
    assert_eq!(acknowledged, [Some(at("2026-10-02T10:00:02.100Z")), None]);
    sequencer.perform_sequencing_test().await.unwrap();
}

#[tokio::test]
async fn a_participants_call_on_a_sequencers_port_is_unknown() {
    let (running, _) = client(node()).await;
    let settings = NodeSettings::new(running.url().parse().unwrap());
    let participant = svdr_canton::Participant::new(Connection::open(&settings).await.unwrap());
    let error = participant.connected_synchronizers().await.unwrap_err();
    assert!(matches!(error, CallError::Unknown { served: None, .. }), "{error:?}");
}
