//! A dump is delivered with the whole proof, and never without.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use svdr_cli::screens::fixture::{Meeting, at, name};
use svdr_files::FileError;
use svdr_protocol::failure::{CommandError as _, Exit};
use svdr_protocol::statement::{Attestation, Part};
use tempfile::TempDir;

use super::*;

const DUMP: &[u8] = b"{\"migration_id\":6}";

/// A session in which the first three have attested, the member at 1 a dump with the content [`DUMP`].
fn completed(drill: bool) -> (Meeting, Digest) {
    let mut meeting = Meeting::open(drill);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    meeting.attest(0, proposal, "acs");
    let own = attestation(&meeting, proposal);
    meeting.say(1, Body::Attestation(own));
    meeting.attest(2, proposal, "acs");
    (meeting, proposal)
}

fn attestation(meeting: &Meeting, proposal: Digest) -> Attestation {
    let Body::Proposal(content) = meeting.session.statement(&proposal).unwrap().body() else { panic!() };
    let dump = Part { name: String::new(), digest: Digest::of(DUMP), size: DUMP.len() as u64, file: None };
    Attestation {
        round: content.round,
        proposal,
        recovery_timestamp: content.plan.recovery_timestamp(),
        migration_id: content.plan.migration_id(),
        dump,
        parts: Vec::new(),
        started: at("23:40:00"),
        finished: at("23:50:00"),
        received: None,
    }
}

fn record(path: &Path, proposal: Digest) -> DumpRecord {
    DumpRecord {
        round: 1,
        proposal,
        path: path.to_owned(),
        recovery_timestamp: at("23:10:00"),
        migration_id: 6,
        size: DUMP.len() as u64,
        sha256: Digest::of(DUMP),
        parts: Vec::new(),
        started: at("23:40:00"),
        finished: at("23:50:00"),
        received: None,
    }
}

fn permit(meeting: &Meeting, held: &[CompletionCertificate], path: &Path) -> Result<Permit, DeliverError> {
    let proposal = Digest::of(b"");
    Permit::of(&meeting.session, &name(1), held, |_| Ok(Some(record(path, proposal))))
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.json");
    fs::write(&dump, DUMP).unwrap();
    (folder, dump)
}

#[test]
fn a_validator_delivers_the_dump_of_the_certificate_and_no_other() {
    use crate::validator::WantedSession;
    use svdr_dump::Payload;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dump.json");
    fs::write(&path, DUMP).unwrap();
    let recovery = |drill: bool| {
        let (meeting, _) = completed(drill);
        let certificate = meeting.session.completion_certificate().unwrap();
        Recovery::of_certificate(certificate, WantedSession { drill, session: None }).unwrap()
    };
    let real = recovery(false);
    let dump = MergeSummary {
        size: DUMP.len() as u64,
        sha256: Digest::of(DUMP),
        timestamp: real.recovery_timestamp(),
        migration_id: 6,
        acs_snapshot: Payload::Inline { size: 3, sha256: None },
        genesis_state: None,
        dars: Vec::new(),
        synchronizer_was_paused: None,
        separate_payload_files: false,
        participant: None,
        exported_files: Vec::new(),
    };
    let permit = Permit::of_validator(&real, path.clone(), &dump).unwrap();
    let target = folder.path().join("volume.json");
    permit.copy_to(&target, Replace::Never).unwrap();
    assert_eq!(fs::read(&target).unwrap(), DUMP);
    let refused = Permit::of_validator(&recovery(true), path.clone(), &dump);
    assert!(matches!(refused, Err(DeliverError::Drill { .. })));
    for other in [
        MergeSummary { timestamp: at("23:11:00"), ..dump.clone() },
        MergeSummary { migration_id: 7, ..dump.clone() },
    ] {
        let refused = Permit::of_validator(&real, path.clone(), &other);
        assert!(matches!(refused, Err(DeliverError::OtherRecovery { .. })));
    }
    // It is read again while it is copied.
    fs::write(&path, b"{\"migration_id\":7}").unwrap();
    let changed = permit.copy_to(&folder.path().join("other.json"), Replace::Never);
    assert!(matches!(changed, Err(DeliverError::OtherDump { .. })));
}

#[test]
fn a_dump_is_copied_privately_and_replaces_nothing() {
    let (folder, dump) = folder();
    let permit = permit(&completed(false).0, &[], &dump).unwrap();
    let target = folder.path().join("import.json");
    permit.copy_to(&target, Replace::Never).unwrap();
    assert_eq!(fs::read(&target).unwrap(), DUMP);
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(
        permit.copy_to(&target, Replace::Never),
        Err(DeliverError::Write(FileError::Exists { .. }))
    ));
    permit.copy_to(&target, Replace::Force).unwrap();
}

