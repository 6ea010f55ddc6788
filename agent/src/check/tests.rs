//! A node that is ready, and each way in which it is not.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use svdr_cli::screens::fixture::{key, name, roster_text};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::{DatabaseBackups, EvidenceSection};
use crate::sources::app::{Credentials, Timeouts};

fn roster() -> Roster {
    Roster::parse(&roster_text()).unwrap()
}

fn backup(participant: &str) -> String {
    format!(
        r#"{{"identities":{{"sv_party_id":"sv::1220","dso_party_id":"DSO::1220","domain_alias":"global","domain_id":"global-domain::1220","participant":{{"id":"{participant}","keys":[]}},"sequencer":{{}},"mediator":{{}}}}}}"#
    )
}

fn private(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_roster_is_compared_aloud() {
    let folder = TempDir::new().unwrap();
    let path = private(folder.path(), "roster.toml", &roster_text());
    let (read, finding) = files::roster(Some(&path));
    assert_eq!(finding.verdict, Verdict::Passed);
    assert!(finding.text.ends_with(&read.unwrap().spoken_fingerprint().join(" ")), "{}", finding.text);
    assert_eq!(files::roster(None).1.verdict, Verdict::Failed);
    assert_eq!(files::roster(Some(&folder.path().join("absent"))).1.verdict, Verdict::Failed);
}

#[test]
fn a_key_has_to_be_private_and_a_members() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("signing.key");
    svdr_cli::signing_key::create(&path).unwrap();
    let (_, stranger) = files::signing_key(Some(&path), Some(&roster()));
    assert!(stranger.text.contains("is not the key of a member"), "{}", stranger.text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let (read, open) = files::signing_key(Some(&path), Some(&roster()));
    assert!(read.is_some() && open.text.contains("chmod 600"), "{}", open.text);
    assert_eq!(files::signing_key(None, None).1.verdict, Verdict::Failed);
}

#[test]
fn an_identities_backup_has_to_be_private_complete_and_of_this_participant() {
    let (folder, roster) = (TempDir::new().unwrap(), roster());
    let me = roster.member(&name(1)).unwrap();
    let check = |text: &str| {
        let path = private(folder.path(), "identities.json", text);
        identities::identities(Some(&path), None, Some(me), SystemTime::now() + Duration::from_secs(90))
    };
    let right = check(&backup(&me.participant.to_string()));
    assert_eq!(right.verdict, Verdict::Passed, "{}", right.text);
    let found = format!("complete, of {}; not encrypted, 1m 30s old", me.participant);
    assert_eq!(right.text.split_once(" old").unwrap().0, found.strip_suffix(" old").unwrap());
    let other = check(&backup(&roster.member(&name(2)).unwrap().participant.to_string()));
    assert!(other.text.contains("use the SV app and the backup of"), "{}", other.text);
    for damaged in ["", "{", "{\"identities\":{}}", "<html>"] {
        assert_eq!(check(damaged).verdict, Verdict::Failed, "{damaged}");
    }
    let path = private(folder.path(), "identities.json", &backup(&me.participant.to_string()));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let now = SystemTime::now();
    assert!(identities::identities(Some(&path), None, Some(me), now).text.contains("chmod 600"));
    assert_eq!(identities::identities(None, None, Some(me), now).verdict, Verdict::Failed);
}

#[test]
fn nothing_of_an_identities_backup_is_repeated() {
    let (folder, roster) = (TempDir::new().unwrap(), roster());
    let secret = "c2VjcmV0LWtleS1ieXRlcw";
    let text = backup("PAR::x::1220").replace("\"keys\":[]", &format!("\"keys\":[{secret}]"));
    let path = private(folder.path(), "identities.json", &text);
    let finding = identities::identities(Some(&path), None, roster.member(&name(1)), SystemTime::now());
    assert!(finding.verdict == Verdict::Failed && !finding.text.contains(secret), "{}", finding.text);
}

#[test]
fn dumps_need_a_folder_that_can_be_written() {
    let folder = TempDir::new().unwrap();
    let finding = files::room(Some(folder.path()), 1);
    assert_eq!(finding.verdict, Verdict::Passed);
    assert!(finding.text.contains(" free in "), "{}", finding.text);
    let finding = files::room(Some(folder.path()), u64::MAX);
    assert_eq!(finding.verdict, Verdict::Failed);
    assert!(finding.text.contains("make room for at least 18446.7 PB, or set room"), "{}", finding.text);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(files::room(Some(&folder.path().join("absent")), 1).verdict, Verdict::Failed);
    assert_eq!(files::room(None, 1).verdict, Verdict::Failed);
}

#[test]
fn databases_are_backed_up_recently_and_in_their_order() {
    let folder = TempDir::new().unwrap();
    let now = SystemTime::now();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let written = |name: &str, ago: Duration| {
        let file = File::create(folder.path().join(name)).unwrap();
        file.set_times(FileTimes::new().set_modified(now - ago)).unwrap();
    };
    let pattern = |pattern: &str| vec![folder.path().join(pattern).display().to_string()];
    let backups = DatabaseBackups { apps: pattern("apps-*"), participant: pattern("participant-*") };
    assert_eq!(files::databases(&backups, now).verdict, Verdict::Failed);
    written("apps-1", hours(9));
    written("apps-2", hours(2));
    written("participant-1", hours(1));
    let right = files::databases(&backups, now);
    assert_eq!(right.verdict, Verdict::Passed, "{}", right.text);
    assert!(right.text.contains("apps is 2h old"), "{}", right.text);
    assert!(files::databases(&backups, now + hours(3)).text.contains("at least every 4h"));
    written("participant-1", hours(3));
    assert!(files::databases(&backups, now).text.contains("back up the participant again"));
    let half = DatabaseBackups { participant: Vec::new(), ..backups };
    assert!(files::databases(&half, now).text.contains("database_backups.participant is missing"));
    assert_eq!(files::databases(&DatabaseBackups::default(), now).verdict, Verdict::LeftOut);
}

#[tokio::test]
async fn logs_have_to_hold_recent_commitments() {
    let (folder, roster) = (TempDir::new().unwrap(), Arc::new(roster()));
    let me = roster.member(&name(1)).unwrap();
    let log = folder.path().join("participant.log");
    let section = EvidenceSection { logs: vec![log.display().to_string()], ..EvidenceSection::default() };
    let check = async |text: &str, after: u64| {
        fs::write(&log, text).unwrap();
        let tick: svdr_protocol::time::Timestamp = "2026-04-21T23:25:00Z".parse().unwrap();
        let tick = Duration::from_micros(u64::try_from(tick.micros()).unwrap());
        let now = SystemTime::UNIX_EPOCH + tick + Duration::from_secs(after);
        logs::logs(Some(&section), Some(&roster), Some(me), now).await
    };
    let sender = roster.member(&name(0)).unwrap().participant.in_logs();
    let line = format!(
        "2026-04-21 23:25:07,123 [t-1] INFO  c.d.c.p.p.AcsCommitmentProcessor:participant=p/synchronizerId={} - \
         Commitment correct for sender {sender} and period CommitmentPeriod(fromExclusive = 2026-04-21T23:24:00Z, \
         toInclusive = 2026-04-21T23:25:00Z)\n",
        roster.synchronizer().short()
    );
    let right = check(&line, 90).await;
    assert_eq!(right.verdict, Verdict::Passed, "{}", right.text);
    assert!(
        right.text.starts_with("1 file: matches with 1 of 3 other members, the newest 1m 30s ago"),
        "{}",
        right.text
    );
    assert!(check(&line, 2 * 3600).await.text.contains("Check that the participant runs"));
    let two = check(&format!("{line}{}", line.replace("participant=p/", "participant=q/")), 90).await;
    assert_eq!(two.verdict, Verdict::Failed);
    assert!(two.text.contains("the participants p and q"), "{}", two.text);
    assert!(
        check("2026-04-21 23:25:07,123 [t-1] INFO  x - y\n", 0)
            .await
            .text
            .contains("no match with any member")
    );
    let absent = EvidenceSection { logs: vec!["/nowhere/*.log".to_owned()], ..EvidenceSection::default() };
    assert_eq!(
        logs::logs(Some(&absent), Some(&roster), Some(me), SystemTime::now()).await.verdict,
        Verdict::Failed
    );
    assert_eq!(logs::logs(None, Some(&roster), Some(me), SystemTime::now()).await.verdict, Verdict::Failed);
}

/// An SV app that answers one request with `head`; with the first line of the request.
async fn answering(head: &'static str, folder: &Path) -> (Finding, String) {
    let (settings, server) = app(head, folder).await;
    let finding = reach::sv_app(&Ok(settings)).await;
    (finding, server.await.unwrap().lines().next().unwrap_or_default().to_owned())
}

/// The settings of an SV app that answers one request with `head`, and the request.
async fn app(head: &'static str, folder: &Path) -> (AppSettings, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/sv", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let settings = AppSettings {
        url: url.parse().unwrap(),
        credentials: Credentials::File(private(folder, "token", "secret-token")),
        ca_file: None,
        timeouts: Timeouts::default(),
    };
    (settings, server)
}

