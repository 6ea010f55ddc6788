//! `review`: the proposal, with the agent's own recomputation beside it.

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::runtime;
use svdr_cli::screens::heading::Style;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::Body;

use crate::operator::decide::DecideError;
use crate::operator::online::{Online, OnlineArgs};
use svdr_cli::screens::operator::next::current_proposal;
use svdr_cli::screens::operator::review::{self, Review};

/// Arguments of `review`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent review 4f3a\n\n\
    Exit code 3 if the proposal does not follow from its evidence.")]
pub struct ReviewArgs {
    /// The session's id, or at least its first 4 digits [default: the newest session that has not ended]
    #[arg(value_name = "SESSION")]
    pub session: Option<String>,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
}

/// The recomputation does not confirm the proposal; why, has been printed.
#[derive(Debug, thiserror::Error)]
#[error("this agent's own recomputation does not confirm the proposal: {reason}\nhelp: do not agree to it")]
struct NotConfirmed {
    reason: String,
}

impl CommandError for NotConfirmed {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// Shows the proposal beside the recomputation.
///
/// # Errors
/// Also, after printing, if the two are not the same.
pub fn run(args: &ReviewArgs, output: Output) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    let seen = runtime::block_on(online.session(args.session.as_deref()))?;
    let session = seen.view.session();
    let nothing = || DecideError::NoProposal { session: session.id() };
    let (_, digest) = current_proposal(session).ok_or_else(nothing)?;
    let Some(Body::Proposal(proposal)) = session.statement(&digest).map(|one| one.body()) else {
        return Err(nothing().into());
    };
    let mut review = Review::of(session, digest, proposal, online.me());
    review.session = seen.facts();
    output.show(&review, || review::review(&review, online.me(), Style::of_stdout()))?;
    match review.reason {
        None => Ok(()),
        Some(reason) => Err(NotConfirmed { reason }.into()),
    }
}
