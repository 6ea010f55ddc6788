//! What happened in a session, in words, as one tells it the next day.

use svdr_cli::screens::lost;
use svdr_protocol::plan::dump::LeftBehind;
use svdr_protocol::statement::Proposal;

use super::super::options::Mismatch;
use super::super::receiving::Received;
use super::super::session::Held;
use super::Completed;

impl Completed<'_> {
    /// A paragraph each.
    pub(super) fn account(&self, held: &Held) -> Vec<String> {
        let mut told = vec![self.session(held)];
        told.extend(self.mismatch());
        told.extend(self.stuck());
        if self.network.large {
            told.push(
                "The SV apps wrote their dumps into their own volumes: the dump, and each large payload in a file beside \
                 it. The agents took them from there."
                    .to_owned(),
            );
        }
        if let Some(place) = self.network.story.vouched() {
            told.push(format!(
                "{}'s logs are lost. What the others had seen of it replaced its evidence.",
                self.network.name(place)
            ));
        }
        told.extend(self.pruned());
        told.extend(self.left_behind.iter().map(|left| self.left_behind(left, held)));
        if held.outages > 0 {
            told.push(format!("{} things went wrong on purpose meanwhile.", held.outages));
        }
        told
    }

    fn session(&self, held: &Held) -> String {
        let Proposal { candidate, plan, .. } = self.proposal;
        let attested = self.session.attestations(self.round, &self.digest).len();
        format!(
            "Session {} was completed in round {}: back to {}, {} of {} SVs together, {} of history lost. {attested} \
             dumps were made and attested; {} were needed. The same SVs delivered their dumps and agree with each other on \
             the new synchronizer: the session is verified.",
            held.session,
            self.round,
            plan.recovery_timestamp(),
            candidate.covered.len(),
            self.network.svs.len(),
            lost(candidate.history_lost_seconds),
            self.network.story.threshold()
        )
    }

    fn mismatch(&self) -> Option<String> {
        let story = &self.network.story;
        let ([one, other], until) = story.mismatch()?;
        let [one, other] = [one, other].map(|place| self.network.name(place));
        let until = match until {
            Mismatch::Healed => "and agreed again a minute later",
            Mismatch::Standing => "and never again",
        };
        let left_behind = &self.proposal.candidate.left_behind;
        let became = match left_behind.iter().any(|left| left.as_str() == other) {
            true => {
                "A time before that would have cost the others more history, so one of the two is left behind."
            }
            false => "The network goes back to a time at which they agree.",
        };
        Some(format!("{one} and {other} did not agree at {}, {until}. {became}", story.mismatch_at()?))
    }

    fn stuck(&self) -> Option<String> {
        let stuck: Vec<usize> = self.network.story.lagging().collect();
        let participants = match stuck.len() {
            0 => return None,
            1 => "participant",
            _ => "participants",
        };
        let names = self.network.names(&stuck).join(", ");
        Some(format!("The {participants} of {names} got stuck at {}.", self.network.story.stuck_at()?))
    }

    fn pruned(&self) -> Option<String> {
        let story = &self.network.story;
        if story.pruned().is_empty() {
            return None;
        }
        Some(format!(
            "The SV apps of {} serve nothing before {}, so round 1 could not be completed. They reported that. The convener \
             proposed round {} within the bounds that suit all (margin {}). Those who had attested the round before moved on \
             once enough others had abandoned it.",
            self.network.names(story.pruned()).join(", "),
            story.pruned_until()?,
            self.round,
            svdr_protocol::span::print(self.proposal.parameters.margin.as_secs())
        ))
    }

    fn left_behind(&self, left: &LeftBehind, held: &Held) -> String {
        let LeftBehind { member, reason } = left;
        let received = held.received.iter().find(|one| self.network.name(one.sv) == member.as_str());
        match received {
            Some(Received { donor, size, torn, .. }) => format!(
                "{member} is left behind: {reason}. It received the DSO party's snapshot ({}) that {donor} donated{}, \
                 checked it against what {donor} had signed, and merged it with its own node identities.",
                svdr_cli::screens::size(*size),
                if *torn { " over a connection that was cut in the middle" } else { "" },
            ),
            None => format!(
                "{member} is left behind: {reason}. It can still recover: a covered SV donates the DSO party's snapshot \
                 (svdr-agent donate), and {member} makes its dump of it (svdr-agent receive). --left-behind 1 shows that."
            ),
        }
    }
}