#[tokio::test]
async fn the_app_is_asked_for_its_call_without_making_it_do_anything() {
    let folder = TempDir::new().unwrap();
    for (head, verdict, expected) in [
        (
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Verdict::Passed,
            "has it",
        ),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Verdict::Failed,
            "is older",
        ),
        (
            "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Verdict::Failed,
            "is older",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Verdict::Failed,
            "administrator",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Verdict::Failed,
            "answered 200",
        ),
        (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Verdict::Failed,
            "HTML page",
        ),
    ] {
        let (settings, server) = app(head, folder.path()).await;
        let finding = reach::migration_dump(&Ok(settings)).await;
        assert_eq!(finding.verdict, verdict, "{}", finding.text);
        assert!(finding.text.contains(expected), "{}", finding.text);
        let request = server.await.unwrap();
        assert!(request.starts_with("POST /api/sv/v0/admin/domain/migration-dump HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n"), "it has a body: {request}");
    }
}

#[tokio::test]
async fn the_token_has_to_be_an_administrators() {
    let folder = TempDir::new().unwrap();
    let (right, request) =
        answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}", folder.path()).await;
    assert_eq!(right.verdict, Verdict::Passed, "{}", right.text);
    assert_eq!(request, "GET /api/sv/v0/admin/authorization HTTP/1.1");
    for (head, expected) in [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "administrator"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "404"),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>",
            "not an answer of the app",
        ),
        ("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "429"),
    ] {
        let (finding, _) = answering(head, folder.path()).await;
        assert_eq!(finding.verdict, Verdict::Failed);
        assert!(
            finding.text.contains(expected) && !finding.text.contains("secret-token"),
            "{}",
            finding.text
        );
    }
    let missing = Err("sv_app.url is missing".to_owned());
    assert!(reach::sv_app(&missing).await.text.contains("sv_app.url is missing"));
}

