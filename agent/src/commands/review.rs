//! `review`: the proposal, with the agent's own recomputation beside it.

use std::io;

use clap::Args;
use svdr_cli::output::{self, Output};
use svdr_cli::screens::facts::SessionFacts;
use svdr_cli::screens::heading::Style;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, SessionId};

use crate::operator::online::{Online, OnlineArgs, OnlineError, block_on};
use crate::replica::Replica;
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

/// Why there is no review, or none that says yes.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Something is missing.
    #[error(transparent)]
    Online(#[from] OnlineError),
    /// There is nothing to review.
    #[error(
        "session {session} has no proposal yet\n\
         help: run `svdr-agent status`, which shows what the session waits for"
    )]
    NoProposal {
        /// The session.
        session: SessionId,
    },
    /// The recomputation does not confirm it; why, has been printed.
    #[error(
        "this agent's own recomputation does not confirm the proposal: {reason}\n\
         help: do not agree to the proposal"
    )]
    Unconfirmed {
        /// Why not.
        reason: String,
    },
    /// Stdout cannot be written.
    #[error("the review cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for ReviewError {
    fn exit(&self) -> Exit {
        match self {
            ReviewError::Online(error) => error.exit(),
            ReviewError::Unconfirmed { .. } => Exit::Refused,
            ReviewError::NoProposal { .. } | ReviewError::Print(_) => Exit::Failed,
        }
    }
}

/// Shows the proposal beside the recomputation.
///
/// # Errors
/// [`ReviewError`], also, after printing, where the two are not the same.
pub fn run(args: &ReviewArgs, output: Output) -> Result<(), ReviewError> {
    let online = Online::open(&args.online)?;
    let seen = block_on::<_, ReviewError>(async { Ok(online.session(args.session.as_deref()).await?) })?;
    let session = seen.view.session();
    let nothing = || ReviewError::NoProposal { session: session.id() };
    let (_, digest) = current_proposal(session).ok_or_else(nothing)?;
    let Some(Body::Proposal(proposal)) = session.statement(&digest).map(|one| one.body()) else {
        return Err(nothing());
    };
    let mut review = Review::of(session, digest, proposal, online.me());
    let others: Vec<&Session> = seen.others.iter().map(Replica::session).collect();
    review.session = SessionFacts::among(session, &others);
    let printed = match output {
        Output::Json => output::print_json(&review),
        Output::Table => output::print(&review::review(&review, online.me(), Style::of_stdout())),
    };
    printed.map_err(ReviewError::Print)?;
    match review.reason {
        None => Ok(()),
        Some(reason) => Err(ReviewError::Unconfirmed { reason }),
    }
}
