//! What frames a session: `open`, `appointment`, `abort`, `readiness`, `milestone`.

use std::collections::BTreeSet;
use std::time::Duration;

use svdr_proto::v1;

use super::fields::Fields;
use super::{Content, SessionId, StatementError};
use crate::keys::PublicKey;

/// Sessions that one may follow: one, and a few that failed to be named before.
pub const MAX_PREDECESSORS: usize = 16;
/// Coordinators that an opening may list. A network has one in each of a few regions.
pub const MAX_COORDINATORS: usize = 16;
/// Checks that a readiness may list; an agent makes about a dozen.
pub const MAX_CHECKS: usize = 64;

/// What the members of a session are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanKind {
    /// Each makes a migration dump as of one time.
    Dump,
    /// What a newer version knows, by its number in the schema.
    Unknown(i32),
}

/// A convener opens a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Why the network must be recovered, for people.
    pub reason: String,
    /// From recovery timestamp to tick, unless a proposal says otherwise; whole seconds.
    pub margin: Duration,
    /// The migration id that the network will have after the recovery.
    pub migration_id: u64,
    /// Completed sessions that this one follows.
    pub predecessors: BTreeSet<SessionId>,
    /// Random, so that no two sessions are alike.
    pub nonce: [u8; 16],
    /// The keys of the coordinators that may propose round 1, in the order in which they do. If there are none, as in
    /// a session that an earlier version opened, any key may.
    pub coordinators: Vec<PublicKey>,
    /// What the members are to do.
    pub plan: PlanKind,
}

/// A convener lets one more coordinator propose round 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointment {
    /// The coordinator's key.
    pub coordinator: PublicKey,
}

/// A convener ends a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abort {
    /// Why, for people.
    pub reason: String,
}

/// What a member's agent found when it checked its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The checks, in the order they were made.
    pub checks: Vec<Check>,
}

/// One check of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Whether it is as it should be.
    pub passed: bool,
    /// What was found, for people.
    pub text: String,
}

/// A member has done a step of the runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// The step.
    pub name: String,
    /// What else there is to say.
    pub note: String,
}

impl Content for Open {
    type Message = v1::Open;

    fn to_message(&self, header: v1::Header) -> v1::Open {
        v1::Open {
            header: Some(header),
            reason: self.reason.clone(),
            margin_seconds: self.margin.as_secs(),
            migration_id: self.migration_id,
            predecessors: self.predecessors.iter().map(|session| session.as_bytes().to_vec()).collect(),
            nonce: self.nonce.to_vec(),
            coordinators: self.coordinators.iter().map(ToString::to_string).collect(),
            plan: match self.plan {
                PlanKind::Dump => v1::PlanKind::Dump.into(),
                PlanKind::Unknown(number) => number,
            },
        }
    }

    fn take_header(message: &mut v1::Open) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Open, fields: &Fields<'_>) -> Result<Open, StatementError> {
        let field = "predecessors";
        fields.count(field, message.predecessors.len(), MAX_PREDECESSORS, "at most 16 sessions")?;
        let sessions = message.predecessors.iter().map(|bytes| fields.session(field, bytes));
        let nonce = message.nonce.as_slice().try_into().ok();
        Ok(Open {
            reason: fields.reason("reason", message.reason)?,
            margin: fields.seconds("margin_seconds", message.margin_seconds)?,
            migration_id: message.migration_id,
            predecessors: fields.ascending(field, sessions)?,
            nonce: nonce.ok_or_else(|| {
                fields.error("nonce", format!("{} bytes", message.nonce.len()), "16 random bytes")
            })?,
            coordinators: coordinators(&message.coordinators, fields)?,
            plan: match v1::PlanKind::try_from(message.plan) {
                Ok(v1::PlanKind::Unspecified | v1::PlanKind::Dump) => PlanKind::Dump,
                Err(_) => PlanKind::Unknown(message.plan),
            },
        })
    }
}

fn coordinators(texts: &[String], fields: &Fields<'_>) -> Result<Vec<PublicKey>, StatementError> {
    let field = "coordinators";
    fields.count(field, texts.len(), MAX_COORDINATORS, "at most 16 keys")?;
    let mut keys = Vec::new();
    for text in texts {
        let key = fields.key(field, text)?;
        if keys.contains(&key) {
            return Err(fields.error(field, format!("{key} twice"), "each key once"));
        }
        keys.push(key);
    }
    Ok(keys)
}

impl Content for Appointment {
    type Message = v1::Appointment;

    fn to_message(&self, header: v1::Header) -> v1::Appointment {
        v1::Appointment { header: Some(header), coordinator: self.coordinator.to_string() }
    }

    fn take_header(message: &mut v1::Appointment) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Appointment, fields: &Fields<'_>) -> Result<Appointment, StatementError> {
        Ok(Appointment { coordinator: fields.key("coordinator", &message.coordinator)? })
    }
}

impl Content for Abort {
    type Message = v1::Abort;

    fn to_message(&self, header: v1::Header) -> v1::Abort {
        v1::Abort { header: Some(header), reason: self.reason.clone() }
    }

    fn take_header(message: &mut v1::Abort) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Abort, fields: &Fields<'_>) -> Result<Abort, StatementError> {
        Ok(Abort { reason: fields.reason("reason", message.reason)? })
    }
}

impl Content for Readiness {
    type Message = v1::Readiness;

    fn to_message(&self, header: v1::Header) -> v1::Readiness {
        let check = |check: &Check| v1::Check {
            name: check.name.clone(),
            passed: check.passed,
            text: check.text.clone(),
        };
        v1::Readiness { header: Some(header), checks: self.checks.iter().map(check).collect() }
    }

    fn take_header(message: &mut v1::Readiness) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Readiness, fields: &Fields<'_>) -> Result<Readiness, StatementError> {
        fields.count("checks", message.checks.len(), MAX_CHECKS, "at most 64 checks")?;
        let check = |check: v1::Check| -> Result<Check, StatementError> {
            Ok(Check {
                name: fields.short_text("checks.name", check.name)?,
                passed: check.passed,
                text: fields.reason("checks.text", check.text)?,
            })
        };
        Ok(Readiness { checks: message.checks.into_iter().map(check).collect::<Result<_, _>>()? })
    }
}

impl Content for Milestone {
    type Message = v1::Milestone;

    fn to_message(&self, header: v1::Header) -> v1::Milestone {
        v1::Milestone { header: Some(header), name: self.name.clone(), note: self.note.clone() }
    }

    fn take_header(message: &mut v1::Milestone) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Milestone, fields: &Fields<'_>) -> Result<Milestone, StatementError> {
        let name = fields.short_text("name", message.name)?;
        if name.trim().is_empty() {
            return Err(fields.error("name", "nothing".to_owned(), "the name of a step"));
        }
        Ok(Milestone { name, note: fields.reason("note", message.note)? })
    }
}
