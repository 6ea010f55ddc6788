//! A recovery session as people see it: pure functions from a [`Session`] to facts and to text.
//!
//! Both programs show sessions, so this is here: [`facts`] is what there is to know, as one JSON document;
//! [`heading`] what stands at the top of every screen; [`plan`] what is proposed; [`steps`] the table of members and steps; [`waiting`] what
//! is waited for, and from whom; [`coordinators`] who carries it all; [`live`] redraws a screen while it changes. [`choice`] tells which session is meant.
//!
//! Whatever a session holds was written by others, so text passes through [`shown`](svdr_protocol::text::shown) before it
//! is returned. Every screen begins with what must not be missed: dumps that differ where they must not, that the
//! session is a drill, who contradicted itself, who took an attestation back, which coordinator forgot, and that a
//! convener ended it.
//!
//! [`Session`]: svdr_protocol::session::Session

pub mod choice;
pub mod coordinators;
pub mod facts;
pub mod heading;
pub mod live;
pub mod operator;
pub mod plan;
pub mod runbook;
pub mod steps;
pub mod waiting;

#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use svdr_protocol::names::MemberName;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{Body, Proposal, Verified};

/// The whole screen about a session but its last lines, which are for whoever looks: what `session show` prints,
/// and `session watch` draws. `me` is the member whose screen it is, if any.
pub fn screen(facts: &facts::SessionFacts, me: Option<&MemberName>, style: heading::Style) -> String {
    let mut parts = vec![heading::heading(facts, style)];
    parts.extend(plan::plan(facts));
    parts.push(steps::steps(facts, me, style));
    parts.extend(runbook::milestones(facts, me, style));
    parts.extend(runbook::restored(facts, style));
    parts.extend(plan::way_round(facts));
    parts.push(svdr_protocol::text::shown(&format!("Waits for {}.", facts.waits_for)));
    parts.join("\n\n")
}

/// Characters of an id that people compare: of sessions and digests, 48 bits.
pub const SHORT_ID_LEN: usize = 12;

/// The round that a screen is about: the one that the phase names, or the latest of a session that was ended.
/// `None` before the first proposal.
pub fn shown_round(session: &Session) -> Option<u32> {
    match session.phase() {
        Phase::Gathering => None,
        Phase::Proposed(round)
        | Phase::Agreed(round)
        | Phase::Recovering(round)
        | Phase::Completed(round)
        | Phase::Verified(round) => Some(round),
        Phase::Aborted => Some(session.latest_round()).filter(|round| *round > 0),
    }
}

/// The proposal of a round that a screen is about: the one that enough members agreed to; else the one that most
/// did; of equal ones the first in the order of [`Session::proposals`].
pub fn shown_proposal(session: &Session, round: u32) -> Option<(&Arc<Verified>, &Proposal)> {
    let mut best: Option<(usize, &Arc<Verified>)> = None;
    for proposal in session.proposals(round) {
        let agreed = session.agreements(round, &proposal.digest()).len();
        if best.is_none_or(|(most, _)| agreed > most) {
            best = Some((agreed, proposal));
        }
    }
    let (_, proposal) = best?;
    match proposal.body() {
        Body::Proposal(content) => Some((proposal, content)),
        _ => None,
    }
}

/// The beginning of an id or of a digest's hexadecimal digits.
pub fn short(id: &impl ToString) -> String {
    let text = id.to_string();
    let digits = text.strip_prefix("sha256:").unwrap_or(&text);
    digits.chars().take(SHORT_ID_LEN).collect()
}

/// A name as a shell takes it.
pub fn quoted(name: &MemberName) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.as_str().bytes().all(plain) {
        name.to_string()
    } else {
        format!("'{}'", name.as_str().replace('\'', r"'\''"))
    }
}

/// A number of bytes in the unit that people compare sizes in.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes;
    let mut unit = 0;
    // One unit below, so that a digit after the point is left.
    while value >= 1_000_000 && unit + 1 < UNITS.len() {
        value /= 1000;
        unit += 1;
    }
    let [whole, tenth] = [value / 1000, value % 1000 / 100];
    format!("{whole}.{tenth} {}", UNITS.get(unit).copied().unwrap_or_default())
}

/// A span of history in human units.
pub fn lost(seconds: i64) -> String {
    // The newest matched tick is never before the recovery timestamp.
    svdr_protocol::span::print(seconds.unsigned_abs())
}
