//! The proposal beside the agent's own recomputation: what an operator reads before agreeing.
//!
//! Each value of the proposal is shown beside the value that this agent computes, by the same rule, from the signed
//! evidence that the proposal names.

use crate::output::comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use crate::screens::facts::SessionFacts;
use crate::screens::heading::{Style, all, heading};
use crate::screens::{lost, plan, short, steps};
use serde::Serialize;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::Told;
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::document::ProposalDocument;
use svdr_protocol::plan::dump::{Outcome, Parameters, propose};
use svdr_protocol::session::Session;
use svdr_protocol::span;
use svdr_protocol::statement::{Body, CandidateSummary, Proposal};
use svdr_protocol::text::shown;

/// A proposal, and what follows from its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Review {
    /// The session, as every screen shows it.
    pub session: SessionFacts,
    /// The proposal's digest.
    pub proposal: Digest,
    /// Whether the proposal is what follows from the evidence it names.
    pub confirmed: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Each value of the proposal beside the one that was computed here.
    pub values: Vec<Value>,
    /// All that was computed; `null` where the rule refuses the evidence or the parameters.
    pub recomputed: Option<ProposalDocument>,
    /// The parameters, for people.
    pub parameters: Vec<String>,
    /// Members whose evidence it was computed from.
    pub evidence_of: Vec<MemberName>,
    /// Members whose evidence counts now, and is not what the proposal was computed from.
    pub newer_evidence_of: Vec<MemberName>,
    /// Whether this member is covered.
    pub covered: bool,
}

/// One value of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    /// What it is.
    pub what: &'static str,
    /// What the proposal says.
    pub proposed: String,
    /// What follows from its evidence; `null` where nothing does.
    pub computed: Option<String>,
    /// Whether the two are the same.
    pub same: bool,
}

impl Review {
    /// Computes `proposal`, which has that `digest`, again for the member `me`.
    pub fn of(session: &Session, digest: Digest, proposal: &Proposal, me: &MemberName) -> Review {
        let named = proposal.evidence.iter().filter_map(|digest| session.statement(digest));
        let mut named: Vec<_> = named.collect();
        named.sort_by(|one, other| one.signer().cmp(other.signer()));
        let evidence = named.iter().filter_map(|one| match one.body() {
            Body::Evidence(evidence) => Some(evidence),
            _ => None,
        });
        let confirmed = session.recompute(proposal);
        // Also for an unconfirmed proposal, because the operator must see what differs.
        let outcome = match &confirmed {
            Ok(outcome) => Some(outcome.clone()),
            Err(_) => propose(session.roster(), evidence, &proposal.parameters).ok(),
        };
        let counted = session.evidence();
        let newer = counted.iter().filter(|(_, one)| !proposal.evidence.contains(&one.digest()));
        Review {
            session: SessionFacts::of(session),
            proposal: digest,
            confirmed: confirmed.is_ok(),
            reason: confirmed.err().map(|error| Told::of(&error).in_one_line()),
            values: values(session, proposal, outcome.as_ref()),
            recomputed: outcome.as_ref().map(ProposalDocument::from),
            parameters: parameters(&proposal.parameters, session),
            evidence_of: named.iter().map(|one| one.signer().clone()).collect(),
            newer_evidence_of: newer.map(|(member, _)| (*member).clone()).collect(),
            covered: proposal.candidate.covered.contains(me),
        }
    }
}

fn values(session: &Session, proposal: &Proposal, outcome: Option<&Outcome>) -> Vec<Value> {
    let chosen = outcome.and_then(Outcome::chosen);
    let computed = chosen.map(CandidateSummary::from);
    let at = chosen.map(|chosen| chosen.recovery_timestamp.to_string());
    let of =
        |value: fn(&CandidateSummary) -> String| (value(&proposal.candidate), computed.as_ref().map(value));
    let names =
        |names: &std::collections::BTreeSet<MemberName>| all(&names.iter().cloned().collect::<Vec<_>>());
    let covered = (names(&proposal.candidate.covered), computed.as_ref().map(|one| names(&one.covered)));
    let left = (names(&proposal.candidate.left_behind), computed.as_ref().map(|one| names(&one.left_behind)));
    let migration = proposal.plan.migration_id().to_string();
    let pairs = [
        ("recovery timestamp", (proposal.plan.recovery_timestamp().to_string(), at)),
        ("migration id", (migration, Some(session.opening().migration_id.to_string()))),
        ("tick", of(|one| one.tick.to_string())),
        ("covered", covered),
        ("left behind", left),
        ("history lost", of(|one| lost(one.history_lost_seconds))),
        ("bracketed", of(|one| if one.bracketed { "yes" } else { "NO" }.to_owned())),
    ];
    pairs
        .into_iter()
        .map(|(what, (proposed, computed))| {
            let same = computed.as_ref() == Some(&proposed);
            Value { what, proposed, computed, same }
        })
        .collect()
}

