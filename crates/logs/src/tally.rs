//! Counts what is found: the ticks at which members' commitments matched or differed, and what reduces the trust in the
//! count.
//!
//! Everything is a set, so copies of a log count once, in any order. Memory is bounded by the limits of
//! [`crate::limits`], whatever the logs contain.

mod mismatches;
mod ticks;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use svdr_protocol::names::MemberName;
use svdr_protocol::roster::{Member, Roster};
use svdr_protocol::time::{Tick, Timestamp};

use crate::canton::{Commitment, Component, Fact, Message};
use crate::limits::{MAX_OUTSIDE_PARTICIPANTS, MAX_PARTICIPANTS, MAX_TICK_RUNS, MAX_WARNINGS_OF_A_KIND};

pub(crate) use mismatches::{Checks, Pending};
pub(crate) use ticks::TickSet;

/// What is known of one participant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) matches: TickSet,
    pub(crate) mismatches: TickSet,
}

/// The sender of a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// The participant whose logs these are.
    Own,
    /// The roster's member at this place.
    Member(usize),
}

/// What has been counted so far.
pub(crate) struct Tally {
    senders: HashMap<String, Sender>,
    synchronizer: String,
    /// The participant whose lines count, if one was chosen.
    chosen: Option<String>,
    not_before: Timestamp,
    /// By the place in the roster.
    pub(crate) members: Vec<Seen>,
    /// Matches of participants that are not in the roster. Their mismatches concern nobody here and are not kept.
    outside: HashMap<String, TickSet>,
    runs: usize,
    /// Whether ticks of members had to be skipped.
    pub(crate) members_full: bool,
    /// Matches of participants that could no longer be distinguished.
    pub(crate) outside_overflow: u64,
    /// Whether a counted line names the roster's synchronizer.
    pub(crate) synchronizer_seen: bool,
    /// Lines of other synchronizers, by their short names.
    pub(crate) other_synchronizers: BTreeMap<String, u64>,
    pub(crate) other_synchronizer_lines: u64,
    /// Counted lines that name no synchronizer.
    pub(crate) without_synchronizer: u64,
    /// The participants whose components wrote about the roster's synchronizer, as loggers name them.
    pub(crate) participants: BTreeSet<String>,
    /// Lines that name no participant, if one was chosen.
    pub(crate) not_of_chosen: u64,
    /// Lines of the processor that name the member's own participant as the sender, which its own logs never do.
    pub(crate) own_lines: u64,
    /// The participants that wrote them.
    pub(crate) receivers: BTreeSet<String>,
    /// The oldest tick that the component of Canton 3.6 compared, if it compared any.
    pub(crate) first_of_matcher: Option<Tick>,
    /// Lines that say that a commitment is neither equal nor different.
    pub(crate) alarms: u64,
    pub(crate) pending: Pending,
    pub(crate) newest: Option<Tick>,
}

impl Tally {
    /// Counts for `member`. Ticks before `not_before` are skipped.
    pub(crate) fn new(
        roster: &Roster,
        member: &MemberName,
        chosen: Option<&str>,
        not_before: Timestamp,
    ) -> Tally {
        let sender = |(place, other): (usize, &Member)| {
            let short = other.participant.in_logs().trim_end_matches("...").to_owned();
            (short, if other.name == *member { Sender::Own } else { Sender::Member(place) })
        };
        Tally {
            senders: roster.members().iter().enumerate().map(sender).collect(),
            synchronizer: roster.synchronizer().short(),
            chosen: chosen.map(str::to_owned),
            not_before,
            members: vec![Seen::default(); roster.members().len()],
            outside: HashMap::new(),
            runs: 0,
            members_full: false,
            outside_overflow: 0,
            synchronizer_seen: false,
            other_synchronizers: BTreeMap::new(),
            other_synchronizer_lines: 0,
            without_synchronizer: 0,
            participants: BTreeSet::new(),
            not_of_chosen: 0,
            own_lines: 0,
            receivers: BTreeSet::new(),
            first_of_matcher: None,
            alarms: 0,
            pending: Pending::default(),
            newest: None,
        }
    }

    /// Counts one message. `checks` remembers what traces were checking, in case the log cannot be read again.
    pub(crate) fn add(&mut self, message: Message, checks: Option<&mut Checks>) {
        if !self.is_ours(&message) {
            return;
        }
        if message.component() == Component::Matcher {
            self.first_of_matcher = [self.first_of_matcher, message.fact.tick()].into_iter().flatten().min();
        }
        let sender_of = |commitment: &Commitment| self.senders.get(&commitment.sender).copied();
        match &message.fact {
            Fact::Checking(commitment) | Fact::Compared(commitment) => {
                if let (Some(checks), Some(trace)) = (checks, &message.trace) {
                    checks.add(trace, commitment);
                }
                return;
            }
            Fact::Match(commitment) => match sender_of(commitment) {
                Some(Sender::Own) => return self.note_own(&message),
                sender => self.observe(sender, commitment, false),
            },
            Fact::Alarm => {
                self.alarms += 1;
                return;
            }
            Fact::Mismatch { remote: Some(commitment), .. } => match sender_of(commitment) {
                Some(Sender::Own) => {
                    // A participant's commitment cannot differ from itself: the line says less than it seems to.
                    self.note_own(&message);
                    self.pending.add(&message);
                }
                sender => {
                    self.pending.attributed(&message);
                    self.observe(sender, commitment, true);
                }
            },
            Fact::Mismatch { remote: None, .. } => self.pending.add(&message),
        }
        match message.synchronizer() {
            Some(_) => self.synchronizer_seen = true,
            None => self.without_synchronizer += 1,
        }
    }

