//! What was verified, for a person: what does not hold first, then each session, then the verdict.

use svdr_cli::output;
use svdr_cli::screens::facts::Remark;
use svdr_cli::screens::heading::{DRILL, Style, all};
use svdr_cli::screens::short;
use svdr_protocol::text::shown;

use super::document::{
    ChainEntry, Checked, Completed, DonationEntry, EquivocationEntry, ProofEntry, ProposalEntry,
    ReceivedDumpEntry, SessionEntry, VerifyDocument,
};

/// Lines that are listed by themselves; of more, only those that do not hold.
const FEW_LINES: usize = 40;

/// The whole report.
pub(super) fn text(document: &VerifyDocument, every_line: bool, style: Style) -> String {
    let mut parts = Vec::new();
    let listed = every_line || document.statements.len() <= FEW_LINES;
    let lines: Vec<&Checked> = document.statements.iter().filter(|one| listed || !one.holds).collect();
    if !lines.is_empty() {
        parts.push(table(&lines));
    }
    parts.extend(document.equivocations.iter().map(|one| equivocation(one, style)));
    parts.extend(
        document
            .forks
            .iter()
            .map(|fork| style.alarm(&format!("CONTRADICTION of a coordinator: {}", fork.what))),
    );
    for session in &document.sessions {
        let chains = document.chains.iter().filter(|chain| chain.session == session.session);
        parts.push(of_session(session, &chains.collect::<Vec<_>>(), style));
    }
    let opened =
        |chain: &&ChainEntry| document.sessions.iter().all(|session| session.session != chain.session);
    let loose: Vec<String> =
        document.chains.iter().filter(opened).map(|chain| of_chain(chain, style)).collect();
    if !loose.is_empty() {
        parts.push(loose.join("\n"));
    }
    parts.push(verdict(document, style));
    parts.join("\n\n")
}

fn table(lines: &[&Checked]) -> String {
    let mut table = output::table(&["statement", "valid", "by", "kind", "says"]);
    for checked in lines {
        let place = format!("{}:{}", checked.path, checked.line);
        let (holds, says) = match (&checked.says, &checked.error) {
            (Some(says), _) => ("yes", says.clone()),
            (None, error) => ("NO", error.clone().unwrap_or_default()),
        };
        let drill = if checked.drill == Some(true) { " (drill)" } else { "" };
        let kind = checked.kind.as_ref().map(|kind| format!("{kind}{drill}")).unwrap_or_default();
        let signer = checked.signer.as_ref().map(ToString::to_string).unwrap_or_default();
        table.add_row([place, holds.to_owned(), signer, kind, says].map(|cell| shown(&cell)));
    }
    table.trim_fmt()
}

fn equivocation(one: &EquivocationEntry, style: Style) -> String {
    let EquivocationEntry { signer, what, first, second } = one;
    let mut text = style.alarm(&format!("EQUIVOCATION: {signer} signed {what}:"));
    for ProofEntry { path, line, digest, says, .. } in [first, second] {
        text += &shown(&format!("\n  {path}:{line} {digest}\n    {says}"));
    }
    text += "\n  The two envelopes are the proof; --output json prints them.";
    text
}

fn of_session(session: &SessionEntry, chains: &[&ChainEntry], style: Style) -> String {
    let mut lines = Vec::new();
    if session.drill {
        lines.push(style.alarm(DRILL));
    }
    lines.push(style.title(&format!(
        "Session {}: {}, {} statements",
        session.session, session.phase, session.statements
    )));
    lines.push(shown(&format!("  opened because: {}", session.reason)));
    lines.extend(session.proposals.iter().map(|one| of_proposal(one, session, style)));
    lines.extend(session.completed.iter().map(|one| of_certificate(one, session)));
    if session.completed.len() > 1 {
        lines.push(
            style.alarm("  COMPLETED TWICE: a member equivocated or released an attestation, see above"),
        );
    }
    lines.extend(session.donations.iter().map(of_donation));
    lines.extend(session.received.iter().map(|one| of_received(one, style)));
    for Remark { by, round, reason } in &session.releases {
        let round = round.unwrap_or_default();
        lines.push(
            style.alarm(&format!("  RELEASE: {by} withdrew its attestation of round {round}: {reason}")),
        );
    }
    for Remark { by, reason, .. } in &session.aborts {
        lines.push(shown(&format!("  abort by {by}: {reason}")));
    }
    lines.extend(chains.iter().map(|chain| of_chain(chain, style)));
    if chains.is_empty() {
        lines.push("  no receipts: no coordinator confirms that these are all statements".to_owned());
    }
    lines.join("\n")
}