#[test]
fn a_dump_that_is_not_the_one_attested_never_gets_its_name() {
    let (folder, dump) = folder();
    let permit = permit(&completed(false).0, &[], &dump).unwrap();
    fs::write(&dump, b"{\"migration_id\":7}").unwrap();
    let target = folder.path().join("import.json");
    let error = permit.copy_to(&target, Replace::Never).unwrap_err();
    assert!(matches!(error, DeliverError::OtherDump { found_size: 18, .. }), "{error}");
    assert_eq!(error.exit(), Exit::Refused);
    assert!(!target.exists());
    let touch = ["touch".to_owned(), target.display().to_string(), "{dump}".to_owned()];
    assert!(matches!(permit.run(&touch, &BTreeMap::new()), Err(DeliverError::OtherDump { .. })));
    assert!(!target.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A permit for [`DUMP`] with a payload in a file of chunks, and that file's name.
fn with_payload(meeting: &Meeting, dump: &Path) -> (Permit, &'static str) {
    const FILE: &str = "acs_snapshot-1";
    fs::write(dump.with_file_name(FILE), b"\0\0\0\x03abc\0\0\0\x01d").unwrap();
    let permit = permit(meeting, &[], dump).unwrap();
    let file = AttestedFile { name: FILE.to_owned(), digest: Digest::of(b"abcd"), size: 4 };
    (Permit { files: vec![file], ..permit }, FILE)
}

#[test]
fn payload_files_go_beside_the_dump_which_comes_last() {
    let (folder, dump) = folder();
    let (meeting, _) = completed(false);
    let (permit, file) = with_payload(&meeting, &dump);
    let volume = folder.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let (target, payload) = (volume.join("import.json"), volume.join(file));
    permit.copy_to(&target, Replace::Never).unwrap();
    assert_eq!(fs::read(&payload).unwrap(), fs::read(dump.with_file_name(file)).unwrap());
    assert_eq!(fs::metadata(&payload).unwrap().permissions().mode() & 0o777, 0o600);
    // Interrupted before the dump had its name: the payload that is there is enough.
    fs::remove_file(&target).unwrap();
    permit.copy_to(&target, Replace::Never).unwrap();
    // Something else of that name is not replaced unasked, and the dump does not come without it.
    fs::remove_file(&target).unwrap();
    fs::write(&payload, "something else").unwrap();
    let taken = permit.copy_to(&target, Replace::Never).unwrap_err();
    assert!(matches!(taken, DeliverError::Write(FileError::Exists { .. })), "{taken}");
    assert!(!target.exists());
    permit.copy_to(&target, Replace::Force).unwrap();
    assert_eq!(permit.total_size(), DUMP.len() as u64 + 4);
}

#[test]
fn a_payload_that_is_not_the_one_attested_stops_everything() {
    let (folder, dump) = folder();
    let (meeting, _) = completed(false);
    let (permit, file) = with_payload(&meeting, &dump);
    let volume = folder.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let target = volume.join("import.json");
    let copy = ["touch", "{dump}", "{files}", &target.display().to_string()].map(str::to_owned);
    for (content, is_torn) in
        [(&b"\0\0\0\x04abcx"[..], false), (b"\0\0\0\x04abc", true), (b"\0\0\0\x04abcd\0", true)]
    {
        fs::write(dump.with_file_name(file), content).unwrap();
        for error in [
            permit.copy_to(&target, Replace::Never).unwrap_err(),
            permit.run(&copy, &BTreeMap::new()).unwrap_err(),
        ] {
            assert_eq!(matches!(error, DeliverError::Payload { .. }), is_torn, "{error}");
            assert_eq!(error.exit(), Exit::Refused, "{error}");
            assert!(error.to_string().contains(file), "{error}");
        }
        assert_eq!(fs::read_dir(&volume).unwrap().count(), 0);
    }
}

#[test]
fn a_command_takes_the_payload_files_or_their_folder_along() {
    let (_folder, dump) = folder();
    let (meeting, _) = completed(false);
    let (permit, file) = with_payload(&meeting, &dump);
    let fill = |permit: &Permit, command: &[&str]| {
        let command: Vec<String> = command.iter().map(|one| (*one).to_owned()).collect();
        permit.fill(&command, &BTreeMap::new())
    };
    let (path, payload) = (dump.display().to_string(), dump.with_file_name(file).display().to_string());
    let both = fill(&permit, &["cp", "{dump}", "{files}", "/mnt"]).unwrap();
    assert_eq!(both, ["cp", &path, &payload, "/mnt"]);
    let folder = fill(&permit, &["cp", "-r", "{dump_dir}/.", "/mnt"]).unwrap();
    assert_eq!(folder[2], format!("{}/.", dump.parent().unwrap().display()));
    assert!(matches!(fill(&permit, &["cp", "{dump}", "/mnt"]), Err(DeliverError::FilesLeft { .. })));
    assert!(matches!(fill(&permit, &["cp", "{dump}", "x={files}"]), Err(DeliverError::Placeholder { .. })));
    let single = Permit { files: Vec::new(), ..permit };
    assert_eq!(fill(&single, &["cp", "{dump}", "{files}", "/mnt"]).unwrap(), ["cp", &path, "/mnt"]);
    assert!(matches!(fill(&single, &["cp", "-r", "{dump_dir}", "/mnt"]), Err(DeliverError::OneFile { .. })));
}

#[test]
fn nothing_of_a_drill_is_delivered() {
    let (_folder, dump) = folder();
    assert!(matches!(permit(&completed(true).0, &[], &dump), Err(DeliverError::Drill { .. })));
}

#[test]
fn without_a_certificate_nothing_is_delivered() {
    let (_folder, dump) = folder();
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    let own = attestation(&meeting, proposal);
    meeting.say(1, Body::Attestation(own));
    meeting.attest(0, proposal, "acs");
    assert!(matches!(permit(&meeting, &[], &dump), Err(DeliverError::NotCompleted { needed: 3, .. })));
}

#[test]
fn a_certificate_that_is_no_longer_valid_names_who_released() {
    let (_folder, dump) = folder();
    let (mut meeting, _) = completed(false);
    let held: Vec<_> = meeting.session.completion_certificates().collect();
    assert!(permit(&meeting, &held, &dump).is_ok());
    let certificate = held.first().unwrap();
    let released = certificate.attestations().get(&name(0)).unwrap().digest();
    meeting.release(0, 1, released, "by mistake");
    let error = permit(&meeting, &held, &dump).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the completion certificate of {} is no longer valid: {} has released its attestation\n\
             help: do not import before this is resolved on the call",
            certificate.round(),
            name(0)
        )
    );
}

