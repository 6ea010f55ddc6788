//! What goes wrong in a drill with chaos, and when: all from one seed.

use std::time::Duration;

use crate::sv_app::document::Noise;

use super::network::FAULTS;

/// Events between two acts: at least one, at most so many.
const PACE: u64 = 9;
/// Acts in a drill, after which the session is left in peace to end.
const ACTS: usize = 12;
/// The longest that connections are held up: shorter than what anybody takes for an end.
const LONGEST_HOLD: u64 = 1500;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The agent of the SV at this place is killed and started again.
    KillAgent(usize),
    /// The coordinator or the way to it fails.
    Outage(Outage),
    /// The next snapshot of the SV app at this place goes wrong, with the fault of this number.
    Fault(usize, usize),
}

/// A failure of the coordinator or of the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// The coordinator is killed and started again on its journal.
    Restart,
    /// All connections to the coordinator are cut.
    Cut,
    /// Nothing comes or goes through them for a while.
    Hold(Duration),
}

/// Decides, event by event.
pub(super) struct Chaos {
    noise: Noise,
    left: usize,
    until_next: u64,
}

impl Chaos {
    pub(super) fn new(seed: u64) -> Chaos {
        let mut noise = Noise::new(seed);
        let until_next = 1 + noise.word() % PACE;
        Chaos { noise, left: ACTS, until_next }
    }

    /// What goes wrong after this event, in a network of so many SVs.
    pub(super) fn act(&mut self, svs: usize) -> Option<Act> {
        self.until_next -= 1;
        if self.until_next > 0 || self.left == 0 {
            self.until_next = self.until_next.max(1);
            return None;
        }
        self.until_next = 1 + self.noise.word() % PACE;
        self.left -= 1;
        Some(match self.noise.word() % 8 {
            0..3 => Act::Outage(self.outage()),
            3 | 4 => Act::Fault(self.below(svs), self.below(FAULTS)),
            _ => Act::KillAgent(self.below(svs)),
        })
    }

    /// How the coordinator, or the way to it, fails next.
    pub(super) fn outage(&mut self) -> Outage {
        match self.noise.word() % 3 {
            0 => Outage::Restart,
            1 => Outage::Cut,
            _ => Outage::Hold(Duration::from_millis(1 + self.noise.word() % LONGEST_HOLD)),
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(1).max(1);
        usize::try_from(self.noise.word() % limit).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(seed: u64) -> Vec<Act> {
        let mut chaos = Chaos::new(seed);
        (0..500).filter_map(|_| chaos.act(4)).collect()
    }

    #[test]
    fn a_seed_decides_everything_and_it_ends() {
        assert_eq!(acts(1), acts(1));
        assert_ne!(acts(1), acts(2));
        assert!((0..20).all(|seed| acts(seed).len() == ACTS));
    }

    #[test]
    fn everything_that_can_go_wrong_does() {
        let all: Vec<Act> = (0..20).flat_map(acts).collect();
        let has = |wanted: fn(&Act) -> bool| all.iter().any(wanted);
        let has_outage = |wanted: fn(Outage) -> bool| {
            all.iter().any(|act| matches!(act, Act::Outage(outage) if wanted(*outage)))
        };
        assert!(has(|act| matches!(act, Act::KillAgent(_))) && has_outage(|one| one == Outage::Restart));
        assert!(has_outage(|one| one == Outage::Cut) && has_outage(|one| matches!(one, Outage::Hold(_))));
        let faulty = |wanted| all.iter().any(|act| matches!(act, Act::Fault(_, fault) if *fault == wanted));
        assert!((0..FAULTS).all(faulty));
    }
}
