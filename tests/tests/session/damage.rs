//! Disks that lose and alter what agents have written: whatever file of a state folder it is, the agent heals it or names
//! it, sends the same votes as before, and blames nobody.

use std::fs;
use std::path::{Path, PathBuf};

use svdr_protocol::statement::{Body, SessionId};
use svdr_tests::agents::Finished;
use svdr_tests::town::{Town, assert_sound, documents};

/// The files of a folder and of those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
}

/// What a disk makes of a file; nothing where the file is gone.
fn damages(content: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let flipped = |at: usize| {
        let mut content = content.to_vec();
        if let Some(byte) = content.get_mut(at) {
            *byte ^= 4;
        }
        Some(content)
    };
    if content.is_empty() {
        return vec![("deleted", None)];
    }
    vec![
        ("deleted", None),
        ("emptied", Some(Vec::new())),
        ("filled with zeros", Some(vec![0; content.len()])),
        ("cut in half", Some(content[..content.len() / 2].to_vec())),
        ("altered early", flipped(content.len() / 3)),
        ("altered late", flipped(content.len() * 4 / 5)),
    ]
}

/// Warnings and errors name the file, or what stands for it, and nobody else.
fn assert_blames_nobody(finished: &Finished, state: &Path, what: &str) {
    let state = state.display().to_string();
    for line in finished.log.lines() {
        let is_alarm = ["WARN", "ERROR", "error:"].iter().any(|word| line.contains(word));
        assert!(!is_alarm || line.contains(&state), "{what}: {line}");
    }
}

/// The votes of the first member that the coordinator has.
fn votes(town: &Town, session: SessionId) -> Vec<String> {
    let report = town.transcript(session);
    assert!(report.holds() && report.equivocations.is_empty() && report.forks.is_empty(), "{report:?}");
    let statements = report.sessions[0].session.statements();
    let first = statements.filter(|one| one.by_member() && one.signer().as_str() == "Example-SV-1");
    let votes = first.filter(|one| !matches!(one.body(), Body::Milestone(_)));
    votes.map(|one| one.digest().to_string()).collect()
}

#[test]
fn whatever_file_is_damaged_the_agent_heals_it_or_names_it_and_sends_the_same_votes() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    let finished: Vec<_> = agents.into_iter().map(|agent| agent.finish().unwrap()).collect();
    let dump = documents(&finished)[0]["dump"].clone();
    let (state, kept) = (town.agents.state(1), town.agents.folder(1).join("kept"));
    copy(&state, &kept);
    let before = votes(&town, session);
    let mut refused = Vec::new();
    for file in files(&kept) {
        let damaged_file = state.join(file.strip_prefix(&kept).unwrap());
        for (how, content) in damages(&fs::read(&file).unwrap()) {
            let what = format!("{} {how}", damaged_file.display());
            fs::remove_dir_all(&state).unwrap();
            copy(&kept, &state);
            match content {
                Some(content) => fs::write(&damaged_file, content).unwrap(),
                None => fs::remove_file(&damaged_file).unwrap(),
            }
            let mut finished = town.run(1).finish().unwrap();
            assert_blames_nobody(&finished, &state, &what);
            if !finished.status.success() {
                assert_eq!(finished.status.code(), Some(3), "{what}: {}", finished.log);
                let moved_to = format!("{}.corrupt", damaged_file.display());
                assert!(finished.log.contains(&format!("move the file to {moved_to},")), "{}", finished.log);
                refused.push(damaged_file.clone());
                fs::rename(&damaged_file, moved_to).unwrap();
                finished = town.run(1).finish().unwrap();
                assert_blames_nobody(&finished, &state, &what);
            }
            assert!(finished.status.success(), "{what}: {}", finished.log);
            let document: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
            assert_eq!((&document["attested"], &document["dump"]), (&true.into(), &dump), "{what}");
        }
    }
    // The opening, evidence, agreement and attestation, in each of the five ways that leave something of them.
    assert_eq!(refused.len(), 4 * 5, "{refused:?}");
    assert_eq!(votes(&town, session), before);
    assert_sound(&town, session);
}

#[test]
fn an_agreement_that_is_damaged_is_the_same_afterwards() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in &agents {
        assert!(agent.logs("round 1 waits for this SV's operator"), "{}", agent.log());
    }
    drop(agents);
    let agree = || town.agents.command(1, &["agree", &id, "--yes"]).unwrap();
    assert!(agree().status.success());
    let (state, kept) = (town.agents.state(1), town.agents.folder(1).join("kept"));
    copy(&state, &kept);
    let before = votes(&town, session);
    for file in files(&kept) {
        for (how, content) in damages(&fs::read(&file).unwrap()) {
            let damaged_file = state.join(file.strip_prefix(&kept).unwrap());
            let what = format!("{} {how}", damaged_file.display());
            fs::remove_dir_all(&state).unwrap();
            copy(&kept, &state);
            match content {
                Some(content) => fs::write(&damaged_file, content).unwrap(),
                None => fs::remove_file(&damaged_file).unwrap(),
            }
            let mut output = agree();
            if output.status.code() == Some(3) {
                fs::rename(&damaged_file, format!("{}.corrupt", damaged_file.display())).unwrap();
                output = agree();
            }
            let said = String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap();
            assert!(output.status.success() && said.contains("had signed this already"), "{what}: {said}");
        }
    }
    assert_eq!(votes(&town, session), before);
}

#[test]
fn a_promise_that_no_coordinator_has_is_never_forgotten() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in &agents {
        assert!(agent.logs("round 1 waits for this SV's operator"), "{}", agent.log());
    }
    drop(agents);
    // Signed while no coordinator could be reached, so that only this disk has it.
    let target = town.coordinator_address();
    town.relay.lead_to(None);
    let offline = town.agents.command(1, &["agree", &id, "--yes"]).unwrap();
    assert!(offline.status.success(), "{}", String::from_utf8_lossy(&offline.stderr));
    town.relay.lead_to(Some(target));
    let is_agreement = |path: &PathBuf| path.to_string_lossy().ends_with("-agreement.json");
    let file = files(&town.agents.state(1)).into_iter().find(is_agreement).unwrap();
    fs::rename(&file, format!("{}.corrupt", file.display())).unwrap();
    for command in
        [&["agree", &id, "--yes"][..], &["reject", &id, "--reason", "x", "--yes"], &["status", &id]]
    {
        let output = town.agents.command(1, command).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{command:?}: {said}");
        assert!(
            said.contains("-agreement.json.corrupt was corrupt, and no coordinator that was reached has"),
            "{said}"
        );
    }
    let run = town.run(1).finish().unwrap();
    assert_eq!(run.status.code(), Some(3), "{}", run.log);
    // Restored from a backup, it is the agreement that was signed.
    fs::rename(format!("{}.corrupt", file.display()), &file).unwrap();
    let again = town.agents.command(1, &["agree", &id, "--yes"]).unwrap();
    assert!(String::from_utf8_lossy(&again.stdout).contains("had signed this already"), "{again:?}");
}
