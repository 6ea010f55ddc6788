//! A whole session in which every SV app writes its dump itself, and the delivery of what came of it.

use std::fs;
use std::path::{Path, PathBuf};

use svdr_protocol::statement::{Body, SessionId};
use svdr_protocol::time::Timestamp;
use svdr_tests::agents::Agent;
use svdr_tests::sv_app::{DumpVolume, ExportFault, Options, export};

use super::bench::{APP_DIR, assert_set};
use svdr_tests::town::{self, Town, assert_sound};

/// Four agents whose apps have a volume each; the first three have a fault each as well.
struct Place {
    _volumes: tempfile::TempDir,
    volumes: PathBuf,
    town: Town,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let volumes = folder.path().to_owned();
    let faults = [
        vec![ExportFault::Status(503, "starting up".to_owned())],
        vec![ExportFault::GatewayTimeout],
        vec![ExportFault::Slow(std::time::Duration::from_millis(50))],
        Vec::new(),
    ];
    let town = Town::with_apps(4, "automatic", |at, options| {
        let folder = volumes.join(format!("{}", at + 1));
        fs::create_dir(&folder).unwrap();
        let volume = DumpVolume::At { folder, app_dir: APP_DIR.to_owned() };
        Options { volume, export_faults: faults[at].clone(), ..options }
    });
    Place { _volumes: folder, volumes, town }
}

impl Place {
    fn volume(&self, member: usize) -> PathBuf {
        self.volumes.join(member.to_string())
    }

    fn run(&self, member: usize, variables: &[(&str, &str)]) -> Agent {
        let volume = self.volume(member);
        let mut all = vec![("SVDR_SV_APP_MODE", "trigger"), ("SVDR_DUMP_DIR", volume.to_str().unwrap())];
        all.extend(variables);
        self.town.agents.run(member, &[], &all).unwrap()
    }

    fn set(&self, member: usize, session: SessionId) -> PathBuf {
        let name = format!("domain_migration_dump-{}-r1", &session.to_string()[..8]);
        self.town.agents.folder(member).join("dumps").join(name)
    }

    /// What the set of a member has to be.
    #[track_caller]
    fn assert_set(&self, member: usize, set: &Path, at: Timestamp) {
        let options = self.town.agents.apps[member - 1].options();
        let (dump, files) = export::taken(options.snapshot, &options.identities, at, 6, APP_DIR);
        assert_set(set, &dump, &files);
    }

    fn deliver(&self, session: SessionId, args: &[&str]) -> (Option<i32>, String) {
        let session = session.to_string();
        let args = [&["deliver", session.as_str(), "--yes"], args].concat();
        let output = self.town.agents.command(1, &args).unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn sets_are_attested_and_delivered_as_a_whole() {
    let place = place();
    let session = place.town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| place.run(member, &[])).collect();
    let finished: Vec<_> = agents.into_iter().map(|agent| agent.finish().unwrap()).collect();
    let documents = town::documents(&finished);
    assert_sound(&place.town, session);
    let at: Timestamp = documents[0]["recovery_timestamp"].as_str().unwrap().parse().unwrap();
    for member in 1..=4 {
        place.assert_set(member, &place.set(member, session), at);
        assert_eq!(place.town.agents.apps[member - 1].log().snapshots_asked(), 0);
    }
    attested(&place, session, at);
    let target = place.volume(1).join(export::DUMP);
    let to = ["--to", target.to_str().unwrap()];
    let (code, told) = place.deliver(session, &to);
    assert_eq!(code, Some(0), "{told}");
    let millis = at.micros() / 1000;
    for name in [export::DUMP.to_owned(), format!("acs_snapshot-{millis}"), format!("genesis_state-{millis}")]
    {
        let [set, delivered] =
            [place.set(1, session), place.volume(1)].map(|folder| fs::read(folder.join(&name)));
        assert!(set.unwrap() == delivered.unwrap(), "{name} arrived as another file");
    }
    damaged(&place, session, &target, &format!("acs_snapshot-{millis}"));
}

/// The attestations name the files, and all say the same of the parts.
fn attested(place: &Place, session: SessionId, at: Timestamp) {
    let report = place.town.transcript(session);
    let attestations: Vec<_> = report.sessions[0]
        .session
        .statements()
        .filter_map(|one| match one.body() {
            Body::Attestation(attestation) => Some(attestation.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(attestations.len(), 4);
    for attestation in &attestations {
        assert_eq!(attestation.parts, attestations[0].parts);
        let files: Vec<_> = attestation.parts.iter().filter_map(|part| part.file.clone()).collect();
        let millis = at.micros() / 1000;
        assert_eq!(files, [format!("genesis_state-{millis}"), format!("acs_snapshot-{millis}")]);
    }
}

/// Delivered again with `--force`, an interrupted delivery is completed; a damaged payload never gets its name.
fn damaged(place: &Place, session: SessionId, target: &Path, payload: &str) {
    let to = ["--to", target.to_str().unwrap()];
    let (code, told) = place.deliver(session, &to);
    assert!(code == Some(1) && told.contains("already exists"), "{told}");
    fs::remove_file(target).unwrap();
    let (code, told) = place.deliver(session, &to);
    assert!(code == Some(0) && told.contains("already exists and is the attested file"), "{told}");
    let delivered = target.with_file_name(payload);
    fs::remove_file(target).unwrap();
    fs::remove_file(&delivered).unwrap();
    let own = place.set(1, session).join(payload);
    let whole = fs::read(&own).unwrap();
    for damage in [[&whole[..], b"\0\0\0\x01x"].concat(), whole[..whole.len() - 1].to_vec()] {
        fs::write(&own, damage).unwrap();
        let (code, told) = place.deliver(session, &to);
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains(payload) && !target.exists() && !delivered.exists(), "{told}");
    }
    fs::write(&own, whole).unwrap();
    assert_eq!(place.deliver(session, &to).0, Some(0));
}

#[test]
fn an_agent_killed_while_its_app_is_at_work_goes_on_with_what_comes_of_it() {
    let place = place();
    let session = place.town.agents.open(&[]).unwrap();
    let others: Vec<_> = [1, 2, 4].into_iter().map(|member| place.run(member, &[])).collect();
    let third = place.run(3, &[]);
    let app = &place.town.agents.apps[2];
    assert!(app.wait_until(svdr_tests::agents::LIMIT, |log| log.exported > 0), "{}", third.log());
    third.kill().unwrap();
    let again = place.run(3, &[]);
    for agent in others.into_iter().chain([again]) {
        let finished = agent.finish().unwrap();
        assert!(finished.status.success(), "{}", finished.log);
    }
    assert_sound(&place.town, session);
    assert_eq!(app.log().exports, 1, "the app was not made to do it twice");
}
