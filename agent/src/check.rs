//! Is this node ready for a recovery call? Every check is made, so that an operator gets one list.
//!
//! Nothing is changed anywhere. A check whose settings are missing fails, because the node is not ready without them;
//! only a check of something optional is [left out](Verdict::LeftOut).

use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use svdr_protocol::failure::Told;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Check, Readiness};

use crate::config::AgentConfig;
use crate::sources::app::AppSettings;
use crate::sources::fetch::Mode;
use crate::sources::volume::Volume;

mod files;
mod identities;
mod logs;
mod reach;
mod volume;

/// The result of a check.
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

/// One check and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// The result.
    pub verdict: Verdict,
    /// What was found, and, if it failed, what to do.
    pub text: String,
}

/// All checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
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
    fn error(name: &'static str, error: &dyn Error) -> Finding {
        Finding::failed(name, explained(error))
    }
}

fn explained(error: &dyn Error) -> String {
    Told::of(error).in_one_line()
}

impl CheckReport {
    /// Whether nothing failed.
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Failed)
    }

    /// The report as a statement for everybody: what passed and what did not. Paths, addresses and errors are private,
    /// so they are not part of it.
    pub fn readiness(&self) -> Readiness {
        let counted = self.checks.iter().filter(|check| check.verdict != Verdict::LeftOut);
        let check = |finding: &Finding| Check {
            name: finding.name.to_owned(),
            passed: finding.verdict == Verdict::Passed,
            text: match finding.verdict {
                Verdict::Passed => String::new(),
                _ => "the member's operator knows why".to_owned(),
            },
        };
        Readiness { checks: counted.map(check).collect() }
    }
}

/// What to check.
pub struct Subject<'a> {
    /// The configuration.
    pub config: &'a AgentConfig,
    /// The roster's file.
    pub roster: Option<&'a std::path::Path>,
    /// The signing key's file.
    pub signing_key: Option<&'a std::path::Path>,
    /// The file of the node identities.
    pub identities: Option<&'a std::path::Path>,
    /// The file of the age identity that decrypts it.
    pub age_identity: Option<&'a std::path::Path>,
    /// How to reach the SV app; an error says what is missing.
    pub sv_app: Result<AppSettings, String>,
    /// How the app gives its dump.
    pub mode: Mode,
    /// The app's dump volume, if one is named.
    pub volume: Option<Volume>,
    /// The time.
    pub now: SystemTime,
}

/// Makes every check.
pub async fn check(subject: &Subject<'_>) -> CheckReport {
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
    let evidence = subject.config.evidence.as_ref();
    checks.push(logs::logs(evidence, roster.as_ref(), me, subject.now).await);
    checks.extend(logs::participant(evidence, roster.as_deref(), me, subject.now).await);
    checks.push(reach::sv_app(&subject.sv_app).await);
    checks.push(identities::identities(subject.identities, subject.age_identity, me, subject.now));
    let (output, room) = (subject.config.output_dir.as_deref(), subject.config.room());
    checks.push(files::room(output, room));
    checks.push(volume::volume(subject.mode, subject.volume.as_ref(), output, room));
    if volume::is_used(subject.mode, subject.volume.as_ref()) {
        checks.push(reach::migration_dump(&subject.sv_app).await);
    }
    checks.push(files::databases(&subject.config.databases, subject.now));
    CheckReport { checks }
}

#[cfg(test)]
mod tests;
