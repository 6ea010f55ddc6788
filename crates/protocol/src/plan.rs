//! The plan kinds: what the members of a session can agree to do, and the rule of each that says what to do exactly.
//!
//! Each rule is a pure function of the members' evidence, so that everybody computes the same plan from the same evidence.

pub mod dump;
pub mod roll_forward;
