//! Makes up what a participant logs while it works: commitments at every tick, and everything else between.

use super::entry::{Entry, Level, Period};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What became of one sender's commitment at one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was equal.
    Match,
    /// It differed.
    Mismatch,
    /// It did not arrive.
    Silence,
}

/// A participant at work.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The same seed makes the same log.
    pub seed: u64,
    /// The participant whose log it is, in full.
    pub own: String,
    /// Full id of the synchronizer.
    pub synchronizer: String,
    /// Those who send commitments, in full.
    pub senders: Vec<String>,
    /// The start, in microseconds since the Unix epoch; ticks are multiples of the interval.
    pub start: i64,
    /// The reconciliation interval, in seconds.
    pub interval_seconds: i64,
    /// How many ticks.
    pub ticks: usize,
    /// Other lines for each line about a commitment.
    pub chatter: usize,
}

/// Pseudo-random numbers (splitmix64): enough to make logs look alive.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A number below `below`, which is not zero.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below.max(1)
    }

    /// A trace id.
    pub fn trace(&mut self) -> String {
        format!("{:016x}{:016x}", self.roll(u64::MAX), self.roll(u64::MAX))
    }
}

impl Traffic {
    /// Calls `each` with the entries in order of time; `outcome` decides what becomes of the sender (by its place)
    /// at the tick (microseconds).
    ///
    /// # Errors
    /// The first that `each` gives.
    pub fn entries<E>(
        &self,
        mut outcome: impl FnMut(usize, i64) -> Outcome,
        mut each: impl FnMut(&Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut dice = Dice::new(self.seed);
        let interval = self.interval_seconds.max(1) * MICROS_PER_SECOND;
        let first = self.start.div_euclid(interval) * interval + interval;
        let lines = self.senders.len() * 2 * (self.chatter + 1) + 1;
        // All lines of a tick within its interval, in whole milliseconds.
        let pace = (interval / 1000 * 9 / 10 / i64::try_from(lines).unwrap_or(i64::MAX).max(1)).max(0) * 1000;
        for nth in 0..self.ticks {
            let tick = first + i64::try_from(nth).unwrap_or(0) * interval;
            let period = Period { from: tick - interval, to: tick };
            let mut at = tick + 40_000;
            let trace = dice.trace();
            each(&Entry::computed(at, &self.synchronizer, &trace, self.senders.len(), period))?;
            for (place, sender) in self.senders.iter().enumerate() {
                let trace = dice.trace();
                let outcome = outcome(place, tick);
                for step in 0..2 {
                    for _ in 0..self.chatter {
                        at += pace;
                        each(&chatter(at, &mut dice))?;
                    }
                    at += pace;
                    let (synchronizer, own) = (&self.synchronizer, &self.own);
                    match (step, outcome) {
                        (_, Outcome::Silence) => {}
                        (0, _) => each(&Entry::checking(at, synchronizer, &trace, sender, period))?,
                        (_, Outcome::Match) => {
                            each(&Entry::matched(at, synchronizer, &trace, sender, period))?
                        }
                        (_, Outcome::Mismatch) => {
                            each(&Entry::mismatched(at, synchronizer, &trace, sender, own, period))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// A line that has nothing to do with commitments.
fn chatter(at: i64, dice: &mut Dice) -> Entry {
    let (logger, message) = match dice.roll(6) {
        0 => (
            "c.d.c.p.a.s.c.CommandSubmissionServiceImpl:participant=participant",
            format!(
                "Phase 1 started: Submitting commands for interpretation: Commands(commandId -> cmd-{}, submittedAt -> \
                 2026-04-21T23:25:07.123Z, actAs -> [user-{}::1220{:060x}], deduplicationPeriod -> 24h).",
                dice.roll(1_000_000),
                dice.roll(10_000),
                dice.roll(u64::MAX)
            ),
        ),
        1 => (
            "c.d.c.s.c.SequencerClientImpl:participant=participant/psid=global-domain::1220be58c29e::34-0",
            format!(
                "Processing event batch of {} events, the latest with counter {}",
                dice.roll(50),
                dice.roll(1 << 40)
            ),
        ),
        2 => (
            "c.d.c.p.p.TransactionProcessor:participant=participant/psid=global-domain::1220be58c29e::34-0",
            format!(
                "Phase 7: Committing transaction for request RequestId(2026-04-21T23:25:{:02}.{:06}Z) with verdict Approve",
                dice.roll(60),
                dice.roll(1_000_000)
            ),
        ),
        3 => (
            "c.d.c.n.g.ApiRequestLogger:participant=participant",
            format!(
                "Request c.d.l.a.v2.StateService/GetActiveContracts by /10.0.{}.{}:{}: received a message {{ filter: \
                 {{ filtersByParty: 1 }}, activeAtOffset: {} }}",
                dice.roll(256),
                dice.roll(256),
                dice.roll(65_536),
                dice.roll(1 << 32)
            ),
        ),
        4 => (
            "c.d.c.p.i.ParallelIndexerSubscription:participant=participant",
            format!(
                "Storing at offset {} with {} transaction log entries",
                dice.roll(1 << 40),
                dice.roll(400)
            ),
        ),
        _ => (
            "c.d.c.t.s.q.TopologyStateProcessor:participant=participant",
            format!(
                "Enqueuing topology transactions with effective time {} and {} changes",
                dice.roll(1 << 50),
                dice.roll(9)
            ),
        ),
    };
    Entry {
        at,
        level: if dice.roll(4) == 0 { Level::Debug } else { Level::Info },
        thread: format!("canton-env-ec-{}", dice.roll(64)),
        logger: logger.to_owned(),
        trace: Some(dice.trace()),
        message,
        context: None,
    }
}
