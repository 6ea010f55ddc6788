//! The proposal, in words to read aloud, and what a convener can do if SV apps cannot make its dump.

use super::facts::{BoundsFacts, HeldRound, ProposalFacts, SessionFacts};
use super::heading::all;
use super::{lost, short};
use svdr_protocol::text::shown;

/// The proposal of the round; `None` before the first one.
pub fn plan(facts: &SessionFacts) -> Option<String> {
    let proposal = facts.proposal.as_ref()?;
    let ProposalFacts { digest, by, covered, left_behind, .. } = proposal;
    let by = if proposal.by_member {
        by.to_string()
    } else {
        format!("the coordinator {}, as {by}", proposal.key)
    };
    let round = facts.round.unwrap_or_default();
    let mut text = format!(
        "Recover to {} as migration {}, losing {} of history.\n\
         Covered: {}. Left behind: {}.{}\n\
         Proposal {} of round {round}, by {by}.",
        proposal.recovery_timestamp,
        proposal.migration_id,
        lost(proposal.history_lost_seconds),
        all(covered),
        all(left_behind),
        if proposal.bracketed {
            ""
        } else {
            " NOT BRACKETED: at least one covered pair has no match at or before that time."
        },
        short(digest),
    );
    if !proposal.others.is_empty() {
        let others: Vec<String> = proposal.others.iter().map(short).collect();
        text += &format!("\nOther proposals of this round: {}.", others.join(", "));
    }
    for HeldRound { round, attested_by, abandoned_by, needed } in &facts.held {
        text += &format!(
            "\nRound {round} is still attested by {}. They can agree to another round after {needed} members have \
             abandoned round {round} (so far: {}).",
            all(attested_by),
            all(abandoned_by)
        );
    }
    Some(shown(&text))
}

/// What a convener can do if SV apps cannot make the dump. `None` if all can, and after the session has ended.
pub fn way_round(facts: &SessionFacts) -> Option<String> {
    let bounds =
        facts.bounds.as_ref().filter(|_| !matches!(facts.phase, "completed" | "verified" | "aborted"))?;
    let BoundsFacts { pruned, behind, .. } = bounds;
    let mut text = String::new();
    if let (Some(at), false) = (bounds.not_before, pruned.is_empty()) {
        text += &format!(
            "The SV app of {} cannot serve a time before {at}: its participant is pruned.\n",
            all(pruned)
        );
    }
    if let (Some(at), false) = (bounds.not_after, behind.is_empty()) {
        text += &format!(
            "The SV app of {} cannot serve a time after {at} yet: it has not caught up.\n",
            all(behind)
        );
    }
    if bounds.empty {
        text += "No time suits all SV apps. A convener must exclude some of these SVs with --exclude, or wait until \
                 the others have caught up.";
        return Some(shown(&text));
    }
    match (&bounds.would_choose, bounds.shorter_margin_seconds, &bounds.would_fail) {
        (Some(at), None, _) => {
            text += &format!("Within these bounds the rule chooses {at}. The convener's command:\n");
        }
        (Some(at), Some(margin), _) => {
            text += &format!(
                "Within these bounds the rule chooses {at}, with a shorter margin of {}: less time between the recovery \
                 timestamp and its tick. The convener's command:\n",
                svdr_protocol::span::print(margin)
            );
        }
        (None, _, reason) => {
            let reason = reason.as_deref().unwrap_or("the reason is unknown");
            text += &format!("Within these bounds there is no proposal: {reason}. A convener can try:\n");
        }
    }
    let command = bounds.command.as_deref().unwrap_or_default();
    Some(shown(&format!("{text}  {command}")))
}
