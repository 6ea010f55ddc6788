//! What the operator of one SV sees: pure functions from a session to text.
//!
//! What everybody sees of a session comes from [`crate::screens`]; here is what concerns this member: what to do
//! next ([`next`]), the proposal beside the agent's own recomputation ([`review`]), and the words that are shown
//! before anything is signed ([`signing`]). Decisions are not made here: they come from [`svdr_protocol::vote`].

use crate::screens::facts::SessionFacts;
use crate::screens::heading::Style;
use svdr_protocol::names::MemberName;
use svdr_protocol::text::shown;

pub mod next;
pub mod review;
pub mod signing;

#[cfg(test)]
mod tests;

use next::Next;

/// The state of the session, what it waits for and from whom, and what this operator does next.
pub fn status(facts: &SessionFacts, me: &MemberName, next: &Next, style: Style) -> String {
    let mut text = crate::screens::screen(facts, Some(me), style);
    text += "\n\n";
    text += &style.title(&format!("{me}, next: {}", next.what));
    for command in &next.commands {
        text += &shown(&format!("\n  {command}"));
    }
    text
}
