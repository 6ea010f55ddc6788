#![allow(clippy::unwrap_used)]

use svdr_protocol::digest::Digest;
use svdr_protocol::receipt::JournalId;
use svdr_protocol::statement::SessionId;

use prost::Message as _;

use super::*;
use crate::clock;
use crate::fixture::Net;

/// A journal in memory.
#[derive(Default)]
struct Records(Vec<Vec<u8>>);

impl Journal for Records {
    fn id(&self) -> Option<JournalId> {
        None
    }

    fn append(&mut self, records: &[Vec<u8>]) -> Result<(), JournalError> {
        self.0.extend_from_slice(records);
        Ok(())
    }

    fn replay(&mut self, visit: &mut dyn FnMut(Vec<u8>)) -> Result<Replayed, JournalError> {
        self.0.iter().cloned().for_each(visit);
        let (records, head) = (self.0.len() as u64, Digest::of(b""));
        Ok(Replayed { records, unacknowledged: 0, torn: false, head })
    }
}

fn record(envelope: &Envelope) -> Vec<u8> {
    envelope.to_message().encode_to_vec()
}

fn error(net: &Net, records: Vec<Vec<u8>>) -> RecoverError {
    recover(&mut Records(records), &net.roster).unwrap_err()
}

#[test]
fn more_statements_than_are_checked_at_once_come_back_in_order() {
    let net = Net::new(4);
    let opening = net.opening(1);
    let session = SessionId::of_open(&opening.digest());
    let statements = (0..CHECK_AT_ONCE * 2 + 10).map(|n| net.milestone(session, n % 4, &n.to_string()));
    let envelopes: Vec<_> = [opening].into_iter().chain(statements).collect();
    let mut journal = Records(envelopes.iter().map(record).collect());
    let (mut sessions, replayed) = recover(&mut journal, &net.roster).unwrap();
    assert_eq!(replayed.records, envelopes.len() as u64);
    for (position, envelope) in envelopes.into_iter().enumerate() {
        let incoming = Incoming::read(envelope, &net.roster).unwrap();
        let accepted = sessions.accept(incoming, &From::Itself, clock::now()).unwrap();
        let crate::board::Accepted::Known(entry) = accepted else { unreachable!() };
        assert_eq!(entry.receipt.position, position as u64);
    }
}

#[test]
fn what_no_coordinator_wrote_is_reported_with_its_place() {
    let net = Net::new(4);
    let opening = net.opening(1);
    let session = SessionId::of_open(&opening.digest());
    let first = record(&opening);
    let undecodable = error(&net, vec![first.clone(), vec![255]]);
    assert!(matches!(undecodable, RecoverError::Decode { record: 1, .. }), "{undecodable}");
    let empty = error(&net, vec![Vec::new()]);
    assert!(matches!(empty, RecoverError::Envelope { record: 0, .. }), "{empty}");
    let mut forged = net.milestone(session, 1, "a").to_message();
    forged.payload.push(0);
    let forged = error(&net, vec![first.clone(), forged.encode_to_vec()]);
    assert!(matches!(forged, RecoverError::Refused { record: 1, .. }), "{forged}");
    let without_opening = error(&net, vec![record(&net.milestone(session, 1, "a"))]);
    assert!(matches!(without_opening, RecoverError::Refused { record: 0, .. }), "{without_opening}");
    let other = Net::new(5);
    let of_other_roster = error(&other, vec![first]);
    assert!(matches!(of_other_roster, RecoverError::Refused { record: 0, .. }), "{of_other_roster}");
}
