//! The rules of svdr, as pure functions: no clock, no file, no socket, no randomness.
//!
//! Every decision about a recovery is made here, so that the agents, the coordinators and an auditor run the same code on
//! the same bytes and get the same answer.
//!
//! # The way of a statement
//!
//! 1. Sign: [`Statement::sign`](statement::Statement::sign) serializes a statement once, checks that it can be read
//!    back, and signs these bytes in a DSSE [`Envelope`](dsse::Envelope).
//! 2. Verify: [`Verified::read`](statement::Verified::read) checks the signature over the received bytes, then decodes
//!    them and compares them with the [`Roster`](roster::Roster). Nothing else makes a `Verified`.
//! 3. Accept: [`Session::accepts`](session::Session::accepts) says whether the statement belongs to a session. This
//!    depends only on the statement, the opening and the roster, so every coordinator accepts the same statements.
//! 4. Fold: [`Session::insert`](session::Session::insert) adds it to the session's set. Every answer, such as the
//!    [`Phase`](session::Phase) and the [`certificates`](certificate), is a function of that set, whatever the order.
//! 5. Decide: [`Voter`](vote::Voter) says what a member may sign next, from the session and its own record.
//! 6. Audit: [`transcript::verify`] does 2 to 4 again, offline, with [`receipts`](receipt) that prove the order.
//!
//! [`plan::dump`] is the rule that chooses the recovery timestamp from [`evidence`]; [`clique`] is its search.
//! [`plan::roll_forward`] is the rule that computes the values of a new physical synchronizer from [`sequencing`].

pub mod certificate;
pub mod clique;
pub mod digest;
pub mod dsse;
pub mod equivocation;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod errors;
pub mod evidence;
pub mod failure;
#[cfg(test)]
pub(crate) mod fixture;
#[doc(hidden)]
pub mod fuzz;
pub mod keys;
pub mod milestone;
pub mod names;
pub mod plan;
pub mod receipt;
pub mod roster;
pub mod sequencing;
pub mod session;
pub mod span;
pub mod statement;
pub mod text;
pub mod time;
pub mod transcript;
pub mod vote;
