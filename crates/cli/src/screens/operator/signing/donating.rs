//! The text before a donation, and before a snapshot is received.

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
         The snapshot contains the contracts of which this party is a stakeholder. It contains no node identities and no \
         key of this SV.\n\n",
        size(snapshot.size),
        snapshot.digest,
        parts.len()
    );
    text += &match url {
        Some(url) => format!("Only members of the roster can fetch it, at {url}, while this command runs."),
        None => "No URL is signed: pass the file on by other means.".to_owned(),
    };
    text += &format!(
        "\nMembers without a dump ({}) can make one from this snapshot, with their own node identities. They then recover \
         to what {me} signs here.",
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
        text += "\n\nAfter the dump is written:\n\n";
    }
    text += &opening(session, me, &format!("an ATTESTATION of a received dump in round {round}"));
    text += &format!(
        "\nThe dump is made from the snapshot of {party} at {recovery_timestamp}, for migration {migration_id}, that \
         {donor} donates ({}, {}; donation {}), and from {me}'s own node identities. This agent first compares the \
         whole snapshot with what {donor} signed. It then attests the dump as received from {donor}, which all members \
         can see.\n\
         {me} recovers to the contracts of {party} as {donor}'s SV app reports them. {me} cannot withdraw this \
         attestation.",
        size(snapshot.size),
        snapshot.digest,
        short(digest)
    );
    shown(&text)
}
