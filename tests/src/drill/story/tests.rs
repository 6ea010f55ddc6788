//! The story's own reasoning against the product's rule, on evidence made straight from the story.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use clap::Parser as _;
use ed25519_dalek::SigningKey;
use svdr_protocol::evidence::{Evidence, Observations, Ticks};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::plan::dump::{Parameters, propose};
use svdr_protocol::roster::Roster;
use svdr_protocol::time::Tick;

use super::*;
use crate::members::{members, roster_toml};

/// 2026-04-21T23:31:30Z, in seconds since the Unix epoch.
const NOW: i64 = 1_776_814_290;

fn options(args: &[&str]) -> Options {
    Options::try_parse_from([&["drill"], args].concat()).unwrap()
}

fn story(args: &[&str]) -> Option<Story> {
    Story::new(&options(args), NOW)
}

fn roster(svs: usize) -> Roster {
    let key = |seed: usize| {
        let seed = u8::try_from(seed).unwrap();
        PublicKey::from(SigningKey::from_bytes(&[seed; 32]).verifying_key()).to_string()
    };
    let keys: Vec<String> = (1..=svs).map(key).collect();
    Roster::parse(&roster_toml(&members(svs), &keys)).unwrap()
}

/// What the logs of the SV at `own` say.
fn evidence(story: &Story, roster: &Roster, own: usize) -> Evidence {
    let member = &roster.members()[own];
    let about = |other: usize| {
        let mut seen = Observations { matches: Ticks::default(), mismatches: Ticks::default() };
        let ticks = |wanted| {
            let ticks =
                (0..TICKS).filter(move |place| story.outcome(own, other, story.micros(*place)) == wanted);
            ticks.map(|place| Tick(story.tick(place).unwrap())).collect()
        };
        seen.matches = ticks(Outcome::Match);
        seen.mismatches = ticks(Outcome::Mismatch);
        seen
    };
    let others = (0..roster.members().len()).filter(|other| *other != own);
    Evidence {
        member: member.name.clone(),
        participant: member.participant.clone(),
        synchronizers: BTreeSet::new(),
        log_span: None,
        about: others.map(|other| (roster.members()[other].name.clone(), about(other))).collect(),
        unattributed_mismatches: 0,
    }
}

#[test]
fn the_rule_chooses_what_the_story_expects() {
    let scenarios: [&[&str]; 7] = [
        &[],
        &["--lagging"],
        &["--left-behind", "1", "--mismatch"],
        &["--mismatch"],
        &["--mismatch=standing", "--lagging"],
        &["--vouch"],
        &["--vouch", "--lagging", "--mismatch"],
    ];
    for svs in [4_usize, 5, 6, 7, 13, 40] {
        let roster = roster(svs);
        let more: &[&str] = if svs >= 7 { &["--left-behind", "2", "--mismatch"] } else { &["--pruned"] };
        for scenario in scenarios.into_iter().chain([more]) {
            let count = svs.to_string();
            let story = story(&[scenario, &["--svs", &count]].concat()).unwrap();
            let reporting = (0..svs).filter(|place| story.vouched() != Some(*place));
            let all: Vec<Evidence> = reporting.map(|own| evidence(&story, &roster, own)).collect();
            for minutes in [1, 3, 7, 15] {
                let margin = Duration::from_secs(minutes * 60);
                let vouched = story.vouched().map(|place| roster.members()[place].name.clone());
                let vouched = vouched.into_iter().collect();
                let parameters = Parameters { margin, vouched, ..Parameters::new(&roster) };
                let outcome = propose(&roster, all.iter(), &parameters).unwrap();
                let chosen = outcome.chosen().unwrap();
                let expected = story.expected(margin).unwrap();
                let names = |places: &[usize]| -> BTreeSet<_> {
                    places.iter().map(|place| roster.members()[*place].name.clone()).collect()
                };
                let left: BTreeSet<_> = chosen.left_behind.iter().map(|one| one.member.clone()).collect();
                let what = format!("{svs} SVs, {scenario:?}, {minutes} minutes");
                assert_eq!(chosen.tick.0, expected.tick, "{what}");
                assert_eq!(chosen.recovery_timestamp, expected.recovery_timestamp, "{what}");
                assert_eq!(left, names(&expected.left_behind), "{what}");
            }
        }
    }
}

#[test]
fn as_many_are_pruned_as_a_round_cannot_do_without() {
    for svs in 4..=40 {
        for scenario in [&["--pruned"][..], &["--pruned", "--lagging"], &["--pruned", "--mismatch"]] {
            let count = format!("{svs}");
            let story = story(&[scenario, &["--svs", &count]].concat()).unwrap();
            let left_behind = story.expected(MARGIN).unwrap().left_behind;
            let able = story.svs - left_behind.len() - story.pruned().len();
            assert_eq!(able + 1, story.threshold(), "{svs} SVs, {scenario:?}");
            assert!(story.pruned().iter().all(|place| *place != 0 && !left_behind.contains(place)));
        }
    }
}

#[test]
fn too_much_at_once_is_no_story() {
    assert_eq!(story(&["--pruned", "--lagging", "--mismatch=standing"]), None);
    assert!(story(&["--pruned", "--lagging", "--mismatch=standing", "--svs", "7"]).is_some());
    assert!(story(&["--lagging", "--mismatch=standing", "--vouch"]).is_some());
}

#[test]
fn untold_it_is_one_that_lags_and_a_mismatch_that_was_healed() {
    assert_eq!(story(&[]), story(&["--lagging", "--mismatch"]));
    assert_ne!(story(&[]), story(&["--vouch"]));
    assert_eq!(story(&[]).unwrap().end().unwrap().to_string(), "2026-04-21T23:30:00Z");
}
