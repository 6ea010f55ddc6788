//! The words before a donation, and before a snapshot is received.

use crate::screens::heading::all;
use crate::screens::{short, size};
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Agreement, Donation};
use svdr_protocol::text::shown;

use super::{agreement, opening};

/// Before a donation.
pub fn donation(session: &Session, me: &MemberName, donation: &Donation) -> String {
    let Donation { round, recovery_timestamp, migration_id, party, snapshot, parts, url, .. } = donation;
    let mut text = opening(session, me, &format!("a DONATION in round {round}"));
    let others: Vec<MemberName> = session
        .roster()
        .members()
        .iter()
        .map(|member| &member.name)
        .filter(|name| *name != me && !session.attestations(*round, &donation.proposal).contains_key(*name))
        .cloned()
        .collect();
    text += &format!(
        "\nThe snapshot of {party} at {recovery_timestamp}, for migration {migration_id}: {}, {}; parts: {}.\n\
         It holds the contracts that this party is a stakeholder of, and no identities: no key of this SV is in it.\n\n",
        size(snapshot.size),
        snapshot.digest,
        parts.len()
    );
    text += &match url {
        Some(url) => format!(
            "Members of the roster, and nobody else, can fetch it at {url} for as long as this command runs."
        ),
        None => "No URL is signed: the file is passed on by other means.".to_owned(),
    };
    text += &format!(
        "\nWho has no dump yet ({}) can make one of it, with identities of its own, and recovers to what {me} signs here.",
        all(&others)
    );
    shown(&text)
}

/// Before a snapshot of `donor` is received; `agreed` is the agreement that is signed with it, if one is needed.
pub fn receiving(
    session: &Session,
    me: &MemberName,
    (donor, digest, donation): (&MemberName, &Digest, &Donation),
    agreed: Option<&Agreement>,
) -> String {
    let Donation { round, recovery_timestamp, migration_id, party, snapshot, .. } = donation;
    let mut text = String::new();
    if let Some(agreed) = agreed {
        text += &agreement(session, me, agreed);
        text += "\n\nThen, with the dump on the disk:\n\n";
    }
    text += &opening(session, me, &format!("an ATTESTATION of a received dump in round {round}"));
    text += &format!(
        "\nThe dump is made of the snapshot of {party} at {recovery_timestamp}, for migration {migration_id}, that {donor} \
         donates ({}, {}; donation {}), and of {me}'s own identities. It is attested as received from {donor}, for \
         everybody to see, once all of it is checked against what {donor} signed.\n\
         {me} recovers to what {donor}'s SV app says that {party} held. It cannot be taken back.",
        size(snapshot.size),
        snapshot.digest,
        short(digest)
    );
    shown(&text)
}