    /// Remembers what a trace was checking, if that may be needed.
    pub(crate) fn add_check(&self, message: &Message, checks: &mut Checks) {
        if let (Fact::Checking(commitment) | Fact::Compared(commitment), Some(trace)) =
            (&message.fact, &message.trace)
            && message.synchronizer().is_none_or(|named| *named == self.synchronizer)
            && self.is_chosen(message)
            && self.pending.waits_for(trace)
        {
            checks.add(trace, commitment);
        }
    }

    /// Notes a line that names our own participant as the sender.
    fn note_own(&mut self, message: &Message) {
        // From protocol version 36 on it is the participant's own broadcast.
        if message.logger.as_ref().is_some_and(|logger| logger.sees_own_broadcasts) {
            return;
        }
        self.own_lines += 1;
        self.receivers.extend(message.participant().map(str::to_owned));
    }

    /// Whether the message is about the roster's synchronizer, or names none, and is of the participant that was chosen.
    fn is_ours(&mut self, message: &Message) -> bool {
        match message.synchronizer() {
            Some(named) if *named != self.synchronizer => {
                self.other_synchronizer_lines +=
                    u64::from(!matches!(message.fact, Fact::Checking(_) | Fact::Compared(_)));
                if self.other_synchronizers.len() < MAX_WARNINGS_OF_A_KIND
                    || self.other_synchronizers.contains_key(named)
                {
                    *self.other_synchronizers.entry(named.to_owned()).or_default() += 1;
                }
                false
            }
            _ => {
                if let Some(name) = message.participant()
                    && !self.participants.contains(name)
                    && self.participants.len() < MAX_PARTICIPANTS
                {
                    self.participants.insert(name.to_owned());
                }
                self.not_of_chosen += u64::from(self.chosen.is_some() && message.participant().is_none());
                self.is_chosen(message)
            }
        }
    }

    /// Whether the message can be of the participant that was chosen. One that names none can only be counted against
    /// it: a mismatch is never dropped.
    fn is_chosen(&self, message: &Message) -> bool {
        match (&self.chosen, message.participant()) {
            (None, _) => true,
            (Some(chosen), Some(name)) => chosen == name,
            (Some(_), None) => matches!(message.fact, Fact::Mismatch { .. }),
        }
    }

    /// Counts a commitment that is not our own.
    fn observe(&mut self, known: Option<Sender>, commitment: &Commitment, differs: bool) {
        let Commitment { sender, tick } = commitment;
        self.newest = self.newest.max(Some(*tick));
        if tick.0 < self.not_before {
            return;
        }
        let full = self.runs >= MAX_TICK_RUNS;
        let ticks = match known {
            Some(Sender::Member(place)) => {
                self.members_full |= full;
                let seen = self.members.get_mut(place);
                seen.map(|seen| if differs { &mut seen.mismatches } else { &mut seen.matches })
            }
            _ if differs => return,
            _ => {
                let has_room = self.outside.len() < MAX_OUTSIDE_PARTICIPANTS;
                match self.outside.get_mut(sender) {
                    None if has_room => Some(self.outside.entry(sender.clone()).or_default()),
                    known => known,
                }
            }
        };
        let Some(ticks) = ticks.filter(|_| !full) else {
            self.outside_overflow += u64::from(!differs);
            return;
        };
        let before = ticks.runs();
        ticks.insert(*tick);
        self.runs = (self.runs + ticks.runs()).saturating_sub(before);
    }

    /// Attributes the mismatches that only their traces can attribute. Returns how many are left.
    pub(crate) fn resolve(&mut self, checks: &Checks) -> u64 {
        let by_hash: HashMap<u64, Sender> =
            self.senders.iter().map(|(name, sender)| (mismatches::hash(name), *sender)).collect();
        let mut unattributed = self.pending.beyond_limit();
        let pending = std::mem::take(&mut self.pending);
        for trace in pending.unattributed() {
            let checked = trace.and_then(|trace| checks.only(trace));
            match checked.map(|(sender, tick)| (by_hash.get(&sender), tick)) {
                None | Some((Some(Sender::Own), _)) => unattributed += 1,
                Some((Some(Sender::Member(place)), tick)) => {
                    self.newest = self.newest.max(Some(tick));
                    if let Some(seen) = self.members.get_mut(*place) {
                        seen.mismatches.insert(tick);
                    }
                }
                // Of a participant outside the roster: attributed, and of no concern here.
                Some((None, _)) => {}
            }
        }
        unattributed
    }

    /// Returns the matches with participants outside the roster from `from` to `to`, and the number of participants.
    pub(crate) fn outside_between(&self, from: Timestamp, to: Timestamp) -> (u64, u64) {
        let counts =
            self.outside.values().map(|ticks| ticks.count_between(from, to)).filter(|count| *count > 0);
        let (matches, participants) =
            counts.fold((0, 0), |(matches, participants), count| (matches + count, participants + 1));
        (matches + self.outside_overflow, participants)
    }

    /// Returns the ticks at which any commitment was compared.
    pub(crate) fn all_ticks(&self, from: Timestamp, to: Timestamp) -> BTreeSet<Tick> {
        let members = self.members.iter().flat_map(|seen| [&seen.matches, &seen.mismatches]);
        members.flat_map(|ticks| ticks.between(from, to)).collect()
    }
}
