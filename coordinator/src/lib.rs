//! The bulletin board that a recovery's members meet at: what `svdr-coordinator` does, as a library.
//!
//! It orders signed statements, keeps them in a journal and hands them out. It has no authority: whatever it
//! says, members check against the signatures of other members.

pub mod journal;
