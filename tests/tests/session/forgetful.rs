//! A coordinator whose journal is lost, and that is started again as its refusal advises: with an empty journal and the same
//! key. The agents go on, and give it all that it had.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use svdr_protocol::digest::Digest;
use svdr_protocol::statement::SessionId;
use svdr_tests::agents::Agents;
use svdr_tests::coordinator::Coordinator;
use svdr_tests::town::{Town, assert_sound};

use crate::rounds::{digests, done, held, operate, wait};

/// What every refusal of a journal advises.
const ADVICE: &str = "another folder with --data";

/// Starts a coordinator on the journal in a folder, which it must refuse with that error and the advice.
fn refused(folder: &Path, data: &str, words: &str) {
    let output = Command::new(svdr_tests::binaries::coordinator())
        .args(["serve", "--listen", "127.0.0.1:0", "--roster", "roster.toml"])
        .args(["--signing-key", "coordinator.key", "--data", data])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(words) && said.contains(ADVICE), "{said}");
}

/// Loses the mark of what was acknowledged.
fn lose_mark(journal: &Path) {
    fs::remove_file(journal.join("acknowledged")).unwrap();
}

/// Loses the records, and not the mark.
fn lose_records(journal: &Path) {
    fs::remove_dir_all(journal.join("journal")).unwrap();
}

/// Overwrites the records with zeros.
fn overwrite(journal: &Path) {
    let pages = journal.join("journal/db");
    let len = usize::try_from(fs::metadata(&pages).unwrap().len()).unwrap();
    fs::write(pages, vec![0; len]).unwrap();
}

/// The statements that a coordinator has of a session.
fn at_coordinator(town: &Town, session: SessionId) -> BTreeSet<Digest> {
    let report = town.transcript(session);
    assert!(report.holds(), "{report:?}");
    digests(&report.sessions[0].session)
}

#[test]
fn agents_go_on_with_a_coordinator_that_was_started_again_as_each_refusal_advises() {
    let mut town = Town::with_approval(4, "operator");
    let only = [(town.relay.url(), town.coordinator_key().to_string())];
    town.agents.configure("operator", &only).unwrap();
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in &agents {
        assert!(agent.logs("round 1 waits for this SV's operator"), "{}", agent.log());
    }
    type Loss = (&'static str, fn(&Path), &'static str);
    let losses: [Loss; 3] = [
        ("mark", lose_mark, "has lost"),
        ("records", lose_records, "is truncated: expected"),
        ("pages", overwrite, "the journal in pages"),
    ];
    for (seen, (name, lose, words)) in (1..).zip(losses) {
        let before = at_coordinator(&town, session);
        town.put_away_journal(name);
        let folder = town.agents.network.path();
        lose(&folder.join(name));
        refused(folder, name, words);
        town.start_on_journal(None).unwrap();
        wait("the coordinator is not given what it had", || {
            held(&town.agents, 1, session).is_superset(&before)
                && town.agents.convene(&["show", &id]).is_ok()
                && at_coordinator(&town, session).is_superset(&before)
        });
        // Each agent has seen it, however long it waited before it connected again.
        for agent in &agents {
            wait("an agent does not report the new journal", || {
                agent.log().matches("NEW JOURNAL").count() == seen
            });
        }
        let screen = operate(&town, 2, &["status", &id]);
        assert!(screen.contains("NEW JOURNAL"), "{screen}");
    }
    // That were four journals. The next one is given what each member signed itself, and nothing else.
    town.put_away_journal("fourth");
    town.start_on_journal(None).unwrap();
    for agent in &agents {
        assert!(agent.logs("had 4 journals within an hour"), "{}", agent.log());
    }
    for member in 1..=4 {
        operate(&town, member, &["agree", &id, "--yes"]);
    }
    for agent in agents {
        assert_eq!(done(agent)["attested"], true);
    }
    assert_sound(&town, session);
}

#[test]
fn a_journal_of_another_roster_is_refused_and_another_folder_is_the_way_out() {
    let agents = Agents::new(4, |_, options| options).unwrap();
    let folder = agents.network.path();
    Coordinator::start(folder, &[]).unwrap().kill().unwrap();
    let roster = folder.join("roster.toml");
    let text = fs::read_to_string(&roster).unwrap();
    fs::write(&roster, text.replace("network = \"", "network = \"Another-")).unwrap();
    refused(folder, "data", "belongs to the roster");
    fs::rename(folder.join("data"), folder.join("of-another-roster")).unwrap();
    Coordinator::start(folder, &[]).unwrap().kill().unwrap();
}