#[test]
fn a_member_without_an_attestation_has_nothing_to_deliver() {
    let (_folder, dump) = folder();
    let (meeting, proposal) = completed(false);
    let left = Permit::of(&meeting.session, &name(3), &[], |_| Ok(Some(record(&dump, proposal))));
    assert!(matches!(left, Err(DeliverError::NotAttested { .. })));
    let lost = Permit::of(&meeting.session, &name(1), &[], |_| Ok::<_, DeliverError>(None));
    assert!(matches!(lost, Err(DeliverError::NoRecord { .. })));
}

#[test]
fn a_command_gets_its_values_as_single_arguments() {
    let (folder, dump) = folder();
    let permit = permit(&completed(false).0, &[], &dump).unwrap();
    let target = folder.path().join("a b; touch c");
    let values: BTreeMap<String, String> = [("pod".to_owned(), target.display().to_string())].into();
    let copy = ["cp", "{dump}", "{pod}"].map(str::to_owned);
    permit.run(&copy, &values).unwrap();
    assert_eq!(fs::read(&target).unwrap(), DUMP);
    let filled = permit.fill(&["sv/{pod}:/x-{migration_id}".to_owned()], &values).unwrap();
    assert_eq!(filled, [format!("sv/{}:/x-6", target.display())]);
}

#[test]
fn a_command_that_cannot_be_run_says_why() {
    let (_folder, dump) = folder();
    let permit = permit(&completed(false).0, &[], &dump).unwrap();
    let run = |command: &[&str]| {
        let command: Vec<String> = command.iter().map(|one| (*one).to_owned()).collect();
        permit.run(&command, &BTreeMap::new()).unwrap_err()
    };
    assert!(matches!(run(&["cp", "{pod}"]), DeliverError::Placeholder { .. }));
    assert!(matches!(run(&["cp", "{dump"]), DeliverError::OpenBrace { .. }));
    assert!(matches!(run(&[]), DeliverError::NoProgram));
    assert!(matches!(run(&["no-such-program-anywhere"]), DeliverError::Start { .. }));
    assert!(matches!(run(&["false"]), DeliverError::Failed { .. }));
}
