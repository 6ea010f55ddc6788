//! What a member's own store says about the coordinators of its configuration.

use serde::Serialize;
use svdr_protocol::receipt::JournalId;

/// A coordinator of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoordinatorFacts {
    /// Its URL.
    pub url: String,
    /// The journals that its receipts of this session name, the newest last; `null` is one that an earlier version made.
    pub journals: Vec<Option<String>>,
}

/// Coordinators that have forgotten what they had, a line each.
pub fn alarms(coordinators: &[CoordinatorFacts]) -> impl Iterator<Item = String> {
    let forgetful = coordinators.iter().filter(|one| one.journals.len() > 1);
    forgetful.filter_map(|one| Some(began(&one.url, one.journals.last()?.as_deref())))
}

/// That the coordinator at `url` has begun a new journal.
pub fn new_journal(url: &str, journal: Option<JournalId>) -> String {
    began(url, journal.map(|id| id.to_string()).as_deref())
}

fn began(url: &str, journal: Option<&str>) -> String {
    let journal = journal.unwrap_or("without an identity");
    format!("NEW JOURNAL: {url} has begun the journal {journal}, and has forgotten what it had before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_that_has_begun_a_new_journal_is_named() {
        let facts = |url: &str, journals: &[Option<&str>]| CoordinatorFacts {
            url: url.to_owned(),
            journals: journals.iter().map(|one| one.map(str::to_owned)).collect(),
        };
        let facts = [
            facts("https://a", &[Some("one")]),
            facts("https://b", &[None, Some("two")]),
            facts("https://c", &[]),
        ];
        let alarms: Vec<String> = alarms(&facts).collect();
        let expected =
            "NEW JOURNAL: https://b has begun the journal two, and has forgotten what it had before";
        assert_eq!(alarms, [expected]);
    }
}
