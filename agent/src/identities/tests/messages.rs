//! Every way in which a backup can be refused, as an operator reads it: a snapshot to be read by people in review.

use std::io;
use std::path::PathBuf;

use svdr_cli::failure::explain;
use svdr_files::FileIoError;
use svdr_protocol::failure::CommandError;
use svdr_protocol::names::MemberName;
use zeroize::Zeroizing;

use super::super::recipients::RecipientPlace;
use super::super::*;
use crate::sources::fetch::FetchError;
use svdr_dump::{Identities, MergeError};

fn backup() -> PathBuf {
    "/secure/identities.age".into()
}

fn age_key() -> PathBuf {
    "/secure/age.key".into()
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn reading() -> Vec<BackupError> {
    let damaged = |damage, source| BackupError::Damaged { path: backup(), damage, source };
    let altered = io::Error::new(io::ErrorKind::InvalidData, "decryption error");
    let document = Identities::parse(Zeroizing::new(b"{}".to_vec())).unwrap_err();
    vec![
        BackupError::Document { path: backup(), encrypted: true, source: document },
        BackupError::NoAgeIdentity { path: backup() },
        BackupError::OtherRecipients { path: backup(), identity: age_key() },
        BackupError::Passphrase { path: backup() },
        BackupError::Version { path: backup() },
        damaged(Damage::Header, None),
        damaged(Damage::LongHeader, None),
        damaged(Damage::AlteredHeader, None),
        damaged(Damage::Torn, None),
        damaged(Damage::Altered, Some(altered)),
        AgeIdentityError::from(FileIoError::read("the age identity", &age_key())(missing())).into(),
        AgeIdentityError::TooLong { path: age_key() }.into(),
        AgeIdentityError::Encrypted { path: age_key() }.into(),
        AgeIdentityError::NotAnIdentity { path: age_key(), line: 3 }.into(),
        AgeIdentityError::Empty { path: age_key() }.into(),
        AgeIdentityError::TooMany { path: age_key() }.into(),
    ]
}

fn recipients() -> Vec<RecipientError> {
    let path = || PathBuf::from("recipients.txt");
    let place = || RecipientPlace::Flag(2);
    vec![
        FileIoError::read("the recipients file", &path())(missing()).into(),
        RecipientError::TooLong { path: path() },
        RecipientError::Empty { path: path() },
        RecipientError::NotARecipient { place: RecipientPlace::Line(path(), 7) },
        RecipientError::Secret { place: place() },
        RecipientError::LowOrder { place: place() },
        RecipientError::TooMany,
    ]
}

fn fetching() -> Vec<IdentitiesFetchError> {
    let url = "https://sv.sv.example.com/api/sv/v0/admin/domain/identities-dump";
    let refused = |text: &str| {
        let source = Identities::parse(Zeroizing::new(text.as_bytes().to_vec())).unwrap_err();
        FetchError::of_document(url, source)
    };
    let member: MemberName = "Digital-Asset-1".parse().unwrap();
    let expected = "PAR::Digital-Asset-1::1220e10877".to_owned();
    let other = NotOurs::Other {
        found: "PAR::SV-4::1220".to_owned(),
        expected: expected.clone(),
        member: member.clone(),
    };
    let too_large = || FetchError::of_document(url, MergeError::IdentitiesTooLarge);
    vec![
        refused("{\"identities\":{\"sv_party_id\":\"").into(),
        refused("{\"identities\":{\"participant\":{}}}").into(),
        too_large().into(),
        other.into(),
        NotOurs::Unnamed { expected, member }.into(),
        FetchError::GaveUp { tries: 12, source: Box::new(too_large()) }.into(),
    ]
}

#[test]
fn every_refusal_says_what_happened_and_what_to_do() {
    let mut text = String::new();
    let mut say =
        |error: &dyn CommandError| text.push_str(&format!("{:?}\n{}\n\n", error.exit(), explain(error)));
    reading().iter().for_each(|error| say(error));
    recipients().iter().for_each(|error| say(error));
    fetching().iter().for_each(|error| say(error));
    svdr_snapshot::assert_snapshot!("refusals", text);
}