fn of_proposal(one: &ProposalEntry, session: &SessionEntry, style: Style) -> String {
    let ProposalEntry { round, proposal, follows, reason, agreed_by, certified } = one;
    let proposal = short(proposal);
    let counted = format!(
        "agreed by {} of {} ({}), {} needed: {}",
        agreed_by.len(),
        session.members,
        all(agreed_by),
        session.threshold,
        if *certified { "an agreement certificate" } else { "no certificate" }
    );
    let reason = reason.as_deref().unwrap_or_default();
    match follows {
        Some(true) => {
            shown(&format!("  round {round}, proposal {proposal}: follows from its evidence, {counted}"))
        }
        None => shown(&format!("  round {round}, proposal {proposal}: not recomputed ({reason}), {counted}")),
        Some(false) => style.alarm(&format!(
            "  round {round}, proposal {proposal}: DOES NOT FOLLOW from its evidence \
                ({reason}), {counted}"
        )),
    }
}

fn of_certificate(one: &Completed, session: &SessionEntry) -> String {
    shown(&format!(
        "  COMPLETION CERTIFICATE{}: round {}, recover to {} as migration {}, attested by {} of {} ({}), {} \
         needed",
        if session.drill { " OF A DRILL" } else { "" },
        one.round,
        one.recovery_timestamp,
        one.migration_id,
        one.attested_by.len(),
        session.members,
        all(&one.attested_by),
        session.threshold
    ))
}

fn of_donation(one: &DonationEntry) -> String {
    let DonationEntry { donor, donation, round, counts, recovery_timestamp, party, size, sha256, url } = one;
    let how = url.as_ref().map_or_else(|| "as a file".to_owned(), |url| format!("at {url}"));
    let counts = if *counts { "" } else { ", does not count" };
    shown(&format!(
        "  donation {} of round {round} by {donor}: {party} at {recovery_timestamp}, {size} bytes, {sha256}, {how}{counts}",
        short(donation)
    ))
}

fn of_received(one: &ReceivedDumpEntry, style: Style) -> String {
    let ReceivedDumpEntry { member, round, from, donation, fits, reason, .. } = one;
    let of =
        format!("received dump of {member} in round {round}, from {from} (donation {})", short(donation));
    let reason = reason.as_deref().unwrap_or_default();
    match fits {
        Some(true) => shown(&format!("  {of}: equal to the donation")),
        None => shown(&format!("  {of}: not compared, because the donation is not in these files")),
        Some(false) => style.alarm(&format!("  {of}: DIFFERS from the donation: {reason}")),
    }
}

fn of_chain(chain: &ChainEntry, style: Style) -> String {
    let ChainEntry { coordinator, journal, session, length, error } = chain;
    let journal = journal.as_ref().map_or_else(String::new, |journal| format!(", journal {journal}"));
    match error {
        None => shown(&format!(
            "  coordinator {coordinator}{journal}: {length} statements of session {session} in one chain without gaps"
        )),
        Some(error) => style.alarm(&format!(
            "  coordinator {coordinator}{journal}: BROKEN after {length} statements: {error}"
        )),
    }
}

fn verdict(document: &VerifyDocument, style: Style) -> String {
    let statements = document.statements.len();
    match document.holds {
        true => style.title(&format!(
            "Everything is valid. Statements: {statements}, receipts: {}.",
            document.receipts
        )),
        false => style.alarm(&format!("NOT EVERYTHING IS VALID: {}.", document.findings().join(", "))),
    }
}
