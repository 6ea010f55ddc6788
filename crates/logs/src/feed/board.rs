//! Who searches which segment of a file, and how the results come back in order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::input::Fault;
use crate::lines::Found;

/// Segments that are searched before their turn. Their results, in the worst case some megabytes each, wait in memory.
const SEGMENTS_AHEAD: u64 = 12;

/// Which segments of a file are searched by whom, and what was found, until it is taken in order.
pub(super) struct Board {
    segments: u64,
    state: Mutex<State>,
    /// Something was taken, so that there is room to search further ahead.
    room: Condvar,
    /// Something was found.
    ready: Condvar,
}

#[derive(Default)]
struct State {
    claimed: u64,
    taken: u64,
    found: BTreeMap<u64, Result<Found, Fault>>,
    stopped: bool,
}

/// Stops the search if its thread panics, so that the others end and the panic is reported instead of a result.
pub(super) struct StopOnPanic<'b>(pub(super) &'b Board);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// What the thread that takes results does next.
pub(super) enum Next {
    Take(Result<Found, Fault>),
    Search(u64),
    End,
}

impl Board {
    pub(super) fn new(segments: u64) -> Board {
        Board { segments, state: Mutex::default(), room: Condvar::new(), ready: Condvar::new() }
    }

    /// Locks the state. It is consistent between any two statements, so a thread that panicked left nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for a result, and returns the segment to search; none if all are claimed.
    pub(super) fn claim(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.claimed == self.segments {
                return None;
            }
            if state.claimed < state.taken + SEGMENTS_AHEAD {
                state.claimed += 1;
                return Some(state.claimed - 1);
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn put(&self, nth: u64, found: Result<Found, Fault>) {
        self.lock().found.insert(nth, found);
        self.ready.notify_one();
    }

    pub(super) fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            let taken = state.taken;
            if let Some(found) = state.found.remove(&taken) {
                state.taken += 1;
                self.room.notify_one();
                return Next::Take(found);
            }
            if taken == self.segments || state.stopped {
                return Next::End;
            }
            if state.claimed < self.segments && state.claimed < taken + SEGMENTS_AHEAD {
                state.claimed += 1;
                return Next::Search(state.claimed - 1);
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the search: no segment is claimed any more, and nobody waits for one.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.room.notify_all();
        self.ready.notify_all();
    }
}
