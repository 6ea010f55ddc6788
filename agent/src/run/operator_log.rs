//! What the operator is told, once each: a line of the log when something changes, and none while it stays.

use std::collections::HashSet;

use svdr_cli::screens::facts::SessionFacts;
use svdr_client::hand_on::MAX_JOURNALS_AN_HOUR;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::in_one_line;
use svdr_protocol::names::MemberName;
use svdr_protocol::receipt::JournalId;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::Body;

use super::courier::Event;
use super::decide::AskReason;

/// Remembers what was said.
#[derive(Debug, Default)]
pub(super) struct OperatorLog {
    /// The coordinator that is talked to, as far as has been said.
    connected: Option<String>,
    phase: Option<Phase>,
    waiting: Vec<String>,
    warned: HashSet<String>,
    asked: HashSet<(Digest, String)>,
    equivocators: HashSet<MemberName>,
    trouble: Option<String>,
    bounds: Option<String>,
    donations: HashSet<Digest>,
}

impl OperatorLog {
    pub(super) fn joined(&self, session: &Session) {
        let (id, reason) = (session.id(), svdr_protocol::text::shown(&session.opening().reason));
        let by = session.opened().signer();
        if session.drill() {
            tracing::info!("DRILL: joined session {id}, opened by {by}: {reason}");
        } else {
            tracing::info!("joined session {id}, opened by {by}: {reason}");
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Connected { url } => {
                self.trouble = None;
                // A session is chosen over one connection, and followed over another.
                if self.connected.as_ref() != Some(url) {
                    tracing::info!("connected to {url}");
                    self.connected = Some(url.clone());
                }
            }
            Event::Trouble { error, pause } => {
                self.connected = None;
                let text = in_one_line(error);
                if self.trouble.as_ref() != Some(&text) {
                    tracing::warn!("{text}. Retrying in {} s", pause.as_secs());
                    self.trouble = Some(text);
                }
            }
            Event::Refused { statement, error } => {
                tracing::warn!("the statement {statement} is not accepted: {}", in_one_line(error));
            }
            Event::NewJournal { url, journal, is_given } => {
                tracing::warn!("{}", new_journal(url, *journal, *is_given));
            }
            Event::Struck(error) => {
                self.connected = None;
                tracing::error!("a coordinator is no longer trusted: {}", in_one_line(error));
            }
            Event::Received { .. } | Event::CaughtUp | Event::Acknowledged(_) | Event::Over(_) => {}
        }
    }

    pub(super) fn phase(&mut self, session: &Session) {
        let phase = session.phase();
        if self.phase != Some(phase) {
            tracing::info!("{phase}{}", plan(session, phase));
            self.phase = Some(phase);
            self.waiting.clear();
        }
    }

    /// Who contradicts itself, once each: the screens show all that it signed.
    pub(super) fn equivocations(&mut self, session: &Session) {
        for one in session.equivocations() {
            if self.equivocators.insert(one.signer.clone()) {
                tracing::error!("EQUIVOCATION: {one}. Its statements there do not count. Call the member");
            }
        }
    }

    /// All that is waited for now, or stands in the way.
    pub(super) fn waiting(&mut self, texts: Vec<String>) {
        for text in texts.iter().filter(|text| !self.waiting.contains(text)) {
            tracing::info!("{text}");
        }
        self.waiting = texts;
    }

    /// A proposal that must not be agreed to.
    pub(super) fn warn(&mut self, text: String) {
        if !self.warned.contains(&text) {
            tracing::warn!("{text}");
            self.warned.insert(text);
        }
    }

    pub(super) fn ask(&mut self, session: &Session, round: u32, proposal: &Digest, reason: AskReason) {
        if self.asked.insert((*proposal, reason.to_string())) {
            let id = session.id();
            tracing::warn!(
                "round {round} waits for this SV's operator ({reason}){}. Run `svdr-agent review {id}`, then \
                 `svdr-agent agree {id}` or `svdr-agent reject {id} --reason TEXT`",
                plan(session, Phase::Proposed(round))
            );
        }
    }

    /// Whose snapshot this member could take, where its own SV app cannot make the dump or the round leaves it behind. A
    /// person decides; the agent takes none by itself.
    pub(super) fn donations(&mut self, session: &Session, me: &MemberName) {
        let round = svdr_cli::screens::shown_round(session);
        let proposal = round.and_then(|round| svdr_cli::screens::shown_proposal(session, round));
        let (Some(round), Some((proposal, _))) = (round, proposal) else { return };
        let donations = session.donations(round, &proposal.digest());
        if donations.values().all(|(digest, _)| self.donations.contains(digest)) {
            return;
        }
        let facts = SessionFacts::of(session);
        let Some(own) = facts.member(me) else { return };
        let lacks = match own.dump {
            Some("pruned" | "behind") => true,
            None => own.role == Some("left_behind"),
            _ => false,
        };
        for one in facts.donations.iter().filter(|one| lacks && one.donor != *me) {
            if self.donations.insert(one.digest) {
                tracing::warn!(
                    "{} donates its snapshot of {} ({}). This SV can make its dump from that snapshot: \
                     `svdr-agent receive {} --from {}`",
                    one.donor,
                    one.recovery_timestamp,
                    svdr_cli::screens::size(one.size),
                    session.id(),
                    svdr_cli::screens::quoted(&one.donor)
                );
            }
        }
    }

    /// What a convener could do about SV apps that cannot make the dump.
    pub(super) fn bounds(&mut self, session: &Session) {
        let facts = SessionFacts::of(session);
        let Some(bounds) = facts.bounds else { return };
        let id = session.id();
        let text = match (bounds.would_choose, bounds.command) {
            (Some(at), Some(command)) => {
                format!("{at} suits every SV app that was asked. A convener can run `{command}`")
            }
            (None, Some(command)) => format!(
                "no proposal suits every SV app that was asked: {}. A convener can start with `{command}`",
                bounds.would_fail.unwrap_or_default()
            ),
            (_, None) => format!(
                "no timestamp suits every SV app that was asked. A convener must exclude a member: \
                 `svdr-coordinator session propose {id} --exclude NAME`"
            ),
        };
        if self.bounds.as_ref() != Some(&text) {
            tracing::warn!("{text}");
            self.bounds = Some(text);
        }
    }
}

/// That a coordinator has forgotten what it had.
fn new_journal(url: &str, journal: Option<JournalId>, is_given: bool) -> String {
    let text = svdr_cli::screens::coordinators::new_journal(url, journal);
    if is_given {
        format!("{text}. This agent hands over what it has")
    } else {
        format!(
            "{text}. Its key has had {MAX_JOURNALS_AN_HOUR} journals within an hour, so this agent hands over only what this \
             member signed"
        )
    }
}

/// What the first proposal of the phase's round is about.
fn plan(session: &Session, phase: Phase) -> String {
    let round = match phase {
        Phase::Proposed(round)
        | Phase::Agreed(round)
        | Phase::Recovering(round)
        | Phase::Completed(round)
        | Phase::Verified(round) => round,
        Phase::Gathering | Phase::Aborted => return String::new(),
    };
    let Some(Body::Proposal(proposal)) = session.proposals(round).next().map(|one| one.body()) else {
        return String::new();
    };
    let members = session.roster().members().len();
    format!(
        ": back to {} ({} of history lost) with {} of {members} members",
        proposal.plan.recovery_timestamp(),
        svdr_cli::screens::lost(proposal.candidate.history_lost_seconds),
        proposal.candidate.covered.len()
    )
}