#[tokio::test]
async fn each_coordinator_is_asked_by_itself() {
    let findings = reach::coordinators(&[], Some(&key(1))).await;
    assert!(findings[0].text.contains("configures no coordinator"), "{}", findings[0].text);
    assert_eq!(reach::coordinators(&[], None).await[0].verdict, Verdict::Failed);
    // Bound and closed again: nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let coordinator =
        svdr_client::Coordinator { url: format!("https://{closed}"), key: key(3).verifying_key().into() };
    let findings = reach::coordinators(&[coordinator.clone(), coordinator], Some(&key(1))).await;
    assert_eq!(findings.len(), 2);
    assert!(
        findings.iter().all(|one| one.verdict == Verdict::Failed && one.text.contains(&closed.to_string()))
    );
}

#[test]
fn a_readiness_tells_others_nothing_but_what_passed() {
    let report = CheckReport {
        checks: vec![
            Finding::passed("roster", "words"),
            Finding::failed("SV app", "https://internal.example.com answered 403"),
            Finding::left_out("database backups", "not configured"),
        ],
    };
    assert!(!report.is_ready());
    let readiness = report.readiness();
    let told: Vec<_> = readiness.checks.iter().map(|one| (one.name.as_str(), one.passed)).collect();
    assert_eq!(told, [("roster", true), ("SV app", false)]);
    assert!(!format!("{readiness:?}").contains("internal"));
}