/// The parameters, marked if they differ from those of the session.
fn parameters(parameters: &Parameters, session: &Session) -> Vec<String> {
    let Parameters { margin, threshold, not_before, not_after, excluded, vouched } = parameters;
    let own = session.parameters();
    let noted = |differs: bool| if differs { " (differs from the session)" } else { "" };
    let mut lines = vec![
        format!("margin {}{}", span::print(margin.as_secs()), noted(*margin != own.margin)),
        format!("threshold {threshold}{}", noted(*threshold != own.threshold)),
    ];
    lines.extend(not_before.map(|at| format!("not before {at}")));
    lines.extend(not_after.map(|at| format!("not after {at}")));
    let names =
        |names: &std::collections::BTreeSet<MemberName>| all(&names.iter().cloned().collect::<Vec<_>>());
    if !excluded.is_empty() {
        lines.push(format!("excluded by the convener: {}", names(excluded)));
    }
    if !vouched.is_empty() {
        lines.push(format!("vouched for, without logs: {}", names(vouched)));
    }
    lines
}

/// The whole review as text.
pub fn review(review: &Review, me: &MemberName, style: Style) -> String {
    let facts = &review.session;
    let mut parts = vec![heading(facts, style)];
    parts.extend(plan::plan(facts));
    parts.push(verdict(review, style));
    parts.push(comparison(review, style));
    parts.extend(left_behind(review));
    if !review.covered {
        parts.push(style.alarm(&format!(
            "This proposal leaves {me} BEHIND: {me} will need the data snapshot of another member."
        )));
    }
    parts.push(shown(&basis(review)));
    parts.extend(candidates(review));
    parts.push(steps::steps(facts, Some(me), style));
    parts.extend(plan::way_round(facts));
    parts.join("\n\n")
}

fn verdict(review: &Review, style: Style) -> String {
    let digest = short(&review.proposal);
    match &review.reason {
        None => style.title(&format!(
            "CONFIRMED: this agent computes the same from the signed evidence of {} members that proposal {digest} names.",
            review.evidence_of.len()
        )),
        Some(reason) => style.alarm(&format!("NOT CONFIRMED. Do not agree to proposal {digest}: {reason}")),
    }
}

fn comparison(review: &Review, style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width);
    table.set_header(["", "proposed", "computed here", ""]);
    for value in &review.values {
        let computed = value.computed.clone().unwrap_or_else(|| "nothing".to_owned());
        let same = if value.same { "same" } else { "DIFFERS" };
        table.add_row(
            [value.what.to_owned(), value.proposed.clone(), computed, same.to_owned()]
                .map(|cell| shown(&cell)),
        );
    }
    for at in [0, 3] {
        if let Some(column) = table.column_mut(at) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
}

/// Who is left behind and why, by this agent's own computation.
fn left_behind(review: &Review) -> Option<String> {
    let recomputed = review.recomputed.as_ref()?;
    let chosen = recomputed.candidates.get(recomputed.chosen?)?;
    if chosen.left_behind.is_empty() {
        return None;
    }
    let reasons: Vec<String> =
        chosen.left_behind.iter().map(|left| format!("\n  {}: {}", left.member, left.reason)).collect();
    Some(shown(&format!("Left behind, with reasons:{}", reasons.concat())))
}

fn basis(review: &Review) -> String {
    let mut text = format!(
        "Computed from the evidence of {}, with {}.",
        all(&review.evidence_of),
        review.parameters.join(", ")
    );
    if !review.newer_evidence_of.is_empty() {
        text += &format!(
            "\nNewer evidence of {} does not count in this proposal. It will count in the next one.",
            all(&review.newer_evidence_of)
        );
    }
    if let Some(recomputed) = &review.recomputed {
        text +=
            &recomputed.warnings.iter().map(|warning| format!("\nwarning: {warning}")).collect::<String>();
    }
    text
}

/// The candidates: the choice and its alternatives, each with its cost.
fn candidates(review: &Review) -> Option<String> {
    let recomputed = review.recomputed.as_ref().filter(|one| one.candidates.len() > 1)?;
    let mut text = "All candidates:".to_owned();
    for (at, candidate) in recomputed.candidates.iter().enumerate() {
        let mark = if recomputed.chosen == Some(at) { "=>" } else { "  " };
        let left: Vec<MemberName> = candidate.left_behind.iter().map(|left| left.member.clone()).collect();
        text += &format!(
            "\n{mark} {}: {} covered, {} of history lost, left behind: {}",
            candidate.recovery_timestamp,
            candidate.covered.len(),
            lost(candidate.history_lost_seconds),
            all(&left)
        );
    }
    Some(shown(&text))
}
