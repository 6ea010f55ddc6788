//! Is this node ready for a recovery call? Looked at one thing at a time, all of them, so that an operator gets one
//! list and not one complaint a run.
//!
//! Nothing is changed anywhere. A check that needs a setting that is not there is left out and said to be: that is
//! no failure of the node, but no readiness either, so [`Report::is_ready`] counts it like one that failed, except
//! for what is optional.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use svdr_cli::failure;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Check, MAX_REASON_LEN, Readiness, shortened};

use crate::config::AgentConfig;
use crate::sources::app::Settings;
use crate::sources::fetch::Mode;
use crate::sources::volume::Volume;

mod files;
mod identities;
mod logs;
mod reach;
mod volume;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// Not configured, and not needed by everybody.
    LeftOut,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// What was found, and, where it failed, what to do.
    pub text: String,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The findings, in the order in which they were made.
    pub checks: Vec<Finding>,
}

impl Finding {
    fn passed(name: &'static str, text: impl Into<String>) -> Finding {
        Finding { name, verdict: Verdict::Passed, text: text.into() }
    }

    fn failed(name: &'static str, text: impl Into<String>) -> Finding {
        Finding { name, verdict: Verdict::Failed, text: text.into() }
    }

    fn left_out(name: &'static str, text: impl Into<String>) -> Finding {
        Finding { name, verdict: Verdict::LeftOut, text: text.into() }
    }

    /// An error with its causes on one line.
    fn error(name: &'static str, error: &dyn std::error::Error) -> Finding {
        Finding::failed(name, explained(error))
    }
}

fn explained(error: &dyn std::error::Error) -> String {
    failure::explain(error).trim_start_matches("error: ").replace('\n', "")
}

impl Report {
    /// Whether nothing failed.
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Failed)
    }

    /// The report as a statement for everybody to see. It says what passed and what did not; paths, addresses and
    /// errors stay here, since they are nobody else's business.
    pub fn readiness(&self) -> Readiness {
        let counted = self.checks.iter().filter(|check| check.verdict != Verdict::LeftOut);
        let check = |finding: &Finding| Check {
            name: finding.name.to_owned(),
            passed: finding.verdict == Verdict::Passed,
            text: match finding.verdict {
                Verdict::Passed => String::new(),
                _ => shortened("its operator has been told why", MAX_REASON_LEN),
            },
        };
        Readiness { checks: counted.map(check).collect() }
    }
}

/// What to look at.
pub struct Subject<'a> {
    /// The configuration.
    pub config: &'a AgentConfig,
    /// The roster's file.
    pub roster: Option<&'a std::path::Path>,
    /// The signing key's file.
    pub signing_key: Option<&'a std::path::Path>,
    /// The backup of the node identities's file.
    pub identities: Option<&'a std::path::Path>,
    /// The file of the age identity that decrypts it.
    pub age_identity: Option<&'a std::path::Path>,
    /// How to reach the SV app; an error says what is missing.
    pub sv_app: Result<Settings, String>,
    /// By which way the app gives its dump.
    pub mode: Mode,
    /// The app's dump volume, where one is named.
    pub volume: Option<Volume>,
    /// The time.
    pub now: SystemTime,
}

/// Makes every check.
pub async fn check(subject: &Subject<'_>) -> Report {
    let mut checks = Vec::new();
    let (roster, finding) = files::roster(subject.roster);
    checks.push(finding);
    let roster: Option<Arc<Roster>> = roster.map(Arc::new);
    let (key, finding) = files::signing_key(subject.signing_key, roster.as_deref());
    checks.push(finding);
    let me = roster
        .as_deref()
        .zip(key.as_ref())
        .and_then(|(roster, key)| roster.member_by_key(&key.verifying_key().into()));
    checks.extend(reach::coordinators(&subject.config.coordinators, key.as_ref()).await);
    checks.push(logs::logs(subject.config.evidence.as_ref(), roster.as_deref(), me, subject.now));
    checks.push(reach::sv_app(&subject.sv_app).await);
    checks.push(identities::identities(subject.identities, subject.age_identity, me, subject.now));
    let (output, room) = (subject.config.output_dir.as_deref(), subject.config.room());
    checks.push(files::room(output, room));
    checks.push(volume::volume(subject.mode, subject.volume.as_ref(), output, room));
    if volume::is_used(subject.mode, subject.volume.as_ref()) {
        checks.push(reach::migration_dump(&subject.sv_app).await);
    }
    checks.push(files::databases(&subject.config.databases, subject.now));
    Report { checks }
}

#[cfg(test)]
mod tests;
