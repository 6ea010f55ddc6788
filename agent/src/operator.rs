//! What every command of an operator does: look at the session, decide, sign.

pub mod decide;
pub mod online;
